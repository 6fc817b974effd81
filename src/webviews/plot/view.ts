/** Life cycle of a drawing: loading, errors, theme, disposal. */
import { el, fill } from '../ui/dom.js';
import { EXAMPLE_CSS } from '../ui/examples.js';
import { messageOf } from '../ui/message.js';
import { adoptStyles, followTheme } from '../ui/theme.js';
import type { View, ViewHost } from '../ui/view.js';
import { PLOT_CSS } from './styles.js';

/** A drawing whose data is here. */
export interface Drawing {
  themeChanged(): void;
  dispose(): void;
}

export interface PlotKind<M> {
  /** As shown: "map". */
  noun: string;
  /** Class of the root, beside "fg-plot". */
  className: string;
  css: string;
  load(): Promise<M>;
  draw(model: M): Drawing;
}

/** Builds a drawing inside `root`, which it owns until dispose(). */
export function openPlot<M>(root: HTMLElement, kind: PlotKind<M>, host: Pick<ViewHost, 'compact'>): View {
  const classes = ['fg-plot', kind.className];
  root.classList.add(...classes);
  root.classList.toggle('compact', host.compact === true);
  let drawing: Drawing | null = null;
  let disposed = false;
  adoptStyles(root, EXAMPLE_CSS, PLOT_CSS, kind.css);
  const stopTheme = followTheme(root, () => drawing?.themeChanged());
  const notice = el('div', { class: 'notice', role: 'status' }, `Loading the ${kind.noun}…`);
  root.append(notice);
  const ready = kind.load().then(
    (model) => {
      if (disposed) return;
      notice.remove();
      drawing = kind.draw(model);
    },
    (error: unknown) => {
      notice.classList.add('error');
      fill(notice, `The ${kind.noun} could not be loaded: ${messageOf(error)}`);
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
      root.classList.remove(...classes, 'compact');
    },
  };
}
