/** The mime types of outputs: one for each kind of view, and those of display.ts. */
import { VIEW_NAMES, viewMime, type ViewName } from './views.js';

/** Mime types of outputs. Every output that the renderer draws also carries a text/plain item. */
export const MIME = {
  /** Descriptors of the views (views.ts). */
  ...(Object.fromEntries(VIEW_NAMES.map((view) => [view, viewMime(view)])) as Record<ViewName, string>),
  /** ChartDescriptor (display.ts): a Vega spec compiled from Vega-Lite in the kernel. */
  chart: 'application/vnd.fgnb.chart+json',
  /** TableDescriptor (display.ts). */
  table: 'application/vnd.fgnb.table+json',
  /** FeatureCards (display.ts): features or pairs with dataset examples. */
  features: 'application/vnd.fgnb.features+json',
  /** ComparisonDescriptor (display.ts): texts before and after an intervention. */
  comparison: 'application/vnd.fgnb.comparison+json',
  /** Progress (kernel.ts): the state of the running call; replaced in place, removed from the saved file when done. */
  progress: 'application/vnd.fgnb.progress+json',
  text: 'text/plain',
  png: 'image/png',
  stdout: 'application/vnd.code.notebook.stdout',
  stderr: 'application/vnd.code.notebook.stderr',
  error: 'application/vnd.code.notebook.error',
} as const;

/** What the renderer draws. */
export const DRAWN: readonly string[] = [
  ...VIEW_NAMES.map(viewMime),
  MIME.chart,
  MIME.table,
  MIME.features,
  MIME.comparison,
  MIME.progress,
];
