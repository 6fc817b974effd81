/** Draws one output of any of our mime types; used by the notebook renderer and by the exported report. */
import type { ChartDescriptor, ComparisonDescriptor, FeatureCards, TableDescriptor } from '../../protocol/display.js';
import type { GraphDescriptor, GraphSource } from '../../protocol/graph.js';
import type { Progress } from '../../protocol/kernel.js';
import type { LabDescriptor } from '../../protocol/lab.js';
import type { LinkChannel } from '../../protocol/link.js';
import type { MapDescriptor, MapSource } from '../../protocol/map.js';
import { MIME } from '../../protocol/mime.js';
import type { JsonObject } from '../../protocol/notebook.js';
import { CHART_CSS, drawChart } from '../charts/chart.js';
import type { LabSource } from '../lab/source.js';
import { createLabView } from '../lab/view.js';
import { createMapView } from '../map/view.js';
import { createGraphView } from '../mapper/view.js';
import { el } from '../ui/dom.js';
import { EXAMPLE_CSS } from '../ui/examples.js';
import { messageOf } from '../ui/message.js';
import { isObject } from '../ui/rpc.js';
import { adoptStyles, followTheme } from '../ui/theme.js';
import { COMPARISON_CSS, renderComparison } from './comparison.js';
import { FEATURES_CSS, renderFeatures } from './features.js';
import { PROGRESS_CSS, ProgressBar } from './progress.js';
import { renderTable, TABLE_CSS } from './table.js';

export interface OutputEnvironment {
  /** Data of a map; null where there is none (no host, no sidecar in the page). */
  mapSource(map: MapDescriptor): MapSource | null;
  openInPanel?(map: MapDescriptor, state: JsonObject): void;
  copyText(text: string): Promise<void>;
  /** State of a map view kept across renderings, by map id. */
  mapState?(id: string): JsonObject | undefined;
  keepMapState?(id: string, state: JsonObject): void;
  /** Data of a Mapper graph; null where there is none. */
  graphSource(graph: GraphDescriptor): GraphSource | null;
  openGraphInPanel?(graph: GraphDescriptor, state: JsonObject): void;
  graphState?(id: string): JsonObject | undefined;
  keepGraphState?(id: string, state: JsonObject): void;
  /** Whom an interventions panel asks; null where there is nobody. */
  labSource?(lab: LabDescriptor): LabSource | null;
  openLabInPanel?(lab: LabDescriptor, state: JsonObject): void;
  saveLabPage?(lab: LabDescriptor): Promise<string | null>;
  labState?(id: string): JsonObject | undefined;
  keepLabState?(id: string, state: JsonObject): void;
  /** Saves an export; resolves with its path, or null when cancelled. Absent: the page downloads it. */
  saveFile?(file: { name: string; text?: string; base64?: string }): Promise<string | null>;
  /** Saves a page of its own with this graph. */
  saveGraphPage?(graph: GraphDescriptor): Promise<string | null>;
  /** Exchanges selections between the views of the notebook. */
  link?: LinkChannel;
  /** Draw maps and graphs without WebGL. */
  canvas?: 'auto' | '2d';
}

export interface DrawnOutput {
  mime: string;
  /** Takes new data in place; false when it has to be drawn anew. */
  update(json: unknown): boolean;
  dispose(): void;
}

const STYLES = [EXAMPLE_CSS, CHART_CSS, TABLE_CSS, FEATURES_CSS, COMPARISON_CSS, PROGRESS_CSS];

/** Mime types that renderOutput draws. */
export const DRAWN: readonly string[] = [
  MIME.map,
  MIME.graph,
  MIME.lab,
  MIME.chart,
  MIME.table,
  MIME.features,
  MIME.comparison,
  MIME.progress,
];

/** Draws `json` into `root`. Bad data is said in place, never thrown. */
export function renderOutput(mime: string, json: unknown, root: HTMLElement, env: OutputEnvironment): DrawnOutput {
  adoptStyles(root, ...STYLES);
  try {
    if (!isObject(json)) throw new Error(`expected a JSON object, got ${json === null ? 'null' : typeof json}`);
    if (mime !== MIME.progress && json.version !== 1)
      throw new Error(`version ${String(json.version)} is not known here; update the extension`);
    return draw(mime, json, root, env);
  } catch (error) {
    const stop = followTheme(root, () => undefined);
    root.append(el('p', { class: 'fg-none' }, `This output could not be drawn: ${messageOf(error)}`));
    return { mime, update: () => false, dispose: stop };
  }
}

