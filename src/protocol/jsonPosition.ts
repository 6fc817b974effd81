/** Finds where in a JSON text something is, so that a message about a broken file can name the line. */

/** A step into a value: a key of an object or an index of an array. */
export type JsonPath = ReadonlyArray<string | number>;

const SPACE = /[ \t\r\n]*/y;
const STRING = /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const NUMBER_OR_WORD = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

class Found {
  constructor(readonly offset: number) {}
}

class Scanner {
  at = 0;
  constructor(
    readonly text: string,
    readonly wanted: JsonPath | undefined,
  ) {}

  /** Moves past `pattern`, or ends the scan here: this is where the text stops being JSON. */
  take(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text);
    if (!match) throw new Found(this.at);
    this.at += match[0].length;
    return match[0];
  }

  punctuation(allowed: string): string {
    this.take(SPACE);
    const char = this.text[this.at];
    if (char === undefined || !allowed.includes(char)) throw new Found(this.at);
    this.at++;
    return char;
  }

  peek(): string | undefined {
    this.take(SPACE);
    return this.text[this.at];
  }

  /** Walks one value; `depth` counts how much of the wanted path led here, -1 when off the path. */
  value(depth: number): void {
    const first = this.peek();
    if (this.wanted && depth === this.wanted.length) throw new Found(this.at);
    if (first === '{') this.object(depth);
    else if (first === '[') this.array(depth);
    else if (first === '"') this.take(STRING);
    else this.take(NUMBER_OR_WORD);
  }

  step(depth: number, key: string | number): number {
    return depth >= 0 && this.wanted?.[depth] === key ? depth + 1 : -1;
  }

  object(depth: number): void {
    this.at++;
    if (this.peek() === '}') return void this.at++;
    do {
      this.peek();
      const key = JSON.parse(this.take(STRING)) as string;
      this.punctuation(':');
      this.value(this.step(depth, key));
    } while (this.punctuation(',}') === ',');
  }

  array(depth: number): void {
    this.at++;
    if (this.peek() === ']') return void this.at++;
    let index = 0;
    do this.value(this.step(depth, index++));
    while (this.punctuation(',]') === ',');
  }
}

function scan(text: string, wanted: JsonPath | undefined): number | undefined {
  const scanner = new Scanner(text, wanted);
  try {
    scanner.value(0);
    return scanner.peek() === undefined ? undefined : scanner.at;
  } catch (error) {
    if (error instanceof Found) return error.offset;
    // Nesting deeper than the stack: the place stays unknown.
    return undefined;
  }
}

/** 1-based line of an offset. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let i = text.indexOf('\n'); i >= 0 && i < offset; i = text.indexOf('\n', i + 1)) line++;
  return line;
}

/** Offset at which `text` stops being JSON; undefined when it is JSON. */
export function jsonErrorOffset(text: string): number | undefined {
  return scan(text, undefined);
}

/** 1-based line of the value at `path` in valid JSON; undefined when there is none. */
export function lineOfPath(text: string, path: JsonPath): number | undefined {
  for (let length = path.length; length >= 0; length--) {
    const offset = scan(text, path.slice(0, length));
    if (offset !== undefined) return lineAt(text, offset);
  }
  return undefined;
}
