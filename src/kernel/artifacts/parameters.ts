/** Options as artifact parameters. */
import type { Json, JsonObject } from '../../protocol/notebook.js';
import { sha256 } from '../io/hash.js';

/** Options as JSON: arrays of numbers and activation stores by their hash, so that equal options give equal text. */
export function asParameters(value: readonly unknown[]): Json;
export function asParameters(value: object): JsonObject;
export function asParameters(value: unknown): Json;
export function asParameters(value: unknown): Json {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (ArrayBuffer.isView(value)) return { numbers: (value as Float64Array).length, sha256: sha256([value]) };
  if (Array.isArray(value)) {
    const numbers = value.length > 16 && value.every((v) => typeof v === 'number');
    return numbers
      ? asParameters(Float64Array.from(value as number[]))
      : value.map((each: unknown) => asParameters(each));
  }
  if (typeof value === 'object') {
    const o = value as Record<string, unknown>;
    if ('statistics' in o && 'meta' in o) {
      const { firings, sum, sumSquares, max } = o.statistics as Record<string, ArrayBufferView>;
      const { tokens, ignored = 0 } = o.meta as { tokens: number; ignored?: number };
      return { tokens: tokens - ignored, sha256: sha256([firings, sum, sumSquares, max]) };
    }
    const entries = Object.entries(o).filter(([, v]) => v !== undefined);
    return Object.fromEntries(entries.map(([k, v]) => [k, asParameters(v)]));
  }
  throw new TypeError(`an option is a ${typeof value}; expected numbers, text, arrays or objects of these`);
}
