/** The line of buttons of a selection. */
import { el, fill } from '../ui/dom.js';
import { count } from '../ui/format.js';
import { button } from '../ui/toolkit.js';
import type { Lit } from './filter.js';
import { MAX_MESH, MAX_SELECTED_LINES } from './selection.js';

export interface SelectionHooks {
  keep(): void;
  copy(): void;
  zoom(): void;
  undo(): void;
  lines(on: boolean): void;
  mesh(on: boolean): void;
}

const LINES = 'Lines from the whole selection to the counterparts';

/** The line of buttons of a selection; hidden where nothing is selected and nothing can be taken back. */
export class SelectionBar {
  readonly element = el('div', { class: 'selection part', role: 'group', aria: { label: 'Selection' }, hidden: true });
  private readonly linesButton;
  private readonly meshButton;
  private readonly undoButton;
  private readonly whole = el('span', { class: 'part' });

  constructor(twin: boolean, state: { lines: boolean; mesh: boolean }, hooks: SelectionHooks) {
    const tool = (label: string, content: string, onClick: () => void, pressed?: boolean) =>
      button({ label, content, appearance: 'secondary', onClick, ...(pressed !== undefined && { pressed }) });
    const now = { ...state };
    this.linesButton = tool(
      LINES,
      'Lines',
      () => {
        now.lines = !now.lines;
        this.linesButton.setPressed(now.lines);
        hooks.lines(now.lines);
      },
      state.lines,
    );
    this.meshButton = tool(
      `Mesh between the selected points, up to ${MAX_MESH} a side`,
      'Mesh',
      () => {
        now.mesh = !now.mesh;
        this.meshButton.setPressed(now.mesh);
        hooks.mesh(now.mesh);
      },
      state.mesh,
    );
    this.undoButton = tool('Undo the last change of the selection (Ctrl+Z)', 'Undo', () => hooks.undo());
    fill(
      this.whole,
      tool(twin ? 'Zoom to the selection and the region of its counterparts' : 'Zoom to the selection', 'Zoom', () =>
        hooks.zoom(),
      ).element,
      twin && this.linesButton.element,
      this.meshButton.element,
      tool('Keep the selection by name', 'Keep', () => hooks.keep()).element,
      tool('Copy the selection as a cell', 'Copy as cell', () => hooks.copy()).element,
    );
    fill(this.element, this.whole, this.undoButton.element);
  }

  /** `lines`: how many there are to draw. */
  update(lit: Lit, undoes: boolean, lines: number): void {
    const selected = lit.active && lit.hits.some((n) => n > 0);
    this.whole.hidden = !selected;
    this.undoButton.element.hidden = !undoes;
    this.element.hidden = !selected && !undoes;
    this.linesButton.element.title =
      lines > MAX_SELECTED_LINES
        ? `${count(MAX_SELECTED_LINES)} of ${count(lines)} lines, those of the largest r first`
        : LINES;
    const many = lit.hits.some((n) => n > MAX_MESH);
    this.meshButton.element.toggleAttribute('disabled', many);
    this.meshButton.element.title = many
      ? `A mesh is drawn between ${MAX_MESH} points a side at most`
      : `Mesh between the selected points, up to ${MAX_MESH} a side`;
  }
}
