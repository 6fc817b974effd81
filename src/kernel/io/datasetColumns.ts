/** The columns of a file of texts, and the number of rows where the file states it, from the head of the file. */
import { extname } from 'node:path';
import { openData, parseJson } from './files.js';
import { metadataOf, topColumns } from './texts.js';

export interface DatasetColumns {
  /** null where the file would have to be read whole to know. */
  rows: number | null;
  columns: Array<{ name: string; type: string }>;
}

/** The first row of a .jsonl file must end within this many bytes. */
const HEAD_BYTES = 1 << 20;

/** @throws when the file is damaged or of another kind */
export async function datasetColumns(path: string): Promise<DatasetColumns> {
  switch (extname(path)) {
    case '.parquet': {
      const metadata = await metadataOf(path);
      const columns = topColumns(metadata).map(({ name, text, list }) => ({
        name,
        type: text ? 'text' : list ? 'list' : 'other',
      }));
      return { rows: Number(metadata.num_rows), columns };
    }
    case '.jsonl':
    case '.ndjson':
      return { rows: null, columns: columnsOfRow(await firstRow(path)) };
    case '.json':
      return { rows: null, columns: [] };
    case '.txt':
      return { rows: null, columns: [{ name: 'text', type: 'text' }] };
    default:
      throw new Error(`${path}: texts are read from .txt, .jsonl, .json and .parquet files`);
  }
}

async function firstRow(path: string): Promise<unknown> {
  const handle = await openData(path);
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    const { bytesRead } = await handle.read(head, 0, HEAD_BYTES, 0);
    const { size } = await handle.stat();
    const text = head
      .toString('utf8', 0, bytesRead)
      .replace(/^\ufeff/, '')
      .trimStart();
    const end = text.indexOf('\n');
    if (end < 0 && bytesRead < size) throw new Error(`${path}: its first line has more than ${HEAD_BYTES} bytes`);
    return parseJson(end < 0 ? text : text.slice(0, end), `${path}: line 1`);
  } finally {
    await handle.close();
  }
}

function columnsOfRow(row: unknown): DatasetColumns['columns'] {
  if (typeof row === 'string') return [{ name: 'text', type: 'text' }];
  if (typeof row !== 'object' || row === null || Array.isArray(row)) return [];
  const kind = (value: unknown): string =>
    typeof value === 'string' ? 'text' : Array.isArray(value) ? 'list' : value === null ? 'null' : typeof value;
  return Object.entries(row).map(([name, value]) => ({ name, type: kind(value) }));
}
