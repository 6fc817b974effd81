/** Notebooks from one file format to another, by the endings of the two files. */
import fs from 'node:fs';
import path from 'node:path';
import type { NotebookFile } from '../../protocol/notebook.js';
import { parseNotebook, serializeNotebook } from '../../protocol/notebookCodec.js';
import { VIEW_NAMES, viewMime, VIEWS } from '../../protocol/views.js';
import { messageOf, openData, readExactly, writeFileAtomic } from '../io/files.js';
import { bundlesOf } from '../session/report.js';
import { fallbacksOf } from './fallbacks.js';
import type { Imported } from './fromJupyter.js';
import { Notes } from './notes.js';
import { readJupyter } from './read.js';
import { fromScript, toScript } from './script.js';
import { serializeJupyter, toJupyter } from './toJupyter.js';

/** Of a notebook that is read: far above what editors open, far below the longest text of V8. */
export const MAX_NOTEBOOK_BYTES = 256 * 2 ** 20;

export const FORMATS = ['.fgnb', '.ipynb', '.ts'] as const;
type Format = (typeof FORMATS)[number];

/** @throws Error for another ending than those of notebooks. */
export function formatOf(file: string): Format {
  const ending = path.extname(file).toLowerCase();
  const format = FORMATS.find((each) => each === ending);
  if (!format) throw new Error(`${file}: expected a file that ends in ${FORMATS.join(', ')}, not in "${ending}"`);
  return format;
}

async function textOf(file: string): Promise<string> {
  const handle = await openData(file);
  try {
    const { size } = await handle.stat();
    if (size > MAX_NOTEBOOK_BYTES)
      throw new Error(
        `it has ${size} bytes, over the limit of ${MAX_NOTEBOOK_BYTES}; clear large outputs and save it again`,
      );
    return new TextDecoder().decode(await readExactly(handle, 0, size, file));
  } finally {
    await handle.close();
  }
}

const READERS: Record<Format, (text: string) => Imported> = {
  '.fgnb': (text) => ({ notebook: parseNotebook(text), notes: [] }),
  '.ipynb': readJupyter,
  '.ts': fromScript,
};

/** Reads a notebook, by the ending of its file. @throws Error with the file's name, when it cannot be read. */
export async function readNotebook(file: string): Promise<Imported> {
  const format = formatOf(file);
  try {
    return READERS[format](await textOf(file));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const message = messageOf(error);
    const why = code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'you may not read it' : message;
    throw new Error(why.startsWith(file) ? why : `${file}: ${why}`, { cause: error });
  }
}

/** Maps and graphs are files beside the notebook, which a notebook in another folder does not find. */
function noteBundles(notebook: NotebookFile, from: string, to: string, notes: Notes): void {
  if (path.resolve(from) === path.resolve(to)) return;
  const views = VIEW_NAMES.filter((view) => VIEWS[view].bundle);
  const paths = views.flatMap((view) => bundlesOf(notebook, viewMime(view)).map((bundle) => bundle.path));
  if (paths.length === 0) return;
  const named = [...new Set(paths)].slice(0, 5).join(', ');
  notes.add(
    `Maps and graphs live only where their data lies: copy ${named}${paths.length > 5 ? ', …' : ''} from ${from} to ${to}.`,
  );
}

async function written(
  notebook: NotebookFile,
  format: Format,
  folder: string,
  notes: Notes,
): Promise<{ text: string; notes: string[] }> {
  if (format === '.ts') return toScript(notebook);
  if (format === '.fgnb') return { text: serializeNotebook(notebook), notes: [] };
  return { text: serializeJupyter(toJupyter(notebook, await fallbacksOf(notebook, folder, notes))), notes: [] };
}

export interface ConvertOptions {
  /** Write over a file that is there. */
  overwrite?: boolean;
}

/**
 * Reads the notebook `input` and writes it as `output`; returns what changed or could not be carried, in words.
 * @throws Error with the file's name, when it cannot be read or written, or is there already.
 */
export async function convertNotebook(input: string, output: string, options: ConvertOptions = {}): Promise<string[]> {
  formatOf(input);
  const to = formatOf(output);
  if (path.resolve(input) === path.resolve(output)) throw new Error(`${input} and ${output} are the same file`);
  if (!options.overwrite && fs.existsSync(output))
    throw new Error(`${output} is there already; --force writes over it`);
  const read = await readNotebook(input);
  const notes = new Notes();
  const folders = [input, output].map((file) => path.dirname(path.resolve(file)));
  noteBundles(read.notebook, folders[0], folders[1], notes);
  const result = await written(read.notebook, to, folders[0], notes);
  fs.mkdirSync(folders[1], { recursive: true });
  await writeFileAtomic(path.resolve(output), result.text);
  return [...read.notes, ...notes.lines(), ...result.notes];
}
