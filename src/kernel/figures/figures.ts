/** The figures and tables of a notebook's outputs, and the files that they become. */
import fs from 'node:fs';
import path from 'node:path';
import { COLUMNS_FILE, decodeColumns, type BundleRef } from '../../protocol/bundle.js';
import type { TableDescriptor } from '../../protocol/display.js';
import { GRAPH_BUNDLE, type GraphMeta } from '../../protocol/graph.js';
import { MIME } from '../../protocol/mime.js';
import type { JsonObject, NotebookFile, OutputItem } from '../../protocol/notebook.js';
import { fromPlainJson, isJsonObject } from '../../protocol/objects.js';
import { decodeSafetensors } from '../../protocol/safetensors.js';
import { bundleMeta, bundlePlace } from '../io/bundlePlace.js';
import { graphSvg } from './graphSvg.js';
import type { Pictures } from './pictures.js';
import { TABLE_FORMATS } from '../../protocol/tableFiles.js';

/** Columns of a graph that can be drawn small. */
const MAX_COLUMNS_BYTES = 256 * 2 ** 20;

const KINDS = { [MIME.map]: 'map', [MIME.graph]: 'graph', [MIME.chart]: 'chart', [MIME.table]: 'table' } as const;
type Kind = (typeof KINDS)[keyof typeof KINDS];

export const PICTURE_FORMATS = ['svg', 'png'] as const;
export const FORMATS = [...PICTURE_FORMATS, ...(Object.keys(TABLE_FORMATS) as Array<keyof typeof TABLE_FORMATS>)];
export type Format = (typeof FORMATS)[number];

/** Whether it is the name of a format of figures. */
export const isFormat = (name: string): name is Format => FORMATS.some((format) => format === name);

/** Formats of a figure of this kind. */
const formatsOf = (kind: Kind): readonly Format[] =>
  kind === 'table' ? FORMATS.filter((format) => format in TABLE_FORMATS) : PICTURE_FORMATS;

/** An output that can become a file. */
export interface Figure {
  /** 1 for the notebook's first. */
  number: number;
  kind: Kind;
  title: string;
  /** Identity of the bundle of a map or graph. */
  id?: string;
  json: JsonObject;
}

function titleOf(json: JsonObject): string {
  const meta = isJsonObject(json.meta) ? json.meta : {};
  const title = json.title ?? meta.title;
  return typeof title === 'string' ? title : '';
}

/** What of an output can become a file; undefined for the rest. */
export function figureOf(items: readonly OutputItem[], number = 1): Figure | undefined {
  const item = items.find(({ mime, json }) => Object.hasOwn(KINDS, mime) && isJsonObject(json));
  if (!item) return undefined;
  const json = item.json as JsonObject;
  const id = typeof json.id === 'string' ? { id: json.id } : {};
  return { number, kind: KINDS[item.mime], title: titleOf(json), ...id, json };
}

/** All of a notebook, in their order. */
export function figuresOf({ cells }: NotebookFile): Figure[] {
  const found: Figure[] = [];
  for (const { outputs } of cells)
    for (const { items } of outputs ?? []) {
      const figure = figureOf(items, found.length + 1);
      if (figure) found.push(figure);
    }
  return found;
}

const described = ({ number, kind, title, id }: Figure): string =>
  `${number}: ${kind}${title && ` "${title.slice(0, 80)}"`}${id ? ` (${id.slice(0, 8)})` : ''}`;

/** The figure of this number, id (or its first 8 digits or more) or title. @throws Error that lists what there are. */
export function findFigure(figures: readonly Figure[], wanted: string): Figure {
  const byId = (id = ''): boolean => id === wanted || (wanted.length >= 8 && id.startsWith(wanted));
  const found = figures.filter(({ number, id, title }) => String(number) === wanted || byId(id) || title === wanted);
  // One output shown twice is one figure.
  if (found.length > 0 && found.every(({ id }) => id !== undefined && id === found[0].id)) return found[0];
  if (found.length === 1) return found[0];
  const all = (found.length > 1 ? found : figures).map((figure) => `  ${described(figure)}`).join('\n');
  if (figures.length === 0) throw new Error('the notebook shows no map, graph, chart or table; run it first');
  throw new Error(
    `${found.length > 1 ? `several figures are called` : 'there is no figure'} ${wanted}; there are\n${all}`,
  );
}

/** The picture of a graph from its bundle beside the notebook. */
export function graphPicture(descriptor: JsonObject, notebookFolder: string): string {
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

function requireBundle(json: JsonObject, notebookFolder: string): void {
  const folder = typeof json.path === 'string' ? json.path : '';
  if (folder === '' || !fs.existsSync(path.join(notebookFolder, folder)))
    throw new Error(`its data, ${folder || 'a bundle'}, is not beside the notebook; run its cell again`);
}

async function svgOf({ kind, json }: Figure, notebookFolder: string, pictures: Pictures): Promise<string> {
  if (kind !== 'chart') requireBundle(json, notebookFolder);
  if (kind === 'graph') return graphPicture(json, notebookFolder);
  if (kind === 'map') return pictures.view('map', fromPlainJson<BundleRef>(json), notebookFolder);
  return pictures.chart(isJsonObject(json.spec) ? json.spec : {});
}

/** Pixels of a PNG per unit of the SVG. @throws RangeError */
export function checkScale(scale: number): number {
  if (!(scale >= 1 && scale <= 4)) throw new RangeError(`scale is ${scale}; expected a number from 1 to 4`);
  return scale;
}

/**
 * A figure as the content of a file.
 * @param notebookFolder folder that bundles' paths start from; no file outside of it is read.
 * @param scale pixels of a PNG per unit of the SVG, 1 to 4.
 * @throws Error in words when the figure has no such format, or cannot be drawn.
 */
export async function figureFile(
  figure: Figure,
  format: Format,
  { notebookFolder, pictures, scale = 2 }: { notebookFolder: string; pictures: Pictures; scale?: number },
): Promise<string | Uint8Array> {
  const known = formatsOf(figure.kind);
  if (!known.includes(format)) throw new Error(`a ${figure.kind} becomes ${known.join(', ')}, not ${format}`);
  if (figure.kind === 'table')
    return TABLE_FORMATS[format as keyof typeof TABLE_FORMATS](fromPlainJson<TableDescriptor>(figure.json));
  const svg = await svgOf(figure, notebookFolder, pictures);
  return format === 'png' ? pictures.png(svg, checkScale(scale)) : svg;
}
