/** Search, colour, keyword groups, edges, noise, tools and exports of a graph view. */
import { chip, exportMenu, fillChip, PlotToolbar, slider, type PlotHooks, type PlotWords } from '../plot/toolbar.js';
import { el } from '../ui/dom.js';
import { count, plural } from '../ui/format.js';
import { checkbox, dropdown, textField, type Choice, type Dropdown } from '../ui/toolkit.js';
import { columnNames, isColour, STATS, wordsOf, type Stat } from './colour.js';
import type { Lighting } from './lighting.js';
import type { GraphModel } from './model.js';
import type { GraphViewState } from './state.js';
import { PICTURES, type PictureKind } from '../plot/pictureFiles.js';

export type ExportKind = PictureKind | 'graphml' | 'json' | 'html';

export interface ToolbarHooks extends PlotHooks {
  changed(change: Partial<GraphViewState>): void;
  clearSelection(): void;
  export(kind: ExportKind, set: number): void;
  /** Whether a page of its own can be saved. */
  html: boolean;
}

const WORDS: PlotWords = {
  label: 'Graph controls',
  search: 'Search members by token (any of several words) or by feature id such as #123',
  tools: [
    ['pan', 'Drag pans'],
    ['lasso', 'Drag selects nodes freehand (or Shift+drag)'],
  ],
  reset: 'Show the whole graphs (0)',
  pane: 'Show or hide the lists',
  unlink: 'Show all nodes again',
};

export class Toolbar extends PlotToolbar {
  private readonly colours: Dropdown;
  private readonly stats: Dropdown;
  private readonly selection = chip();

  constructor(
    private readonly model: GraphModel,
    private readonly state: GraphViewState,
    private readonly hooks: ToolbarHooks,
  ) {
    super(WORDS, state, hooks);
    this.colours = dropdown({
      label: 'Colour of the nodes',
      choices: this.colourChoices(),
      value: state.colourBy,
      onChange: (colourBy) => hooks.changed({ colourBy }),
    });
    this.stats = dropdown({
      label: 'How the values of a node’s members become one',
      choices: STATS.map((value) => ({ value, label: value })),
      value: state.stat,
      onChange: (stat) => hooks.changed({ stat: stat as Stat }),
    });
    this.stats.element.classList.add('stat');
    const colouring = el('div', { class: 'part' }, this.colours.element, this.stats.element);
    this.assemble([colouring, this.ownWords(), ...this.rest()], [this.selection], this.exports());
    this.setColour();
  }

  private colourChoices(): Choice[] {
    return [
      ...columnNames(this.model).map((name) => ({ value: `column:${name}`, label: `Colour: ${name}` })),
      ...(this.model.meta.groups ?? []).map((g) => ({ value: `group:${g.name}`, label: `Keywords: ${g.name}` })),
      ...this.state.words.map((words) => ({ value: `words:${words}`, label: `Keywords: ${words}` })),
      { value: 'members', label: 'Colour: members' },
      { value: 'component', label: 'Colour: component' },
    ];
  }

  /** A field for a keyword group of the reader's own: Enter adds it and colours by it. */
  private ownWords(): HTMLElement {
    let text = '';
    const field = textField({
      label:
        'Your own keyword group: words separated by spaces; Enter colours the nodes by the share of members that have one',
      placeholder: 'Own keywords, Enter',
      onInput: (value) => {
        text = value;
      },
    });
    field.element.classList.add('words');
    field.element.addEventListener('keydown', (event) => {
      const words = wordsOf(text).join(' ');
      if (event.key !== 'Enter' || words === '') return;
      if (!this.state.words.includes(words)) this.state.words.push(words);
      this.hooks.changed({ colourBy: `words:${words}` });
      this.setColour();
    });
    return field.element;
  }

  private rest(): HTMLElement[] {
    const { model, state, hooks } = this;
    const out: HTMLElement[] = [];
    const heaviest = model.sets.reduce((m, set) => set.columns.weight.reduce((a, b) => Math.max(a, b), m), 0);
    if (heaviest > 1) out.push(this.threshold(heaviest));
    const noise = model.sets.reduce((sum, set) => sum + set.columns.noise.length, 0);
    if (noise > 0)
      out.push(
        checkbox({
          label: `noise (${count(noise)})`,
          checked: state.noise,
          onChange: (on) => hooks.changed({ noise: on }),
        }).element,
      );
    if (model.sets.length > 1)
      out.push(
        dropdown({
          label: 'Graphs shown',
          choices: [
            { value: '-1', label: 'All graphs' },
            ...model.sets.map((set, s) => ({ value: String(s), label: `Only ${set.name}` })),
          ],
          value: String(state.shown),
          onChange: (value) => hooks.changed({ shown: Number(value) }),
        }).element,
      );
    return out;
  }

  private threshold(heaviest: number): HTMLElement {
    const text = el('output', { class: 'value' });
    text.value = String(this.state.minWeight);
    const input = slider({
      ...{ label: 'Hide edges that share fewer members than', value: this.state.minWeight },
      ...{ range: [1, Math.min(heaviest, 200), 1], say: (n) => `at least ${plural(n, 'shared member')}` },
      onInput: (minWeight) => {
        text.value = String(minWeight);
        this.hooks.changed({ minWeight });
      },
    });
    return el(
      'label',
      { class: 'part threshold', title: 'Edges that share fewer members are hidden' },
      'shared ≥',
      input,
      text,
    );
  }

  private exports(): HTMLElement {
    const { sets } = this.model;
    const each = (kind: ExportKind, label: string): Choice[] =>
      sets.map((set, s) => ({ value: `${kind}:${s}`, label: sets.length > 1 ? `${label}: ${set.name}` : label }));
    const kinds: Choice[] = [
      ...PICTURES.map(({ value, label }) => ({ value: `${value}:0`, label })),
      ...(this.hooks.html ? [{ value: 'html:0', label: 'Page (HTML)' }] : []),
      ...each('graphml', 'GraphML'),
      ...each('json', 'KeplerMapper JSON'),
    ];
    return exportMenu('Export the graph', kinds, (value) => {
      const [kind, set] = value.split(':');
      this.hooks.export(kind as ExportKind, Number(set));
    });
  }

  /** Shows what the state says, after it changed elsewhere too. */
  setColour(): void {
    const { colourBy } = this.state;
    this.colours.setChoices(this.colourChoices(), isColour(this.model, colourBy) ? colourBy : 'members');
    const column = colourBy.startsWith('column:') ? colourBy.slice(7) : null;
    const numeric = this.model.sets.some((set) => set.meta.columns.some((c) => c.name === column && !c.classes));
    this.stats.element.hidden = !numeric;
  }

  setHits(lighting: Lighting): void {
    this.hits.textContent = this.model.sets
      .flatMap(({ name }, s) => {
        const { points, nodes } = lighting.hits[s];
        return lighting.points[s] ? [`${name} ${plural(points, 'hit')} in ${plural(nodes, 'node')}`] : [];
      })
      .join(' · ');
  }

  setSelection(label: string | null): void {
    fillChip(this.selection, label, 'Clear the selection (Escape)', () => this.hooks.clearSelection());
  }
}
