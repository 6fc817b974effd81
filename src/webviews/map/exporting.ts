/** What of a map leaves the window: the picture as it is seen, the table as it is sorted and filtered, JSON, a page. */
import { messageOf } from '../ui/message.js';
import type { TableDescriptor } from '../../protocol/display.js';
import { TABLE_FORMATS } from '../../protocol/tableFiles.js';
import { PICTURES, pictureFile, type PictureKind } from '../plot/pictureFiles.js';
import { base64 } from '../ui/picture.js';
import { download, fileName } from '../ui/save.js';
import type { ViewHost } from '../ui/view.js';
import type { Choice } from '../ui/toolkit.js';
import { mapPicture, type MapFigure } from './figure.js';
import type { MapModel } from './model.js';
import { referenceOf } from './reference.js';

type TableFormat = keyof typeof TABLE_FORMATS;
export type ExportKind = PictureKind | TableFormat | 'json' | 'html';

const TABLES: Record<TableFormat, string> = {
  csv: 'Table (CSV)',
  tsv: 'Table (TSV)',
  tex: 'Table (LaTeX)',
  parquet: 'Table (Parquet)',
};

/** What this map can be exported as. `page`: whether a page of its own can be saved. */
export function exportChoices({ twin, meta }: MapModel, page: boolean): Choice[] {
  return [
    ...PICTURES,
    ...Object.entries(TABLES).map(([value, label]) => ({ value, label })),
    ...(twin && !meta.shift ? [{ value: 'json', label: 'Map (JSON)' }] : []),
    ...(page ? [{ value: 'html', label: 'Page (HTML)' }] : []),
  ];
}

export interface ExportJob {
  model: MapModel;
  figure(): MapFigure;
  table(): TableDescriptor;
  host: Pick<ViewHost, 'saveFile'> & { savePage?(): Promise<string | null> };
}

/** Where it was saved, or null when the reader cancelled. */
async function exportMap(kind: ExportKind, { model, figure, table, host }: ExportJob): Promise<string | null> {
  const save = host.saveFile?.bind(host) ?? download;
  const name = (extension: string): string => fileName(model.meta.title, extension);
  switch (kind) {
    case 'json':
      return save({ name: name('json'), text: JSON.stringify(referenceOf(model)) });
    case 'html':
      return host.savePage?.() ?? null;
    case 'parquet':
      return save({ name: name('parquet'), base64: base64(TABLE_FORMATS.parquet(table())) });
    case 'csv':
    case 'tsv':
    case 'tex':
      return save({ name: name(kind), text: TABLE_FORMATS[kind](table()) });
    default:
      return save(await pictureFile(kind, mapPicture(figure())));
  }
}

/** Exports, and says in words what came of it. */
export async function exported(...of: Parameters<typeof exportMap>): Promise<{ text: string; failed: boolean }> {
  try {
    const path = await exportMap(...of);
    return { text: path === null ? 'Nothing was saved' : `Saved ${path}`, failed: false };
  } catch (error) {
    return { text: `The export failed: ${messageOf(error)}`, failed: true };
  }
}
