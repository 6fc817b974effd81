/**
 * Columns of whole numbers as bytes that deflate well: a JSON header, then every column as planes, first the low bytes of
 * all its values, then the next ones. Values are 0 to 2³² - 1; a column has as many planes as its largest needs.
 *
 *   u32 LE header length | JSON header { head, columns: [[name, length, width], ...] } | planes
 */
import { isRecord } from '../objects.js';
import type { JsonObject } from '../notebook.js';

// In every runtime this file runs in, but in no type library they share.
declare const TextDecoder: new () => { decode(bytes: Uint8Array): string };
declare const TextEncoder: new () => { encode(text: string): Uint8Array };

/** A list of whole numbers that grows. */
export class Numbers {
  private data = new Uint32Array(1024);
  length = 0;

  /** @throws RangeError unless it is a whole number, 0 to 2³² - 1 */
  push(value: number): void {
    if (value >>> 0 !== value) throw new RangeError(`${value} is no whole number of 32 bits`);
    if (this.length === this.data.length) {
      const more = new Uint32Array(2 * this.length);
      more.set(this.data);
      this.data = more;
    }
    this.data[this.length++] = value;
  }

  get values(): Uint32Array {
    return this.data.subarray(0, this.length);
  }
}

/** The bytes of little-endian values of `width` bytes each, low bytes first; `back`: the other way. */
export function planes(bytes: Uint8Array, width: number, back = false): Uint8Array {
  const n = bytes.length / width;
  const out = new Uint8Array(bytes.length);
  for (let p = 0; p < width; p++) {
    if (back) for (let i = 0; i < n; i++) out[i * width + p] = bytes[p * n + i];
    else for (let i = 0; i < n; i++) out[p * n + i] = bytes[i * width + p];
  }
  return out;
}

/** Columns as bytes, with what else the header says. */
export function encodeSections(head: JsonObject, columns: Readonly<Record<string, Uint32Array>>): Uint8Array {
  const parts = Object.entries(columns).map(([name, values]) => {
    let all = 0;
    for (const value of values) all |= value;
    const width = all === 0 ? 0 : Math.ceil((32 - Math.clz32(all)) / 8);
    const bytes = new Uint8Array(values.length * width);
    for (let p = 0; p < width; p++)
      for (let i = 0; i < values.length; i++) bytes[p * values.length + i] = values[i] >>> (8 * p);
    return { entry: [name, values.length, width] as [string, number, number], bytes };
  });
  const header = new TextEncoder().encode(JSON.stringify({ head, columns: parts.map(({ entry }) => entry) }));
  const out = new Uint8Array(4 + header.length + parts.reduce((sum, { bytes }) => sum + bytes.length, 0));
  new DataView(out.buffer).setUint32(0, header.length, true);
  out.set(header, 4);
  let at = 4 + header.length;
  for (const { bytes } of parts) {
    out.set(bytes, at);
    at += bytes.length;
  }
  return out;
}

export interface Sections {
  head: Record<string, unknown>;
  /** The values of a column. @throws Error where there is none of this name */
  column(name: string): Uint32Array;
}

/** Reads what encodeSections wrote. @throws Error that names `where` for anything else */
export function decodeSections(bytes: Uint8Array, where: string): Sections {
  const damaged = (): Error => new Error(`${where} is damaged: export the page again.`);
  if (bytes.length < 4) throw damaged();
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (4 + length > bytes.length) throw damaged();
  const header: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  if (!isRecord(header) || !isRecord(header.head) || !Array.isArray(header.columns)) throw damaged();
  const columns = new Map<string, Uint32Array>();
  let at = 4 + length;
  for (const entry of header.columns as unknown[]) {
    if (!Array.isArray(entry)) throw damaged();
    const [name, n, width] = entry as [unknown, unknown, unknown];
    const fits = Number.isSafeInteger(n) && (n as number) >= 0 && [0, 1, 2, 3, 4].includes(width as number);
    if (typeof name !== 'string' || !fits || at + (n as number) * (width as number) > bytes.length) throw damaged();
    // A column of zeros takes no bytes: its length is bounded by that of others.
    if ((n as number) > 2 ** 28) throw damaged();
    columns.set(name, fromPlanes(bytes.subarray(at, (at += (n as number) * (width as number))), n as number));
  }
  return {
    head: header.head,
    column: (name) => {
      const values = columns.get(name);
      if (!values) throw new Error(`${where} has no column ${name}: export the page again.`);
      return values;
    },
  };
}

function fromPlanes(bytes: Uint8Array, n: number): Uint32Array {
  const values = new Uint32Array(n);
  for (let p = 0; p * n < bytes.length; p++) for (let i = 0; i < n; i++) values[i] |= bytes[p * n + i] << (8 * p);
  return values;
}

/** Signed numbers as unsigned ones, small ones small. */
export const zigzag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value);
export const unzigzag = (code: number): number => (code % 2 === 1 ? -(code + 1) / 2 : code / 2);
