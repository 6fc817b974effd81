/** Places in source texts, and the errors that carry one. */

/** Place in a text, both 1-based. */
export interface Place {
  line: number;
  column: number;
}

/** Wrong syntax at a place in the given source, 1-based. */
export class SourceSyntaxError extends SyntaxError {
  override name = 'SyntaxError';
  constructor(
    message: string,
    readonly line: number,
    readonly column: number,
  ) {
    super(message);
  }
}

/** Line and column (1-based) of an offset. */
export function placeAt(text: string, offset: number): Place {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  return { line, column: offset - (before.lastIndexOf('\n') + 1) + 1 };
}
