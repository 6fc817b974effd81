/** Opens a drawing of points or nodes: the shared styles, and the life cycle of every view. */
import { openDrawing, type DrawingKind } from '../ui/drawing.js';
import { EXAMPLE_CSS } from '../ui/examples.js';
import type { View, ViewHost } from '../ui/view.js';
import { PLOT_CSS } from './styles.js';

export interface PlotKind<M> extends Pick<DrawingKind<M>, 'noun' | 'load' | 'draw'> {
  /** Class of the root, beside "fg-plot". */
  className: string;
  css: string;
}

/** Builds a drawing inside `root`, which it owns until dispose(). */
export function openPlot<M>(root: HTMLElement, kind: PlotKind<M>, host: Pick<ViewHost, 'compact'>): View {
  return openDrawing(root, {
    ...kind,
    classes: ['fg-plot', kind.className, ...(host.compact === true ? ['compact'] : [])],
    styles: [EXAMPLE_CSS, PLOT_CSS, kind.css],
  });
}
