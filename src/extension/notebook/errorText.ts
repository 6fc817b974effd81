/**
 * The text of an error as its cell shows it. Frames in cells are written "Cell In[3], line 2", the form that VS Code
 * turns into a link to the line of the cell with that execution number, followed by the line itself. Pure.
 */
import type { StackLine } from '../../protocol/kernel.js';

export interface CellPlace {
  /** 1-based position in the notebook. */
  position: number;
  order?: number;
  lines: string[];
}

const MAX_FRAMES = 12;

function frameText(frame: StackLine, place: CellPlace | undefined): string[] {
  const name = frame.fn ? [`in ${frame.fn}`] : [];
  if (!place) return [...name, `    at ${frame.file ?? 'an unknown place'}:${frame.line}:${frame.column}`];
  const where =
    place.order === undefined
      ? `Cell ${place.position}, line ${frame.line}`
      : `Cell In[${place.order}], line ${frame.line}`;
  const number = String(frame.line);
  const code = place.lines[frame.line - 1];
  if (code === undefined) return [...name, where];
  const lead = `----> ${number} `;
  const caret = ' '.repeat(lead.length + Math.max(0, Math.min(frame.column, code.length + 1) - 1)) + '^';
  return [...name, where, lead + code, caret];
}

/** The text; frames beyond the limit are counted. `placeOf` gives where a cell is now; undefined when it is gone. */
export function errorText(
  error: { name: string; message: string; stack: readonly StackLine[] },
  placeOf: (cellId: string) => CellPlace | undefined,
): string {
  const head = error.name && error.message ? `${error.name}: ${error.message}` : error.name || error.message;
  const frames = error.stack.slice(0, MAX_FRAMES);
  const text = frames.map((frame) =>
    frameText(frame, frame.cellId === undefined ? undefined : placeOf(frame.cellId)).join('\n'),
  );
  const more = error.stack.length - frames.length;
  return [head, ...text, ...(more > 0 ? [`(${more} more frames)`] : [])].join('\n\n');
}
