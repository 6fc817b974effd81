/** Search, colour, keyword groups, edges, noise, tools and exports of a graph view. */
import { el, fill, icon } from '../ui/dom.js';
import { count, plural } from '../ui/format.js';
import {
  button,
  checkbox,
  dropdown,
  textField,
  type Button,
  type Choice,
  type Dropdown,
  type TextField,
} from '../ui/toolkit.js';
import type { Tool } from '../plot/gestures.js';
import { columnNames, isColour, STATS, wordsOf, type Stat } from './colour.js';
import type { Lighting } from './lighting.js';
import type { GraphModel } from './model.js';
import type { GraphViewState } from './state.js';

export type ExportKind = 'png' | 'graphml' | 'json' | 'html';

export interface ToolbarHooks {
  changed(change: Partial<GraphViewState>): void;
  tool(tool: Tool): void;
  zoom(factor: number): void;
  reset(): void;
  togglePane(): void;
  clearSelection(): void;
  unlink(): void;
  export(kind: ExportKind, set: number): void;
  openInPanel?: () => void;
  /** Whether a page of its own can be saved. */
  html: boolean;
}

export class Toolbar {
  readonly element = el('div', { class: 'toolbar', role: 'toolbar', aria: { label: 'Graph controls' } });
  private readonly search: TextField;
  private readonly colours: Dropdown;
  private readonly stats: Dropdown;
  private readonly hits = el('span', { class: 'hits', role: 'status' });
  private readonly chips = { linked: chip(), selection: chip() };
  private readonly tools = new Map<Tool, Button>();
  private typing: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly model: GraphModel,
    private readonly state: GraphViewState,
    private readonly hooks: ToolbarHooks,
  ) {
    this.search = textField({
      label: 'Search members by token (any of several words) or by feature id such as #123',
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
    this.element.append(
      el('div', { class: 'part grow' }, this.search.element, substring.element),
      el('div', { class: 'part' }, this.colours.element, this.stats.element),
      this.ownWords(),
      ...this.rest(),
      this.chips.linked,
      this.chips.selection,
      this.hits,
      this.toolButtons(),
    );
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
    const value = el('output', { class: 'value' });
    const slider = el('input', { aria: { label: 'Hide edges that share fewer members than' } });
    slider.type = 'range';
    slider.min = '1';
    slider.max = String(Math.min(heaviest, 200));
    slider.step = '1';
    slider.value = String(this.state.minWeight);
    const show = () => {
      value.value = slider.value;
      slider.setAttribute('aria-valuetext', `at least ${plural(Number(slider.value), 'shared member')}`);
    };
    show();
    slider.addEventListener('input', () => {
      show();
      this.hooks.changed({ minWeight: Number(slider.value) });
    });
    return el(
      'label',
      { class: 'part threshold', title: 'Edges that share fewer members are hidden' },
      'shared ≥',
      slider,
      value,
    );
  }

  private toolButtons(): HTMLElement {
    const box = el('div', { class: 'part tools' });
    const tools: Array<[Tool, 'move' | 'lasso', string]> = [
      ['pan', 'move', 'Drag pans'],
      ['lasso', 'lasso', 'Drag selects nodes freehand (or Shift+drag)'],
    ];
    for (const [tool, name, label] of tools) {
      const onClick = () => {
        for (const [key, other] of this.tools) other.setPressed(key === tool);
        this.hooks.tool(tool);
      };
      const item = button({ label, content: icon(name), appearance: 'icon', pressed: tool === 'pan', onClick });
      this.tools.set(tool, item);
      box.append(item.element);
    }
    const plain = (label: string, name: 'plus' | 'minus' | 'reset' | 'table', onClick: () => void) =>
      box.append(button({ label, content: icon(name), appearance: 'icon', onClick }).element);
    plain('Zoom in (+)', 'plus', () => this.hooks.zoom(1.4));
    plain('Zoom out (-)', 'minus', () => this.hooks.zoom(1 / 1.4));
    plain('Show the whole graphs (0)', 'reset', () => this.hooks.reset());
    plain('Show or hide the lists', 'table', () => this.hooks.togglePane());
    box.append(this.exports());
    const { openInPanel } = this.hooks;
    if (openInPanel)
      box.append(button({ label: 'Open in panel', appearance: 'secondary', onClick: () => openInPanel() }).element);
    return box;
  }

  private exports(): HTMLElement {
    const { sets } = this.model;
    const each = (kind: ExportKind, label: string): Choice[] =>
      sets.map((set, s) => ({ value: `${kind}:${s}`, label: sets.length > 1 ? `${label}: ${set.name}` : label }));
    const choices: Choice[] = [
      { value: '', label: 'Export…' },
      { value: 'png:0', label: 'Picture (PNG)' },
      ...(this.hooks.html ? [{ value: 'html:0', label: 'Page (HTML)' }] : []),
      ...each('graphml', 'GraphML'),
      ...each('json', 'KeplerMapper JSON'),
    ];
    const menu = dropdown({
      label: 'Export the graph',
      choices,
      value: '',
      onChange: (value) => {
        if (value === '') return;
        const [kind, set] = value.split(':');
        menu.setChoices(choices, '');
        this.hooks.export(kind as ExportKind, Number(set));
      },
    });
    menu.element.classList.add('export');
    return menu.element;
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

  setLinked(label: string | null): void {
    fillChip(this.chips.linked, label && `Lit elsewhere: ${label}`, 'Show all nodes again', () => this.hooks.unlink());
  }

  setSelection(label: string | null): void {
    fillChip(this.chips.selection, label, 'Clear the selection (Escape)', () => this.hooks.clearSelection());
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

const chip = () => el('span', { class: 'linked part', hidden: true });

function fillChip(element: HTMLElement, text: string | null, label: string, onClick: () => void): void {
  element.hidden = text === null;
  fill(
    element,
    el('span', { class: 'text', title: text ?? '' }, text ?? ''),
    button({ label, content: icon('close'), appearance: 'icon', onClick }).element,
  );
}
