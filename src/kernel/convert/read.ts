/** The text of an .ipynb as a notebook of ours: bounded before it is parsed, checked after. */
import { jsonErrorOffset, lineAt, lineOfPath } from '../../protocol/jsonPosition.js';
import type { NotebookFile } from '../../protocol/notebook.js';
import { NotebookFormatError, parseNotebook } from '../../protocol/notebookCodec.js';
import { withoutActive } from './aside.js';
import { fromJupyter, JupyterError, type Imported } from './fromJupyter.js';

/** Far above what people write, far below what JSON of deeper nesting does to a stack. */
const MAX_DEPTH = 200;
/** Values of all kinds: each takes some tens of bytes, of which the text may have only two. */
const MAX_VALUES = 10_000_000;
const QUOTE = 34;
const BACKSLASH = 92;

/** Counts brackets and commas outside of strings. @throws JupyterError for a text that would take too much. */
export function requireBounded(text: string): void {
  let [depth, values, inString] = [0, 0, false];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (inString) {
      if (code === BACKSLASH) at++;
      else if (code === QUOTE) inString = false;
      continue;
    }
    if (code === QUOTE) inString = true;
    else if (code === 0x5b || code === 0x7b) {
      if (++depth > MAX_DEPTH)
        throw new JupyterError(`line ${lineAt(text, at)}: it is nested more than ${MAX_DEPTH} deep; no notebook is`);
      values++;
    } else if (code === 0x5d || code === 0x7d) depth--;
    else if (code === 0x2c) values++;
    if (values > MAX_VALUES)
      throw new JupyterError(
        `it holds more than ${MAX_VALUES / 1e6} million values; clear large outputs and save it again`,
      );
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const offset = jsonErrorOffset(text);
    const line = lineAt(text, offset ?? text.length);
    const cut = offset === undefined || text.slice(offset).trim() === '';
    throw new JupyterError(
      `line ${line}: ${cut ? 'the text ends in the middle of the notebook (cut short?)' : 'the text is not valid JSON here'}`,
    );
  }
}

/** What our own memory in the file brings back goes through the checks of our own files. */
function checked(notebook: NotebookFile): NotebookFile {
  try {
    const file = parseNotebook(JSON.stringify(notebook));
    for (const cell of file.cells) if (cell.outputs) cell.outputs = cell.outputs.map(withoutActive);
    return file;
  } catch (error) {
    if (!(error instanceof NotebookFormatError)) throw error;
    throw new JupyterError(
      `what metadata.fgnb keeps is broken: ${error.what}. Remove the key "fgnb" from the metadata of that cell or output`,
    );
  }
}

/**
 * Reads an .ipynb.
 * @throws JupyterError in words, with the line where that is known.
 */
export function readJupyter(text: string): Imported {
  const json = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  requireBounded(json);
  const raw = parse(json);
  try {
    const { notebook, notes } = fromJupyter(raw);
    return { notebook: checked(notebook), notes };
  } catch (error) {
    if (!(error instanceof JupyterError) || error.path.length === 0) throw error;
    throw new JupyterError(`line ${lineOfPath(json, error.path) ?? '?'}: ${error.message}`);
  }
}
