/** The part of a drawing's toolbar that all drawings have: search, what others light, tools, zoom. */
import { el, fill, icon } from '../ui/dom.js';
import { button, checkbox, dropdown, textField, type Button, type Choice, type TextField } from '../ui/toolkit.js';
import type { Tool } from './gestures.js';
import { patternError } from './search.js';
import type { PlotState } from './state.js';

export interface PlotHooks {
  changed(change: Partial<PlotState>): void;
  tool(tool: Tool): void;
  zoom(factor: number): void;
  reset(): void;
  togglePane(): void;
  /** Drops what other views light. */
  unlink(): void;
  openInPanel?: () => void;
}

export interface PlotWords {
  /** Of the toolbar, for assistive technology. */
  label: string;
  search: string;
  tools: ReadonlyArray<[tool: Tool, label: string]>;
  reset: string;
  pane: string;
  unlink: string;
  /** Where there is little room, parts of the class "extra" are behind a button of this label; absent: there are none. */
  more?: string;
}

const TOOL_ICONS: Record<Tool, 'turn' | 'move' | 'box' | 'lasso'> = {
  turn: 'turn',
  pan: 'move',
  box: 'box',
  lasso: 'lasso',
};
/** A search begins this long after the last key. */
const TYPING_MS = 120;

export class PlotToolbar {
  readonly element: HTMLElement;
  protected readonly hits = el('span', { class: 'hits', role: 'status' });
  /** What is wrong with a pattern of the query. */
  private readonly wrong = el('span', { class: 'wrong', role: 'alert' });
  private readonly linked = chip();
  private told: HTMLElement | undefined;
  private readonly search: TextField;
  private readonly tools = new Map<Tool, Button>();
  private typing: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly words: PlotWords,
    state: PlotState,
    private readonly plot: PlotHooks,
  ) {
    this.element = el('div', { class: 'toolbar', role: 'toolbar', aria: { label: words.label } });
    this.search = textField({
      label: words.search,
      placeholder: 'Search tokens or #id',
      onInput: (query) => {
        clearTimeout(this.typing);
        this.typing = setTimeout(() => {
          this.judge(query);
          plot.changed({ query });
        }, TYPING_MS);
      },
    });
    this.search.value = state.query;
    this.judge(state.query);
    this.search.element.classList.add('search');
    const substring = checkbox({
      label: 'part of word',
      checked: state.substring,
      onChange: (on) => plot.changed({ substring: on }),
    });
    substring.element.classList.add('extra');
    this.element.append(el('div', { class: 'part grow' }, this.search.element, substring.element, this.wrong));
  }

  private judge(query: string): void {
    this.wrong.textContent = patternError(query) ?? '';
  }

  /** The parts between search and tools, then what is lit, then the tools with `extra` behind them. */
  protected assemble(parts: readonly HTMLElement[], chips: readonly HTMLElement[], ...extra: HTMLElement[]): void {
    this.element.append(...parts, this.linked, ...chips, this.hits, this.toolButtons(extra));
  }

  private toolButtons(extra: readonly HTMLElement[]): HTMLElement {
    const box = el('div', { class: 'part tools' });
    for (const [tool, label] of this.words.tools) {
      const onClick = () => {
        for (const [key, other] of this.tools) other.setPressed(key === tool);
        this.plot.tool(tool);
      };
      const content = icon(TOOL_ICONS[tool]);
      const item = button({ label, content, appearance: 'icon', pressed: tool === this.words.tools[0][0], onClick });
      this.tools.set(tool, item);
      box.append(item.element);
    }
    const plain = (label: string, name: 'plus' | 'minus' | 'reset' | 'table', onClick: () => void) =>
      box.append(button({ label, content: icon(name), appearance: 'icon', onClick }).element);
    const { plot, words } = this;
    if (words.more) box.append(this.moreButton(words.more));
    plain('Zoom in (+)', 'plus', () => plot.zoom(1.4));
    plain('Zoom out (-)', 'minus', () => plot.zoom(1 / 1.4));
    plain(words.reset, 'reset', () => plot.reset());
    plain(words.pane, 'table', () => plot.togglePane());
    box.append(...extra);
    const { openInPanel } = plot;
    if (openInPanel)
      box.append(button({ label: 'Open in panel', appearance: 'secondary', onClick: () => openInPanel() }).element);
    return box;
  }

  private moreButton(label: string): HTMLElement {
    const more = button({
      ...{ label, content: icon('more'), appearance: 'icon' },
      onClick: () => {
        const open = this.element.dataset.more !== 'open';
        this.element.dataset.more = open ? 'open' : 'closed';
        more.setExpanded(open);
      },
    });
    more.element.classList.add('more');
    more.setExpanded(false);
    return more.element;
  }

  /** Says what another view lights here; null = nothing. */
  setLinked(label: string | null): void {
    fillChip(this.linked, label && `Lit elsewhere: ${label}`, this.words.unlink, () => this.plot.unlink());
  }

  /** Says what went wrong until it is put away. */
  tell(text: string): void {
    this.told?.remove();
    const told = (this.told = chip());
    fillChip(told, text, 'Dismiss', () => told.remove());
    this.linked.after(told);
  }

  /** Adds a part behind what is lit. */
  show(part: HTMLElement): void {
    this.hits.after(part);
  }

  /** Shows a query that was not typed here. */
  setQuery(query: string): void {
    clearTimeout(this.typing);
    this.search.value = query;
    this.judge(query);
  }

  focusSearch(): void {
    this.search.focus();
  }

  dispose(): void {
    clearTimeout(this.typing);
  }
}

/** A menu of what the drawing can be exported as. */
export function exportMenu(label: string, kinds: readonly Choice[], chosen: (kind: string) => void): HTMLElement {
  const choices = [{ value: '', label: 'Export…' }, ...kinds];
  const menu = dropdown({
    ...{ label, choices, value: '' },
    onChange: (value) => {
      if (value === '') return;
      menu.setChoices(choices, '');
      chosen(value);
    },
  });
  menu.element.classList.add('export');
  return menu.element;
}

/** A text with a button that takes it back; hidden until it is filled. */
export const chip = (): HTMLElement => el('span', { class: 'linked part', hidden: true });

export function fillChip(element: HTMLElement, text: string | null, label: string, onClick: () => void): void {
  element.hidden = text === null;
  fill(
    element,
    el('span', { class: 'text', title: text ?? '' }, text ?? ''),
    button({ label, content: icon('close'), appearance: 'icon', onClick }).element,
  );
}

/** A slider of numbers; `say` puts its value into words. */
export function slider(o: {
  label: string;
  range: [min: number, max: number, step: number];
  value: number;
  say(value: number): string;
  onInput(value: number): void;
}): HTMLInputElement {
  const input = el('input', { aria: { label: o.label } });
  const [min, max, step] = o.range;
  Object.assign(input, { type: 'range', min: String(min), max: String(max), step: String(step) });
  input.value = String(o.value);
  const say = () => input.setAttribute('aria-valuetext', o.say(Number(input.value)));
  say();
  input.addEventListener('input', () => {
    say();
    o.onInput(Number(input.value));
  });
  return input;
}
