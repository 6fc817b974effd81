/** What outputs that only our renderer draws look like elsewhere: HTML for tables and texts, SVG for charts and graphs. */
import fs from 'node:fs';
import path from 'node:path';
import { COLUMNS_FILE, decodeColumns, type BundleRef } from '../../protocol/bundle.js';
import type { ComparisonDescriptor, FeatureCards, TableDescriptor } from '../../protocol/display.js';
import { GRAPH_BUNDLE, type GraphMeta } from '../../protocol/graph.js';
import { MIME } from '../../protocol/mime.js';
import type { CellOutput, JsonObject, NotebookFile, OutputItem } from '../../protocol/notebook.js';
import { decodeSafetensors } from '../../protocol/safetensors.js';
import { escapeHtml } from '../../protocol/webview.js';
import { bundleMeta, bundlePlace } from '../session/report.js';
import { ChartPictures } from './charts.js';
import { graphSvg } from './graphSvg.js';
import { comparisonHtml, featuresHtml, tableHtml } from './html.js';
import type { Notes } from './notes.js';
import type { Fallbacks } from './toJupyter.js';
import { fromPlainJson, isJsonObject } from '../../protocol/objects.js';

/** Columns of a graph that can be drawn small. */
const MAX_COLUMNS_BYTES = 256 * 2 ** 20;
const HTML = 'text/html';
const SVG = 'image/svg+xml';

/** The picture of a graph from its bundle beside the notebook. */
function graphPicture(descriptor: JsonObject, notebookFolder: string): string {
  const bundle = fromPlainJson<BundleRef>(descriptor);
  const { sets } = bundleMeta(bundle, GRAPH_BUNDLE, notebookFolder) as GraphMeta;
  const file = bundlePlace(notebookFolder, bundle.path, COLUMNS_FILE);
  const { size } = fs.statSync(file);
  if (size > MAX_COLUMNS_BYTES)
    throw new Error(`${COLUMNS_FILE} has ${size} bytes, over the limit of ${MAX_COLUMNS_BYTES}`);
  const where = path.join(bundle.path, COLUMNS_FILE);
  const { tensors } = decodeSafetensors(fs.readFileSync(file), where);
  return graphSvg(
    sets,
    sets.map((set, s) => decodeColumns(GRAPH_BUNDLE, set, s, tensors, where)),
  );
}

/** How one item looks elsewhere, by mime; nothing where the output says so itself by one of `unless`. */
interface Stand {
  unless: readonly string[];
  make(json: JsonObject): Looks | Promise<Looks>;
}
type Looks = ReadonlyMap<string, string>;

/**
 * An SVG picture, and HTML of it as an image: what turns notebooks into pages takes SVG apart for fear of scripts, which images
 * do not run.
 */
function pictured(svg: string, title: unknown): Looks {
  const image = `<img alt="${escapeHtml(typeof title === 'string' ? title : 'Chart')}" src="data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}">`;
  return new Map([
    [SVG, svg],
    [HTML, image],
  ]);
}

function stands(notebookFolder: string, charts: ChartPictures): ReadonlyMap<string, Stand> {
  const html = (make: (json: JsonObject) => string): Stand => ({
    unless: [HTML],
    make: (json) => new Map([[HTML, make(json)]]),
  });
  const unless = [SVG, HTML, MIME.png, 'image/jpeg'];
  return new Map([
    [MIME.table, html((json) => tableHtml(fromPlainJson<TableDescriptor>(json)))],
    [MIME.features, html((json) => featuresHtml(fromPlainJson<FeatureCards>(json)))],
    [MIME.comparison, html((json) => comparisonHtml(fromPlainJson<ComparisonDescriptor>(json)))],
    [MIME.graph, { unless, make: (json) => pictured(graphPicture(json, notebookFolder), 'Mapper graph') }],
    [
      MIME.chart,
      { unless, make: async ({ spec, title }) => pictured(await charts.svg(isJsonObject(spec) ? spec : {}), title) },
    ],
  ]);
}

/** Makes what outputs look like elsewhere, one after the other. */
export class OutputLooks {
  private readonly charts = new ChartPictures();
  private readonly known: ReadonlyMap<string, Stand>;

  /** @param notebookFolder folder that bundles' paths start from; no file outside of it is read. */
  constructor(notebookFolder: string) {
    this.known = stands(notebookFolder, this.charts);
  }

  /** Undefined for an output that others can draw. @throws Error when it cannot be drawn. */
  async of({ items }: CellOutput): Promise<Looks | undefined> {
    const item = items.find(({ mime, json }: OutputItem) => this.known.has(mime) && isJsonObject(json));
    const stand = item && this.known.get(item.mime);
    if (!stand || items.some(({ mime }) => stand.unless.includes(mime))) return undefined;
    return stand.make(item.json as JsonObject);
  }

  close(): Promise<void> {
    return this.charts.close();
  }
}

/**
 * Fallbacks for the outputs of a notebook; what cannot be made is in the notes, and the output keeps its plain text.
 * @param notebookFolder folder that bundles' paths start from; no file outside of it is read.
 */
export async function fallbacksOf(notebook: NotebookFile, notebookFolder: string, notes: Notes): Promise<Fallbacks> {
  const drawn = new OutputLooks(notebookFolder);
  const found = new Map<CellOutput, ReadonlyMap<string, string>>();
  try {
    for (const [index, cell] of notebook.cells.entries())
      for (const output of cell.outputs ?? []) {
        try {
          const looks = await drawn.of(output);
          if (looks) found.set(output, looks);
        } catch (error) {
          const reason = (error instanceof Error ? error.message : String(error)).slice(0, 200);
          notes.add(`an output is text alone for other viewers: ${reason}`, index);
        }
      }
  } finally {
    await drawn.close();
  }
  return found;
}
