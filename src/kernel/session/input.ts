/** A cell has no input: reading process.stdin throws at once instead of waiting for ever. */
import { Readable } from 'node:stream';

/** Events whose listeners start the flow of a stream. */
const READING = new Set(['data', 'readable', 'keypress']);
const METHODS = ['on', 'once', 'addListener', 'prependListener', 'prependOnceListener'] as const;

function refuse(): never {
  throw new Error(
    'A cell has no input: nobody can type into process.stdin. Write the value into the cell (const name = …), read it from a file, or pass it as a parameter: fgnb run NOTEBOOK --param name=value gives params.name.',
  );
}

function emptyInput(): Readable {
  const input = new Readable({ read: refuse });
  for (const name of METHODS) {
    const original = input[name].bind(input) as (event: string, listener: (...args: unknown[]) => void) => Readable;
    input[name] = ((event: string, listener: (...args: unknown[]) => void) =>
      READING.has(event) ? refuse() : original(event, listener)) as Readable['on'];
  }
  const own = { resume: refuse, read: refuse, pipe: refuse, setRawMode: refuse, [Symbol.asyncIterator]: refuse };
  return Object.assign(input, own, { fd: 0, isTTY: false });
}

/** Replaces process.stdin by an input that refuses to be read. @returns how to undo it. */
export function withoutInput(): () => void {
  const before = Object.getOwnPropertyDescriptor(process, 'stdin');
  const input = emptyInput();
  Object.defineProperty(process, 'stdin', { configurable: true, enumerable: true, get: () => input });
  return () => {
    if (before) Object.defineProperty(process, 'stdin', before);
    else Reflect.deleteProperty(process, 'stdin');
  };
}
