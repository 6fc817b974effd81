/** Search, keyword group, colouring, threshold, dead features, tools: what narrows and colours the maps. */
import { el, fill, icon } from '../ui/dom.js';
import { count, plural } from '../ui/format.js';
import { button, checkbox, dropdown, textField, type Button, type Dropdown, type TextField } from '../ui/toolkit.js';
import type { ColorBy } from './filter.js';
import type { Tool } from '../plot/gestures.js';
import type { MapModel } from './model.js';
import { shiftControls } from './shiftControls.js';
import type { MapViewState } from './state.js';

export interface ToolbarHooks {
  changed(change: Partial<MapViewState>): void;
  tool(tool: Tool): void;
  zoom(factor: number): void;
  reset(): void;
  togglePane(): void;
  /** Forgets what other views light. */
  unlink(): void;
  openInPanel?: () => void;
}

const COLOR_LABELS: Record<ColorBy, string> = {
  none: 'Colour: none',
  firingRate: 'Colour: firing rate',
  r: 'Colour: r to counterpart',
  group: 'Colour: keyword group',
  delta: 'Colour: Δ',
};

export class Toolbar {
  readonly element = el('div', { class: 'toolbar', role: 'toolbar', aria: { label: 'Map controls' } });
  private readonly search: TextField;
  private readonly groups: Dropdown | null;
  private readonly slider: HTMLInputElement | null;
  private readonly sliderText = el('output', { class: 'value' });
  private readonly linked = el('span', { class: 'linked part', hidden: true });
  private readonly hits = el('span', { class: 'hits', role: 'status' });
  private readonly tools = new Map<Tool, Button>();
  private typing: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly model: MapModel,
    state: MapViewState,
    private readonly hooks: ToolbarHooks,
  ) {
    this.search = textField({
      label: 'Search by token (any of several words) or by feature id such as #123',
      placeholder: 'Search tokens or #id',
      onInput: (query) => {
        clearTimeout(this.typing);
        this.typing = setTimeout(() => hooks.changed({ query }), 120);
      },
    });
    this.search.value = state.query;
    this.search.element.classList.add('search');
    const substring = checkbox({
      label: 'part of word',
      checked: state.substring,
      onChange: (on) => hooks.changed({ substring: on }),
    });
    this.groups = this.groupChoice(state);
    const dead = model.sets.reduce((sum, set) => sum + set.deadCount, 0);
    this.slider = model.twin && !model.meta.shift ? this.threshold(state) : null;
    this.element.append(
      el('div', { class: 'part grow' }, this.search.element, substring.element),
      el('div', { class: 'part' }, this.groups?.element, this.colours(state)),
    );
    if (this.slider) this.element.append(el('label', { class: 'part threshold' }, 'r ≥', this.slider, this.sliderText));
    this.element.append(...shiftControls(model, state, (change) => hooks.changed(change)));
    if (dead > 0)
      this.element.append(
        checkbox({
          label: `show ${count(dead)} dead`,
          checked: state.showDead,
          onChange: (showDead) => hooks.changed({ showDead }),
        }).element,
      );
    this.element.append(this.linked, this.hits, this.toolButtons());
  }

  private groupChoice(state: MapViewState): Dropdown | null {
    if (!this.model.meta.groups?.length) return null;
    return dropdown({
      label: 'Keyword group: light the features whose labels have its words',
      choices: [
        { value: '', label: 'All features' },
        ...this.model.meta.groups.map((g) => ({ value: g.name, label: g.name })),
      ],
      value: state.group ?? '',
      onChange: (value) => this.hooks.changed({ group: value || null }),
    });
  }

  /** Group names with their counts, such as "Royalty (A:12, B:9)". */
  setGroupCounts(counts: number[][], group: string | null): void {
    const groups = this.model.meta.groups ?? [];
    this.groups?.setChoices(
      [
        { value: '', label: 'All features' },
        ...groups.map((g, i) => ({
          value: g.name,
          label: `${g.name} (${counts[i].map((n, s) => `${this.model.sets[s].name}:${count(n)}`).join(', ')})`,
        })),
      ],
      group ?? '',
    );
  }

  private colours(state: MapViewState): HTMLElement {
    const { shift, groups } = this.model.meta;
    const usable = (by: ColorBy): boolean => {
      if (by === 'r') return this.model.twin && !shift;
      if (by === 'group') return !!groups?.length;
      return by === 'none' || (by === 'delta') === !!shift;
    };
    const choices = (Object.keys(COLOR_LABELS) as ColorBy[]).filter(usable);
    return dropdown({
      label: 'Colour of the points',
      choices: choices.map((value) => ({ value, label: COLOR_LABELS[value] })),
      value: choices.includes(state.colorBy) ? state.colorBy : 'none',
      onChange: (value) => this.hooks.changed({ colorBy: value as ColorBy }),
    }).element;
  }

  private threshold(state: MapViewState): HTMLInputElement {
    const slider = el('input', { aria: { label: 'Hide links with r below' } });
    slider.type = 'range';
    slider.min = '0';
    slider.max = '1';
    slider.step = '0.01';
    slider.value = String(state.minR);
    const show = () => {
      this.sliderText.value = Number(slider.value) === 0 ? 'all' : Number(slider.value).toFixed(2);
      slider.setAttribute('aria-valuetext', this.sliderText.value);
    };
    show();
    slider.addEventListener('input', () => {
      show();
      this.hooks.changed({ minR: Number(slider.value) });
    });
    return slider;
  }

  private toolButtons(): HTMLElement {
    const box = el('div', { class: 'part tools' });
    const tools: Array<[Tool, 'move' | 'box' | 'lasso', string]> = [
      ['pan', 'move', 'Drag pans'],
      ['box', 'box', 'Drag selects a box (or Shift+drag)'],
      ['lasso', 'lasso', 'Drag selects freehand (or Alt+drag)'],
    ];
    for (const [tool, name, label] of tools) {
      const item = button({
        label,
        content: icon(name),
        appearance: 'icon',
        pressed: tool === 'pan',
        onClick: () => {
          for (const [key, other] of this.tools) other.setPressed(key === tool);
          this.hooks.tool(tool);
        },
      });
      this.tools.set(tool, item);
      box.append(item.element);
    }
    const plain = (label: string, name: 'plus' | 'minus' | 'reset' | 'table' | 'open', onClick: () => void) =>
      box.append(button({ label, content: icon(name), appearance: 'icon', onClick }).element);
    plain('Zoom in (+)', 'plus', () => this.hooks.zoom(1.4));
    plain('Zoom out (-)', 'minus', () => this.hooks.zoom(1 / 1.4));
    plain('Show the whole maps (0)', 'reset', () => this.hooks.reset());
    plain('Show or hide the table', 'table', () => this.hooks.togglePane());
    const { openInPanel } = this.hooks;
    if (openInPanel)
      box.append(button({ label: 'Open in panel', appearance: 'secondary', onClick: () => openInPanel() }).element);
    return box;
  }

  setHits(hits: number[] | null, partners: number[]): void {
    this.hits.textContent = hits
      ? `${hits.map((n, s) => `${this.model.sets[s].name} ${count(n)}`).join(' · ')}${
          this.model.twin ? ` · ${plural(partners[0] + partners[1], 'partner')}` : ''
        }`
      : '';
  }

  /** Says what another view lights here; null = nothing. */
  setLinked(label: string | null): void {
    this.linked.hidden = label === null;
    const text = `Lit elsewhere: ${label ?? ''}`;
    fill(
      this.linked,
      el('span', { class: 'text', title: text }, text),
      button({
        label: 'Show all features again',
        content: icon('close'),
        appearance: 'icon',
        onClick: () => this.hooks.unlink(),
      }).element,
    );
  }

  setQuery(query: string): void {
    this.search.value = query;
  }

  focusSearch(): void {
    this.search.focus();
  }

  dispose(): void {
    clearTimeout(this.typing);
  }
}
