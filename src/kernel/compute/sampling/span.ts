/**
 * Samples of a law, chunk by chunk. A chunk's random numbers depend on the seed and the chunk's number alone: samples
 * are the same in one and in many workers, and whatever the batch.
 */
import { Random } from '../random.js';
import { addDirections } from './addRows.js';
import { Bits } from './bits.js';
import { drawFirings, Firings } from './firings.js';
import { MAGNITUDES, type Law } from './law.js';
import { drawPublished } from './published.js';

export interface SpanRequest {
  law: Law;
  seed: number;
  /** First chunk, and how many samples from its start. */
  chunk: number;
  samples: number;
}

/** Consecutive samples. */
export interface Span {
  x: Float32Array;
  indptr: Uint32Array;
  indices: Uint16Array | Int32Array;
  values: Float32Array;
}

/** Magnitudes of feature f's firings. */
function drawMagnitudes(law: Law, f: number, bits: Bits, firings: Firings): void {
  const { values } = firings;
  const [from, to] = [firings.begin[f], firings.end[f]];
  const [a, b] = [law.magnitudeA[f], law.magnitudeB[f]];
  switch (MAGNITUDES[law.magnitude[f]]) {
    case 'constant':
      values.fill(a, from, to);
      break;
    case 'uniform':
      for (let i = from; i < to; i++) values[i] = a + (b - a) * bits.unit();
      break;
    case 'half-normal':
      for (let i = from; i < to; i++) values[i] = a * Math.abs(bits.normal());
      break;
    case 'exponential':
      for (let i = from; i < to; i++) values[i] = -a * Math.log(bits.unit());
      break;
    case 'log-normal':
      for (let i = from; i < to; i++) values[i] = Math.exp(a + b * bits.normal());
      break;
    case 'truncated-normal':
      for (let i = from; i < to; i++) {
        let v = a + b * bits.normal();
        while (!(v > 0)) v = a + b * bits.normal();
        values[i] = v;
      }
      break;
  }
}

function fillMagnitudes(law: Law, bits: Bits, firings: Firings): void {
  for (let f = 0; f < law.features; f++) drawMagnitudes(law, f, bits, firings);
  if (!law.scaled) return;
  for (const f of law.order) {
    if (f >= law.features || !law.scaled[f]) continue;
    const mean = law.magnitudeMean[law.parents[f]];
    for (let i = firings.begin[f]; i < firings.end[f]; i++)
      firings.values[i] *= firings.values[firings.origins[i]] / mean;
  }
}

/** Turns runs by feature into rows; a firing whose magnitude is 0 is left out. */
function toRows(features: number, firings: Firings, rows: number): Pick<Span, 'indptr' | 'indices' | 'values'> {
  const { begin, end, samples, values } = firings;
  const indptr = new Uint32Array(rows + 1);
  for (let f = 0; f < features; f++)
    for (let i = begin[f]; i < end[f]; i++) if (samples[i] < rows && values[i] > 0) indptr[samples[i] + 1]++;
  for (let s = 0; s < rows; s++) indptr[s + 1] += indptr[s];
  const next = indptr.slice(0, rows);
  const indices = new (features <= 65_536 ? Uint16Array : Int32Array)(indptr[rows]);
  const out = new Float32Array(indptr[rows]);
  for (let f = 0; f < features; f++) {
    for (let i = begin[f]; i < end[f]; i++) {
      const s = samples[i];
      if (s >= rows || !(values[i] > 0)) continue;
      indices[next[s]] = f;
      out[next[s]++] = values[i];
    }
  }
  return { indptr, indices, values: out };
}

/** Row by row, so that the first rows of a chunk do not depend on how many follow. */
function addNoise(law: Law, bits: Bits, x: Float32Array): void {
  const { dim, noiseDirections, noiseAlong, noiseStd } = law;
  if (!(noiseStd > 0) && !noiseDirections) return;
  const row = new Float32Array(dim);
  for (let to = 0; to < x.length; to += dim) {
    if (noiseStd > 0) {
      bits.normals(row);
      for (let j = 0; j < dim; j++) x[to + j] += noiseStd * row[j];
    }
    if (!noiseDirections) continue;
    for (let p = 0; p < noiseDirections.length; p += dim) {
      const a = noiseAlong * bits.normal();
      for (let j = 0; j < dim; j++) x[to + j] += a * noiseDirections[p + j];
    }
  }
}

/** Draws `samples` samples from the start of a chunk on. */
export function drawSpan({ law, seed, chunk, samples }: SpanRequest): Span {
  const { features, dim } = law;
  const firings = new Firings(law.parents.length, 1 << 14);
  const x = new Float32Array(samples * dim);
  if (law.mean) for (let s = 0; s < samples; s++) x.set(law.mean, s * dim);
  const parts: Array<Pick<Span, 'indptr' | 'indices' | 'values'>> = [];
  for (let first = 0; first < samples; first += law.chunk) {
    const rows = Math.min(law.chunk, samples - first);
    const random = new Random(seed).fork('samples').fork(chunk + first / law.chunk);
    if (law.published) drawPublished(law, law.published, random, firings);
    else {
      drawFirings(law, new Bits(random.fork('firings')), firings);
      fillMagnitudes(law, new Bits(random.fork('magnitudes')), firings);
    }
    const part = toRows(features, firings, rows);
    const into = x.subarray(first * dim, (first + rows) * dim);
    addDirections(part, law.dictionary, dim, into);
    addNoise(law, new Bits(random.fork('noise')), into);
    parts.push(part);
  }
  return { x, ...joinRows(parts) };
}

/** Consecutive rows as one. */
export function joinRows(
  parts: ReadonlyArray<Pick<Span, 'indptr' | 'indices' | 'values'>>,
): Pick<Span, 'indptr' | 'indices' | 'values'> {
  if (parts.length === 1) return parts[0];
  const rows = parts.reduce((n, p) => n + p.indptr.length - 1, 0);
  const entries = parts.reduce((n, p) => n + p.values.length, 0);
  const indptr = new Uint32Array(rows + 1);
  const indices = new (parts.every((p) => p.indices instanceof Uint16Array) ? Uint16Array : Int32Array)(entries);
  const values = new Float32Array(entries);
  let row = 0;
  let at = 0;
  for (const part of parts) {
    for (let i = 1; i < part.indptr.length; i++) indptr[row + i] = at + part.indptr[i];
    indices.set(part.indices, at);
    values.set(part.values, at);
    row += part.indptr.length - 1;
    at += part.values.length;
  }
  return { indptr, indices, values };
}
