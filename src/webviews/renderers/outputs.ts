/** Draws one output of any of our mime types; used by the notebook renderer and by the exported report. */
import type { Descriptor } from '../../protocol/bundle.js';
import type { ChartDescriptor, ComparisonDescriptor, FeatureCards, TableDescriptor } from '../../protocol/display.js';
import type { Progress } from '../../protocol/kernel.js';
import { MIME } from '../../protocol/mime.js';
import type { JsonObject } from '../../protocol/notebook.js';
import { asDescriptor, viewMime, viewOfMime, VIEWS, type ViewName } from '../../protocol/views.js';
import { CHART_CSS, drawChart } from '../charts/chart.js';
import { el } from '../ui/dom.js';
import { EXAMPLE_CSS } from '../ui/examples.js';
import { HOVER_CARD_CSS } from '../ui/hoverCard.js';
import { messageOf } from '../ui/message.js';
import { adoptStyles, followTheme } from '../ui/theme.js';
import type { ViewHost } from '../ui/view.js';
import { openView } from '../views.js';
import { COMPARISON_CSS, renderComparison } from './comparison.js';
import { FEATURES_CSS, renderFeatures } from './features.js';
import { PROGRESS_CSS, ProgressBar } from './progress.js';
import { renderTable, TABLE_CSS } from './table.js';
import { isRecord } from '../../protocol/objects.js';

/** Where outputs are shown. */
export interface OutputEnvironment {
  copyText(text: string): Promise<void>;
  /** What there is for a view: its files, its kernel, where it saves. */
  host(
    view: ViewName,
    descriptor: Descriptor,
  ): Pick<ViewHost, 'files' | 'live' | 'canvas' | 'link' | 'covered' | 'saveFile' | 'savePage' | 'featureLink'>;
  openInPanel?(view: ViewName, descriptor: Descriptor, state: JsonObject): void;
  /** Opens the page of a feature; absent: there is none for features of this SAE. */
  openFeature?(sae: string): ((feature: number) => void) | undefined;
  /** State of a view kept across renderings, by its descriptor's id. */
  state?(view: ViewName, id: string): JsonObject | undefined;
  keepState?(view: ViewName, id: string, state: JsonObject): void;
}

export interface DrawnOutput {
  mime: string;
  /** Settles when it is drawn and as high as it will be; never rejects. */
  ready: Promise<void>;
  /** Takes new data in place; false when it has to be drawn anew. */
  update(json: unknown): boolean;
  dispose(): void;
}

const DRAWN = Promise.resolve();

const STYLES = [EXAMPLE_CSS, HOVER_CARD_CSS, CHART_CSS, TABLE_CSS, FEATURES_CSS, COMPARISON_CSS, PROGRESS_CSS];

/** Draws `json` into `root`. Bad data is said in place, never thrown. */
export function renderOutput(mime: string, json: unknown, root: HTMLElement, env: OutputEnvironment): DrawnOutput {
  adoptStyles(root, ...STYLES);
  try {
    if (!isRecord(json)) throw new Error(`expected a JSON object, got ${json === null ? 'null' : typeof json}`);
    if (mime !== MIME.progress && json.version !== 1)
      throw new Error(`version ${String(json.version)} is not known here; update the extension`);
    return draw(mime, json, root, env);
  } catch (error) {
    const stop = followTheme(root, () => undefined);
    root.append(el('p', { class: 'fg-none' }, `This output could not be drawn: ${messageOf(error)}`));
    return { mime, ready: DRAWN, update: () => false, dispose: stop };
  }
}

function draw(mime: string, json: unknown, root: HTMLElement, env: OutputEnvironment): DrawnOutput {
  const view = viewOfMime(mime);
  if (view) return drawView(view, json, root, env);
  const still = (node: HTMLElement): DrawnOutput => {
    root.append(node);
    return { mime, ready: DRAWN, update: () => false, dispose: followTheme(root, () => undefined) };
  };
  switch (mime) {
    case MIME.table:
      return still(renderTable(json as TableDescriptor, env));
    case MIME.features:
      return still(renderFeatures(json as FeatureCards));
    case MIME.comparison:
      return still(renderComparison(json as ComparisonDescriptor));
    case MIME.chart: {
      const stop = followTheme(root, () => chart.redraw());
      const chart = drawChart(root, root, json as ChartDescriptor);
      return {
        mime,
        ready: chart.ready,
        update: () => false,
        dispose: () => {
          stop();
          chart.dispose();
        },
      };
    }
    case MIME.progress: {
      const bar = new ProgressBar();
      bar.update(json as Progress);
      const drawn = still(bar.element);
      return {
        mime,
        ready: DRAWN,
        update: (next) => {
          bar.update(next as Progress);
          return true;
        },
        dispose: () => {
          bar.dispose();
          drawn.dispose();
        },
      };
    }
    default:
      throw new Error(`mime type ${mime} is not known here`);
  }
}

/** Stands where the bundle is not to be had. */
function absent(view: ViewName, { path, meta }: Descriptor, root: HTMLElement): () => void {
  root.append(
    el('p', { class: 'fg-title' }, meta.title),
    el(
      'p',
      { class: 'fg-none' },
      `The data of this ${VIEWS[view].noun} is not here: it lies in ${path} beside the notebook. Open the notebook with Feature Geometry Notebooks installed, or export a report, which carries the data inside.`,
    ),
  );
  return followTheme(root, () => undefined);
}

function drawView(view: ViewName, json: unknown, root: HTMLElement, env: OutputEnvironment): DrawnOutput {
  const mime = viewMime(view);
  const descriptor = asDescriptor(view, json);
  if (!descriptor) throw new Error(`expected the descriptor of a ${VIEWS[view].noun}, with id, meta and path`);
  const host = env.host(view, descriptor);
  if (VIEWS[view].bundle && !host.files)
    return { mime, ready: DRAWN, update: () => false, dispose: absent(view, descriptor, root) };
  const drawn = openView(view, root.appendChild(el('div')), descriptor, {
    ...host,
    ...{ compact: true, wheel: 'focused' },
    copyText: (text) => env.copyText(text),
    state: env.state?.(view, descriptor.id),
    onState: (state) => env.keepState?.(view, descriptor.id, state),
    openInPanel: env.openInPanel && ((state) => env.openInPanel?.(view, descriptor, state)),
  });
  return {
    mime,
    // Its height is that of its frame, whatever is drawn in it later.
    ready: DRAWN,
    // The id is the hash of the content: the same id is the same picture.
    update: (next) => isRecord(next) && next.id === descriptor.id,
    dispose: () => drawn.dispose(),
  };
}