function draw(mime: string, json: unknown, root: HTMLElement, env: OutputEnvironment): DrawnOutput {
  if (mime === MIME.map) return drawMap(json as MapDescriptor, root, env);
  if (mime === MIME.graph) return drawGraph(json as GraphDescriptor, root, env);
  if (mime === MIME.lab) return drawLab(json as unknown as LabDescriptor, root, env);
  const still = (node: HTMLElement): DrawnOutput => {
    root.append(node);
    return { mime, update: () => false, dispose: followTheme(root, () => undefined) };
  };
  switch (mime) {
    case MIME.table:
      return still(renderTable(json as TableDescriptor, (text) => env.copyText(text)));
    case MIME.features:
      return still(renderFeatures(json as FeatureCards));
    case MIME.comparison:
      return still(renderComparison(json as ComparisonDescriptor));
    case MIME.chart: {
      const stop = followTheme(root, () => chart.redraw());
      const chart = drawChart(root, root, json as ChartDescriptor);
      return {
        mime,
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
function absent(mime: string, what: string, bundle: MapDescriptor | GraphDescriptor, root: HTMLElement): DrawnOutput {
  const stop = followTheme(root, () => undefined);
  root.append(
    el('p', { class: 'fg-title' }, bundle.meta.title),
    el(
      'p',
      { class: 'fg-none' },
      `The data of this ${what} is not here: it lies in ${bundle.path} beside the notebook. Open the notebook with Feature Geometry Notebooks installed, or export a report, which carries the data inside.`,
    ),
  );
  return { mime, update: () => false, dispose: stop };
}

function drawMap(map: MapDescriptor, root: HTMLElement, env: OutputEnvironment): DrawnOutput {
  const source = env.mapSource(map);
  if (!source) return absent(MIME.map, 'feature map', map, root);
  const host = root.appendChild(el('div'));
  const { openInPanel } = env;
  const view = createMapView(host, source, {
    compact: true,
    wheel: 'focused',
    canvas: env.canvas,
    link: env.link,
    state: env.mapState?.(map.id),
    onState: (state) => env.keepMapState?.(map.id, state),
    openInPanel: openInPanel && ((state) => openInPanel.call(env, map, state)),
  });
  return {
    mime: MIME.map,
    // The id is the hash of the content: the same id is the same map.
    update: (next) => isObject(next) && next.id === map.id,
    dispose: () => view.dispose(),
  };
}

function drawGraph(graph: GraphDescriptor, root: HTMLElement, env: OutputEnvironment): DrawnOutput {
  const source = env.graphSource(graph);
  if (!source) return absent(MIME.graph, 'Mapper graph', graph, root);
  const host = root.appendChild(el('div'));
  const { openGraphInPanel, saveGraphPage } = env;
  const view = createGraphView(host, source, {
    compact: true,
    wheel: 'focused',
    canvas: env.canvas,
    link: env.link,
    state: env.graphState?.(graph.id),
    onState: (state) => env.keepGraphState?.(graph.id, state),
    openInPanel: openGraphInPanel && ((state) => openGraphInPanel.call(env, graph, state)),
    saveFile: env.saveFile?.bind(env),
    saveGraphPage: saveGraphPage && (() => saveGraphPage.call(env, graph)),
  });
  return {
    mime: MIME.graph,
    update: (next) => isObject(next) && next.id === graph.id,
    dispose: () => view.dispose(),
  };
}

function drawLab(lab: LabDescriptor, root: HTMLElement, env: OutputEnvironment): DrawnOutput {
  const host = root.appendChild(el('div'));
  const { openLabInPanel } = env;
  const view = createLabView(host, lab, env.labSource?.(lab) ?? null, {
    compact: true,
    link: env.link,
    state: env.labState?.(lab.id),
    onState: (state) => env.keepLabState?.(lab.id, state),
    openInPanel: openLabInPanel && ((state) => openLabInPanel.call(env, lab, state)),
    copyText: (text) => env.copyText(text),
    saveFile: env.saveFile?.bind(env),
    savePage: env.saveLabPage?.bind(env),
  });
  return {
    mime: MIME.lab,
    update: (next) => isObject(next) && next.id === lab.id,
    dispose: () => view.dispose(),
  };
}
