/** What outputs that only our renderer draws look like elsewhere: HTML for tables and texts, PNG for charts, maps and graphs. */
import type { BundleRef } from '../../protocol/bundle.js';
import type { ComparisonDescriptor, FeatureCards, TableDescriptor } from '../../protocol/display.js';
import { MIME } from '../../protocol/mime.js';
import type { CellOutput, JsonObject, NotebookFile, OutputItem } from '../../protocol/notebook.js';
import { Pictures } from '../figures/pictures.js';
import { graphPicture } from '../figures/figures.js';
import { comparisonHtml, featuresHtml, tableHtml } from './html.js';
import type { Notes } from './notes.js';
import type { Fallbacks } from './toJupyter.js';
import { fromPlainJson, isJsonObject } from '../../protocol/objects.js';

const HTML = 'text/html';
const SVG = 'image/svg+xml';

/** How one item looks elsewhere, by mime; nothing where the output says so itself by one of `unless`. */
interface Stand {
  unless: readonly string[];
  make(json: JsonObject): Looks | Promise<Looks>;
}
type Looks = ReadonlyMap<string, string>;

/** Pixels of a picture per unit: sharp on dense screens, and not too wide for a page. */
const PICTURE_SCALE = 1.5;

function stands(notebookFolder: string, pictures: Pictures): ReadonlyMap<string, Stand> {
  const html = (make: (json: JsonObject) => string): Stand => ({
    unless: [HTML],
    make: (json) => new Map([[HTML, make(json)]]),
  });
  // PNG alone: GitHub, JupyterLab, nbconvert and others all show it, and take SVG or HTML with images apart.
  const picture = (unless: readonly string[], svg: (json: JsonObject) => string | Promise<string>): Stand => ({
    unless,
    make: async (json) => {
      const png = await pictures.png(await svg(json), PICTURE_SCALE);
      return new Map([[MIME.png, png.toString('base64')]]);
    },
  });
  const drawn = [SVG, HTML, MIME.png, 'image/jpeg'];
  return new Map([
    [MIME.table, html((json) => tableHtml(fromPlainJson<TableDescriptor>(json)))],
    [MIME.features, html((json) => featuresHtml(fromPlainJson<FeatureCards>(json)))],
    [MIME.comparison, html((json) => comparisonHtml(fromPlainJson<ComparisonDescriptor>(json)))],
    [MIME.map, picture([SVG, HTML], (json) => pictures.view('map', fromPlainJson<BundleRef>(json), notebookFolder))],
    [MIME.graph, picture(drawn, (json) => graphPicture(json, notebookFolder))],
    [MIME.chart, picture(drawn, ({ spec }) => pictures.chart(isJsonObject(spec) ? spec : {}))],
  ]);
}

/** Makes what outputs look like elsewhere, one after the other. */
export class OutputLooks {
  private readonly pictures = new Pictures();
  private readonly known: ReadonlyMap<string, Stand>;

  /** @param notebookFolder folder that bundles' paths start from; no file outside of it is read. */
  constructor(notebookFolder: string) {
    this.known = stands(notebookFolder, this.pictures);
  }

  /** Undefined for an output that others can draw. @throws Error when it cannot be drawn. */
  async of({ items }: CellOutput): Promise<Looks | undefined> {
    const item = items.find(({ mime, json }: OutputItem) => this.known.has(mime) && isJsonObject(json));
    const stand = item && this.known.get(item.mime);
    if (!stand || items.some(({ mime }) => stand.unless.includes(mime))) return undefined;
    return stand.make(item.json as JsonObject);
  }

  close(): Promise<void> {
    return this.pictures.close();
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
          const own = output.items.some(({ mime }) => mime === MIME.png) ? 'its small picture' : 'text';
          notes.add(`an output is ${own} alone for other viewers: ${reason}`, index);
        }
      }
  } finally {
    await drawn.close();
  }
  return found;
}
