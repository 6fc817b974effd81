/** Life cycle of a view: loading, errors, theme, disposal. */
import { el, fill } from './dom.js';
import { messageOf } from './message.js';
import { adoptStyles, followTheme } from './theme.js';
import type { View } from './view.js';

/** A view whose data has arrived. */
export interface Drawing {
  themeChanged(): void;
  dispose(): void;
}

export interface DrawingKind<M> {
  /** As shown: "map". */
  noun: string;
  /** Classes of the root while the view is open. */
  classes: readonly string[];
  styles: readonly string[];
  load(): Promise<M>;
  draw(model: M): Drawing;
}

/** Builds a drawing inside `root`, which it owns until dispose(). */
export function openDrawing<M>(root: HTMLElement, { noun, classes, styles, load, draw }: DrawingKind<M>): View {
  root.classList.add(...classes);
  let drawing: Drawing | null = null;
  let disposed = false;
  adoptStyles(root, ...styles);
  const stopTheme = followTheme(root, () => drawing?.themeChanged());
  const notice = el('div', { class: 'notice', role: 'status' }, `Loading the ${noun}…`);
  root.append(notice);
  const ready = load().then(
    (model) => {
      if (disposed) return;
      notice.remove();
      drawing = draw(model);
    },
    (error: unknown) => {
      notice.classList.add('error');
      fill(notice, `The ${noun} could not be loaded: ${messageOf(error)}`);
      throw error;
    },
  );
  ready.catch(() => undefined);
  return {
    ready,
    dispose: () => {
      disposed = true;
      stopTheme();
      drawing?.dispose();
      root.textContent = '';
      root.classList.remove(...classes);
    },
  };
}
