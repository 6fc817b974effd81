/** A crosscoder made of its joined weights, and how it lies on disk. */
import path from 'node:path';
import { loadResult, saveResult } from '../artifacts/result.js';
import { matrix, nameRows, type Matrix } from '../compute/matrix.js';
import { canonicalJson, sha256 } from '../io/hash.js';
import { loadTrained, type TrainedSae } from '../sae/keptTraining.js';
import type { Crosscoder, Side } from './types.js';

/** Where each side's columns begin in the joined activations; the last entry is their width. */
export function offsetsOf(sides: ReadonlyArray<{ width: number }>): number[] {
  const offsets = [0];
  for (const { width } of sides) offsets.push(offsets[offsets.length - 1] + width);
  return offsets;
}

/** Rows of all sides side by side, scaled. @throws RangeError on other widths or numbers of rows */
export function join(xs: readonly Matrix[], sides: ReadonlyArray<Pick<Side, 'name' | 'width' | 'scale'>>): Matrix {
  if (xs.length !== sides.length)
    throw new RangeError(`this crosscoder has ${sides.length} sides but got activations of ${xs.length}`);
  const offsets = offsetsOf(sides);
  const joined = matrix(xs[0].rows, offsets[sides.length]);
  xs.forEach((x, m) => {
    const { name, width, scale } = sides[m];
    if (x.cols !== width) throw new RangeError(`side ${name} takes activations of width ${width} but got ${x.cols}`);
    if (x.rows !== joined.rows)
      throw new RangeError(`side ${name} has ${x.rows} rows but side ${sides[0].name} has ${joined.rows}`);
    for (let i = 0; i < x.rows; i++) {
      const to = i * joined.cols + offsets[m];
      for (let j = 0; j < width; j++) joined.data[to + j] = x.data[i * width + j] * scale;
    }
  });
  return joined;
}

/** The columns of each side, each divided by its scale. */
export function split(joined: Matrix, sides: ReadonlyArray<Pick<Side, 'width' | 'scale'>>): Matrix[] {
  const offsets = offsetsOf(sides);
  return sides.map(({ width, scale }, m) => {
    const part = matrix(joined.rows, width);
    for (let i = 0; i < joined.rows; i++) {
      const from = i * joined.cols + offsets[m];
      for (let j = 0; j < width; j++) part.data[i * width + j] = joined.data[from + j] / scale;
    }
    return part;
  });
}

/** ‖row f‖ of every side of joined rows: [rows × M]. */
export function sideNorms(rows: Float32Array, count: number, offsets: readonly number[]): Float64Array {
  const sides = offsets.length - 1;
  const width = offsets[sides];
  const norms = new Float64Array(count * sides);
  for (let f = 0; f < count; f++) {
    for (let m = 0; m < sides; m++) {
      let square = 0;
      for (let j = f * width + offsets[m]; j < f * width + offsets[m + 1]; j++) square += rows[j] * rows[j];
      norms[f * sides + m] = Math.sqrt(square);
    }
  }
  return norms;
}

/** A crosscoder of joined weights. */
export function crosscoderOf(joined: TrainedSae, sides: readonly Side[]): Crosscoder {
  const { dSae, dIn, architecture } = joined.config;
  const offsets = offsetsOf(sides);
  if (offsets[sides.length] !== dIn)
    throw new RangeError(`the sides are ${offsets[sides.length]} wide together but the weights take ${dIn}`);
  const shares = matrix(dSae, sides.length);
  const norms = sideNorms(joined.W_dec.data, dSae, offsets);
  for (let f = 0; f < dSae; f++) {
    let sum = 0;
    for (let m = 0; m < sides.length; m++) sum += norms[f * sides.length + m];
    for (let m = 0; m < sides.length; m++) shares.data[f * sides.length + m] = norms[f * sides.length + m] / sum;
  }
  const decoders = split(joined.W_dec, sides);
  const name = `crosscoder of ${sides.map(({ modelName, hook }) => [modelName, hook === 'world' ? '' : hook].filter(Boolean).join(' ')).join(' and ')}, ${architecture} ${dSae}`;
  sides.forEach((side, m) => nameRows(decoders[m], `${name}, decoder of side ${side.name}`));
  return {
    name,
    id: sha256(['crosscoder 1', joined.id, canonicalJson(sides)]),
    features: dSae,
    sides,
    joined,
    decoders,
    shares,
    encode: (xs) => joined.encode(join(xs, sides)),
    decode: (features) => split(joined.decode(features), sides),
  };
}

const JOINED = 'joined';

/** Folder of the joined weights inside a crosscoder's. */
export const joinedFolder = (folder: string): string => path.join(folder, JOINED);

/** Writes what is no part of the joined weights. */
export const saveSides = (folder: string, sides: readonly Side[]): Promise<void> => saveResult(folder, { sides });

/** A crosscoder from its artifact. */
export async function loadCrosscoder(folder: string): Promise<Crosscoder> {
  const { sides } = await loadResult<{ sides: Side[] }>(folder);
  return crosscoderOf(await loadTrained(joinedFolder(folder)), sides);
}
