/** Search, keyword group, colouring, threshold, dead features, tools: what narrows and colours the maps. */
import { exportMenu, PlotToolbar, slider, type PlotHooks, type PlotWords } from '../plot/toolbar.js';
import { el } from '../ui/dom.js';
import { count, plural } from '../ui/format.js';
import { checkbox, dropdown, type Choice, type Dropdown } from '../ui/toolkit.js';
import { columnColor, type ColorBy } from './columns.js';
import { exportChoices, type ExportKind } from './exporting.js';
import type { MapModel } from './model.js';
import { shiftControls } from './shiftControls.js';
import { inSpace, type Turn } from './space.js';
import type { MapViewState } from './state.js';
import { turnControls } from './turnControls.js';

export interface ToolbarHooks extends PlotHooks {
  changed(change: Partial<MapViewState>): void;
  export(kind: ExportKind): void;
  /** Whether a page of its own can be saved. */
  html: boolean;
}

const WORDS: PlotWords = {
  label: 'Map controls',
  search:
    'Search by words, feature id (#123), pattern (/^un/) or condition (r>=.5 firings<100 rate>1% match:mutual, or a column by name)',
  tools: [
    ['pan', 'Drag pans'],
    ['box', 'Drag selects a box (or Shift+drag)'],
    ['lasso', 'Drag selects freehand (or Alt+drag)'],
  ],
  reset: 'Show the whole maps (0)',
  pane: 'Show or hide the table',
  unlink: 'Show all features again',
  more: 'More controls',
};

/** In three dimensions a drag turns. */
const SPACE_WORDS: PlotWords = { ...WORDS, tools: [['turn', 'Drag turns'], ...WORDS.tools] };

const COLOR_LABELS: Record<Exclude<ColorBy, `column:${string}`>, string> = {
  none: 'Colour: none',
  firingRate: 'Colour: firing rate',
  r: 'Colour: r to counterpart',
  group: 'Colour: keyword group',
  delta: 'Colour: Δ',
  part: 'Colour: SAE',
  region: 'Colour: region',
};

export class Toolbar extends PlotToolbar {
  /** Sets the sliders of the turn. */
  readonly showTurn: (turn: Turn) => void;
  private readonly groups: Dropdown | null;
  private choices: Choice[] = [];

  constructor(
    private readonly model: MapModel,
    state: MapViewState,
    private readonly hooks: ToolbarHooks,
  ) {
    super(inSpace(model) ? SPACE_WORDS : WORDS, state, hooks);
    this.groups = this.groupChoice(state);
    const dead = model.sets.reduce((sum, set) => sum + set.deadCount, 0);
    const showDead = checkbox({
      label: `show ${count(dead)} dead`,
      checked: state.showDead,
      onChange: (on) => hooks.changed({ showDead: on }),
    });
    const turn = turnControls(model, state, (to) => hooks.changed(to));
    this.showTurn = turn.show;
    this.assemble(
      [
        ...turn.parts,
        ...(this.groups ? [el('div', { class: 'part extra' }, this.groups.element)] : []),
        el('div', { class: 'part' }, this.colours(state)),
        ...(model.twin && !model.meta.shift ? [this.threshold(state)] : []),
        ...shiftControls(model, state, (change) => hooks.changed(change)),
        ...(model.sets[0].columns.parent ? [this.lines(state), this.threshold(state)] : []),
        ...(dead > 0 ? [el('div', { class: 'part extra' }, showDead.element)] : []),
      ],
      [],
      el(
        'div',
        { class: 'part extra' },
        exportMenu('Export the map', exportChoices(model, hooks.html), (kind) => hooks.export(kind as ExportKind)),
      ),
    );
  }

  private lines(state: MapViewState): HTMLElement {
    const lines = checkbox({
      label: 'lines to parents',
      checked: state.arrows,
      onChange: (arrows) => this.hooks.changed({ arrows }),
    });
    return el('div', { class: 'part extra' }, lines.element);
  }

  private groupChoice(state: MapViewState): Dropdown | null {
    if (!this.model.meta.groups?.length && !this.model.twin) return null;
    this.choices = [
      { value: '', label: 'All features' },
      ...(this.model.meta.groups ?? []).map((g) => ({ value: g.name, label: g.name })),
    ];
    return dropdown({
      label: 'Keyword group: light the features whose labels have its words',
      choices: this.choices,
      value: state.group ?? '',
      onChange: (value) => this.hooks.changed({ group: value || null }),
    });
  }

  /** Group names with their counts, such as "Royalty (A:12, B:9)". */
  setGroupCounts(counts: number[][], group: string | null): void {
    const groups = this.model.meta.groups ?? [];
    this.choices = [
      { value: '', label: 'All features' },
      ...groups.map((g, i) => ({
        value: g.name,
        label: `${g.name} (${counts[i].map((n, s) => `${this.model.sets[s].name}:${count(n)}`).join(', ')})`,
      })),
    ];
    this.setGroup(group);
  }

  /** Shows which group is chosen, null = none. */
  setGroup(group: string | null): void {
    this.groups?.setChoices(this.choices, group ?? '');
  }

  private colours(state: MapViewState): HTMLElement {
    const { shift, groups } = this.model.meta;
    const usable = (by: ColorBy): boolean => {
      if (by === 'r') return this.model.twin && !shift;
      if (by === 'part') return !!this.model.sets[0].family;
      if (by === 'region') return !shift && !inSpace(this.model);
      if (by === 'firingRate' && this.model.sets.every((set) => set.meta.unmeasured)) return false;
      if (by === 'group') return !!groups?.length;
      return by === 'none' || (by === 'delta') === !!shift;
    };
    const own = Object.entries(COLOR_LABELS).filter(([by]) => usable(by as ColorBy));
    const added = this.model.added.map(({ name }) => [columnColor(name), `Colour: ${name}`]);
    const choices = [...own, ...added].map(([value, label]) => ({ value, label }));
    return dropdown({
      label: 'Colour of the points',
      choices,
      value: choices.some(({ value }) => value === state.colorBy) ? state.colorBy : 'none',
      onChange: (value) => this.hooks.changed({ colorBy: value as ColorBy }),
    }).element;
  }

  private threshold(state: MapViewState): HTMLElement {
    const text = el('output', { class: 'value' });
    const words = (r: number) => (r === 0 ? 'all' : r.toFixed(2));
    text.value = words(state.minR);
    const input = slider({
      ...{
        label: this.model.sets[0].family ? 'Hide lines of cosine below' : 'Hide links with r below',
        range: [0, 1, 0.01],
        value: state.minR,
        say: words,
      },
      onInput: (minR) => {
        text.value = words(minR);
        this.hooks.changed({ minR });
      },
    });
    return el('label', { class: 'part threshold extra' }, this.model.sets[0].family ? 'cosine ≥' : 'r ≥', input, text);
  }

  setHits(hits: number[] | null, partners: number[]): void {
    this.hits.textContent = hits
      ? `${hits.map((n, s) => `${this.model.sets[s].name} ${count(n)}`).join(' · ')}${
          this.model.twin ? ` · ${plural(partners[0] + partners[1], 'partner')}` : ''
        }`
      : '';
  }
}
