/** Content hashes, from which the identities of models, tokens and artifacts are made. */
import { createHash } from 'node:crypto';

/** Node's hash takes at most 2 GiB at once. */
const PIECE_BYTES = 1 << 30;

/** A view that is never whole in memory: its pieces, in order, have `byteLength` bytes together. */
export interface InPieces {
  byteLength: number;
  pieces: Iterable<ArrayBufferView>;
}

/**
 * SHA-256 of a list of parts as 64 hex digits. Each part is preceded by its kind and byte length, so that different
 * splits give different hashes: ['ab', 'c'] and ['a', 'bc'] differ. (It is therefore not the plain SHA-256 of the
 * joined bytes.) Strings are hashed as UTF-8, views as the bytes they show, a view in pieces as the whole view.
 */
export function sha256(parts: ReadonlyArray<string | ArrayBufferView | InPieces>): string {
  const hash = createHash('sha256');
  for (const part of parts) {
    if (typeof part === 'string') {
      hash.update(`s${Buffer.byteLength(part)}:`);
      hash.update(part);
      continue;
    }
    hash.update(`b${part.byteLength}:`);
    for (const { buffer, byteOffset, byteLength } of 'pieces' in part ? part.pieces : [part]) {
      const bytes = new Uint8Array(buffer, byteOffset, byteLength);
      for (let at = 0; at < bytes.length; at += PIECE_BYTES) hash.update(bytes.subarray(at, at + PIECE_BYTES));
    }
  }
  return hash.digest('hex');
}

/** Identity of a matrix: its shape and values. */
export function matrixId(m: { rows: number; cols: number; data: Float32Array }): string {
  return sha256([`${m.rows} ${m.cols}`, m.data]);
}

/**
 * JSON with sorted keys and no spaces: equal values give equal text. Refuses what JSON would silently drop or change
 * (undefined, NaN, infinities, functions, bigint, class instances), naming its path.
 */
export function canonicalJson(value: unknown, path = 'value'): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`${path} is ${value}: identities are made of finite numbers only`);
    // -0 and 0 print alike in JSON.
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${Array.from(value, (v, i) => canonicalJson(v, `${path}[${i}]`)).join(',')}]`;
  if (typeof value === 'object') {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      throw new TypeError(`${path} is a ${value.constructor?.name ?? 'class instance'}: expected plain JSON data`);
    }
    // Default sort is by UTF-16 code unit: the same on every machine and locale.
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonicalJson(v, `${path}.${k}`)}`).join(',')}}`;
  }
  throw new TypeError(`${path} is ${typeof value}: expected plain JSON data (leave the key out instead)`);
}
