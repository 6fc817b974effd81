/** Generated map bundles with known pairs, in the folder layout of src/protocol/bundle.ts, and the HTTP server for pages. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FeatureExample, PointColumn } from '#protocol/bundle.js';
import type { MapMeta } from '#protocol/map.js';
import { encodeSafetensors, type NdArray } from '#protocol/safetensors.js';

export interface MapFixture {
  id: string;
  meta: MapMeta;
  /** File name → bytes. */
  files: Record<string, Uint8Array>;
  /** Points of A with their partner in B, as built: A's point i is linked to B's point (i·7 + 3) mod n. */
  partnerOf(i: number): number;
  backOf(j: number): number;
  /** Coordinates as written, per set. */
  points: Array<{ x: Float32Array; y: Float32Array; dead: Uint8Array }>;
  featureOf(set: number, i: number): number;
}

const WORDS =
  'king queen princess knight dragon mother father daughter she he it once upon time summer morning day years castle forest happy sad rain snow river friend dog bird apple little big red'.split(
    ' ',
  );
/** Would run if it were ever taken as HTML. */
export const HOSTILE = '<img src=x onerror="window.__hacked=1">';

function lcg(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const array = (dtype: 'F32' | 'I32' | 'I64', data: NdArray['data']): NdArray => ({ dtype, shape: [data.length], data });

function exampleOf(point: number, k: number, word: string): FeatureExample {
  const tokens = ['Once', ' upon', ' a', ' time', ',', ` ${word}`, ' went', ' to', '\n', ' the'];
  const value = 12 - k * 1.5 + (point % 7) / 10;
  return {
    sequence: 10 * k + (point % 10),
    position: 5 + k,
    value,
    tokens: point === 1 && k === 0 ? [...tokens.slice(0, 9), HOSTILE] : tokens,
    peak: 5,
    activations: [0, 0, 0, 0.2 * value, 0, value, 0.5 * value, 0, 0, 0.1 * value],
  };
}

const WIDTHS = [6, 8];

/** Decoder rows of A, then those of B: each B row is a fixed turn of its partner's, and a little noise. */
function decoderRows(n: number, back: Int32Array): Float32Array {
  const random = lcg(11);
  const all = Float32Array.from({ length: n * (WIDTHS[0] + WIDTHS[1]) }, () => random() - 0.5);
  const turn = Array.from({ length: WIDTHS[0] * WIDTHS[1] }, () => random() - 0.5);
  for (let j = 0; j < n; j++)
    for (let k = 0; k < WIDTHS[1]; k++) {
      let sum = 0.1 * (random() - 0.5);
      for (let i = 0; i < WIDTHS[0]; i++) sum += all[back[j] * WIDTHS[0] + i] * turn[k * WIDTHS[0] + i];
      all[n * WIDTHS[0] + j * WIDTHS[1] + k] = sum;
    }
  return all;
}

/** A column beside those that every map has: its value by point. */
export interface AddedColumn extends PointColumn {
  of(i: number): number;
}

/**
 * A twin map of n points a side in `clusters` clouds. Feature ids are 3·i + 1 in A and 5·i + 2 in B. Every 20th point
 * is dead (no partner, no label, no examples). `added`: columns of each set. r falls from 1 with i mod 50.
 * `others`: further counterparts of each alive point, the points after its partner whose r is a tenth less each. Point 1 of both maps carries hostile text.
 */
export function twinFixture(n: number, clusters = 24, added: AddedColumn[][] = [], others = 0): MapFixture {
  const random = lcg(7);
  const normal = () => Math.sqrt(-2 * Math.log(random() + 1e-12)) * Math.cos(2 * Math.PI * random());
  const partnerOf = (i: number) => (i * 7 + 3) % n;
  const dead = [new Uint8Array(n), new Uint8Array(n)];
  for (let i = 0; i < n; i += 20) {
    dead[0][i] = 1;
    dead[1][partnerOf(i)] = 1;
  }
  const back = new Int32Array(n);
  for (let i = 0; i < n; i++) back[partnerOf(i)] = i;
  const cluster = (set: number, i: number) => (set === 0 ? i : back[i]) % clusters;
  const tensors: Record<string, NdArray> = {};
  const files: Record<string, Uint8Array> = {};
  const points: MapFixture['points'] = [];
  for (const set of [0, 1]) {
    const centres = Array.from({ length: clusters }, () => [normal() * 5, normal() * 5]);
    const x = Float32Array.from({ length: n }, (_, i) => centres[cluster(set, i)][0] + normal() * 0.7);
    const y = Float32Array.from({ length: n }, (_, i) => centres[cluster(set, i)][1] + normal() * 0.7);
    points.push({ x, y, dead: dead[set] });
    const word = (i: number) => WORDS[cluster(set, i) % WORDS.length];
    const labels = Array.from({ length: n }, (_, i) =>
      dead[set][i] ? [] : [` ${word(i)}`, ` ${WORDS[(cluster(set, i) + i) % WORDS.length]}`, i === 1 ? HOSTILE : '.'],
    );
    const lines = labels.map((label, i) =>
      label.length === 0 ? [] : [0, 1, 2, 3, 4].map((k) => exampleOf(i, k, word(i))),
    );
    const firings = Int32Array.from({ length: n }, (_, i) => (dead[set][i] ? 0 : 5 + ((i * 37) % 4000)));
    const at = new BigInt64Array(n + 1);
    const texts = lines.map((line) => `${JSON.stringify(line)}\n`);
    let bytes = 0;
    texts.forEach((text, i) => {
      at[i] = BigInt(bytes);
      bytes += Buffer.byteLength(text);
    });
    at[n] = BigInt(bytes);
    const origin = (i: number) => (set === 0 ? i : back[i]);
    Object.assign(tensors, {
      [`${set}.x`]: array('F32', x),
      [`${set}.y`]: array('F32', y),
      [`${set}.feature`]: array(
        'I32',
        Int32Array.from({ length: n }, (_, i) => (set === 0 ? 3 * i + 1 : 5 * i + 2)),
      ),
      [`${set}.firingRate`]: array(
        'F32',
        Float32Array.from(firings, (f) => f / 64_000),
      ),
      [`${set}.firings`]: array('I32', firings),
      [`${set}.partner`]: array(
        'I32',
        Int32Array.from({ length: n }, (_, i) => (dead[set][i] ? -1 : set === 0 ? partnerOf(i) : back[i])),
      ),
      [`${set}.r`]: array(
        'F32',
        Float32Array.from({ length: n }, (_, i) => (dead[set][i] ? NaN : 1 - (origin(i) % 50) / 50)),
      ),
      ...Object.fromEntries(
        Array.from({ length: others }, (_, k) => {
          const to = (i: number) => ((set === 0 ? partnerOf(i) : back[i]) + k + 1) % n;
          const none = (i: number) => dead[set][i] === 1 || dead[1 - set][to(i)] === 1;
          const r = (i: number) => Math.max(0, 1 - (origin(i) % 50) / 50 - (k + 1) / 10);
          const each = <T>(of: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => of(i));
          return [
            [`${set}.other.${k}`, array('I32', Int32Array.from(each((i) => (none(i) ? -1 : to(i)))))],
            [`${set}.otherR.${k}`, array('F32', Float32Array.from(each((i) => (none(i) ? NaN : r(i)))))],
          ] as const;
        }).flat(),
      ),
      [`${set}.examplesAt`]: array('I64', at),
      ...Object.fromEntries(
        (added[set] ?? []).map(({ of }, k) => [
          `${set}.column.${k}`,
          array(
            'F32',
            Float32Array.from({ length: n }, (_, i) => of(i)),
          ),
        ]),
      ),
    });
    files[`${set}.labels.json`] = Buffer.from(JSON.stringify(labels));
    files[`${set}.examples.jsonl`] = Buffer.from(texts.join(''));
  }
  files['columns.safetensors'] = encodeSafetensors(tensors);
  const decoders = decoderRows(n, back);
  files['decoder.safetensors'] = encodeSafetensors({
    decoder: { dtype: 'F32', shape: [1, decoders.length], data: decoders },
  });
  const deadCount = (set: number) => dead[set].reduce((a, b) => a + b, 0);
  const meta: MapMeta = {
    version: 1,
    title: 'Twin map of the fixture',
    sets: [0, 1].map((set) => ({
      name: 'AB'[set],
      title: `tiny-${set + 1}L · blocks.0.hook_mlp_out · topk ${n}`,
      points: n,
      width: WIDTHS[set],
      ...(others > 0 && { others }),
      ...(added[set] && { columns: added[set].map(({ of: _, ...column }) => column) }),
      dead: deadCount(set),
      layout: 'UMAP n_neighbors 15, min_dist 0.1, cosine, seed 0',
    })),
    pairing: { method: 'Pearson argmax', pairs: n - deadCount(0), tokens: 64_000, meanR: 0.51 },
    groups: [
      { name: 'Royalty', words: ['king', 'queen', 'princess', 'knight'] },
      { name: 'Family', words: ['mother', 'father', 'daughter'] },
      { name: 'Time', words: ['once', 'time', 'summer', 'morning', 'day', 'years'] },
      { name: 'Pronouns', words: ['she', 'he', 'it'] },
    ],
  };
  files['map.json'] = Buffer.from(JSON.stringify(meta));
  return {
    id: `fixture-${n}`,
    meta,
    files,
    partnerOf,
    backOf: (j) => back[j],
    points,
    featureOf: (set, i) => (set === 0 ? 3 * i + 1 : 5 * i + 2),
  };
}

/** Where a point is drawn in a map's box at the first view: the alive points fill nine tenths of the smaller side. */
export function screenOf(map: MapFixture, set: number, i: number, box: { width: number; height: number }) {
  const { x, y, dead } = map.points[set];
  const alive = (v: Float32Array) => [...v].filter((_, k) => !dead[k]);
  const ends = (v: Float32Array) =>
    alive(v).reduce(([a, b], c) => [Math.min(a, c), Math.max(b, c)], [Infinity, -Infinity]);
  const [[left, right], [low, high]] = [ends(x), ends(y)];
  const scale = 0.9 * Math.min(box.width / (right - left), box.height / (high - low));
  return {
    x: box.width / 2 + (x[i] - (left + right) / 2) * scale,
    y: box.height / 2 - (y[i] - (low + high) / 2) * scale,
  };
}

/** The alive point of a set that is farthest from every other: a pointer on it means it and no other. */
export function isolatedPoint(map: MapFixture, set: number): number {
  const { x, y, dead } = map.points[set];
  let best = -1;
  let bestGap = -1;
  for (let i = 0; i < x.length; i++) {
    if (dead[i]) continue;
    let gap = Infinity;
    for (let j = 0; j < x.length; j++)
      if (j !== i && !dead[j]) gap = Math.min(gap, Math.hypot(x[i] - x[j], y[i] - y[j]));
    if (gap > bestGap) [best, bestGap] = [i, gap];
  }
  return best;
}

export interface PageServer {
  origin: string;
  /** Serves `body` at `path` from now on. */
  add(path: string, type: string, body: string | Uint8Array): void;
  close(): Promise<void>;
}

export async function servePages(): Promise<PageServer> {
  const pages = new Map<string, { type: string; body: string | Uint8Array }>();
  const server: Server = createServer((request, response) => {
    const page = pages.get(new URL(request.url ?? '/', 'http://localhost').pathname);
    response.writeHead(page ? 200 : 404, { 'content-type': page?.type ?? 'text/plain' });
    response.end(page?.body ?? 'not found');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    add: (path, type, body) => void pages.set(path, { type, body }),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
