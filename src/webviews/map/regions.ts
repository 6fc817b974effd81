/**
 * Regions of a map: dense places of the layout, by the persistence of the density's peaks (ToMATo: Chazal, Guibas, Oudot
 * and Skraba 2013) on a grid, named by the words on which the activation mass of their features lies. A name stands only
 * where no shuffle of the labels over the points names any region as strongly: noise has no name.
 */
import { loneToken } from '../../protocol/tokens.js';
import type { MapSet } from './model.js';

export interface Region {
  /** Points, most first. */
  size: number;
  /** Middle of its points. */
  x: number;
  y: number;
  /** Words of its name, heaviest first; [] where shuffled labels name as strongly. */
  name: string[];
}

export interface Regions {
  /** Largest first. */
  list: Region[];
  /** By point: its region, -1 = none. */
  of: Int16Array;
}

/** Cells along the longer side. */
const CELLS = 96;
/** Width of the kernel in cells, for n points: half of Scott's rule in two dimensions for points that fill the map. */
const kernelWidth = (n: number): number => Math.min(6, Math.max(1.5, 12 * n ** (-1 / 6)));
/** A peak that stands less than this times above the pass to a higher one belongs to it. */
const PROMINENCE = 1.25;
/** Cells of less than this share of the median density of the points are between regions. */
const FLOOR = 0.35;
const LEAST_POINTS = 12;
const MOST_REGIONS = 60;
/** Shuffles of labels; a name is above the largest of all regions in 19 of 20 of them. */
const SHUFFLES = 99;
const LEVEL = 0.95;
/** Features of a region that carry a word, at least. */
const LEAST_FEATURES = 3;
const NAME_WORDS = 3;

/** Points of the layout on a square grid, and how dense they lie there. */
export interface Density {
  width: number;
  /** Cell of each point, -1 = not placed. */
  cell: Int32Array;
  density: Float32Array;
  /** World coordinate of a column or row: 0 is the middle of the first cell. */
  place(at: number): number;
}

/** The density of the alive points. */
export function densityOf({ x, y, n, dead }: Pick<MapSet, 'x' | 'y' | 'n' | 'dead'>): Density {
  const sigma = kernelWidth(Math.max(1, n));
  // What is blurred stays on the grid.
  const pad = Math.ceil(3 * sigma) + 1;
  const width = CELLS + 2 * pad;
  const cell = new Int32Array(n).fill(-1);
  const counts = new Float32Array(width * width);
  const at = (v: number): number => pad + Math.min(CELLS - 1, Math.max(0, Math.floor(((v + 1) / 2) * CELLS)));
  for (let i = 0; i < n; i++) {
    if (dead[i] || !Number.isFinite(x[i]) || !Number.isFinite(y[i])) continue;
    cell[i] = at(y[i]) * width + at(x[i]);
    counts[cell[i]]++;
  }
  const density = blurred(blurred(counts, width, 1, sigma), width, width, sigma);
  return { width, cell, density, place: (v) => (2 * (v - pad + 0.5)) / CELLS - 1 };
}

/** A Gaussian along one axis of a square grid; `step` 1: along rows, `width`: along columns. */
function blurred(of: Float32Array, width: number, step: number, sigma: number): Float32Array {
  const reach = Math.ceil(3 * sigma);
  const kernel = Array.from({ length: 2 * reach + 1 }, (_, k) => Math.exp(-((k - reach) ** 2) / (2 * sigma ** 2)));
  const out = new Float32Array(of.length);
  for (let i = 0; i < of.length; i++) {
    if (of[i] === 0) continue;
    const place = step === 1 ? i % width : Math.floor(i / width);
    for (let k = -reach; k <= reach; k++)
      if (place + k >= 0 && place + k < width) out[i + k * step] += of[i] * kernel[k + reach];
  }
  return out;
}

/** The peak that each cell belongs to, -1 = between regions. */
function peaksOf({ width, cell, density }: Density): Int32Array {
  const own = Array.from(cell)
    .filter((c) => c >= 0)
    .map((c) => density[c])
    .sort((a, b) => a - b);
  const floor = own.length > 0 ? FLOOR * own[own.length >> 1] : 0;
  const order = Array.from(density.keys())
    .filter((c) => density[c] > floor)
    .sort((a, b) => density[b] - density[a] || a - b);
  const parent = new Int32Array(density.length).fill(-1);
  const root = (c: number): number => {
    let r = c;
    while (parent[r] !== r) r = parent[r] = parent[parent[r]];
    return r;
  };
  for (const c of order) {
    const around = [c - 1, c + 1, c - width, c + width, c - width - 1, c - width + 1, c + width - 1, c + width + 1];
    const known = [...new Set(around.filter((a) => parent[a] >= 0).map(root))].sort((a, b) => density[b] - density[a] || a - b); // prettier-ignore
    parent[c] = known[0] ?? c;
    // Where two hills meet, the lower one that hardly stands above the pass is part of the higher.
    for (const lower of known.slice(1)) if (density[lower] < PROMINENCE * density[c]) parent[lower] = known[0];
  }
  return Int32Array.from(parent, (p, c) => (p < 0 ? -1 : root(c)));
}

/** A fixed stream of numbers in [0, 1): the same map has the same names. */
function stream(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Words of the labels as numbers, with the share of the feature's activation mass on each. */
interface Words {
  texts: string[];
  /** Of point i: from at[i] to at[i + 1]. */
  at: Uint32Array;
  word: Int32Array;
  share: Float64Array;
}

function wordsOf({ columns, n }: Pick<MapSet, 'columns' | 'n'>): Words {
  const ids = new Map<string, number>();
  const texts: string[] = [];
  const at = new Uint32Array(n + 1);
  const word: number[] = [];
  const share: number[] = [];
  for (let i = 0; i < n; i++) {
    const label = columns.shares[i];
    const tokens = label
      ? label.tokens
      : columns.labels[i].map((token) => ({ token, share: 1 / columns.labels[i].length }));
    for (const { token, share: mass } of tokens) {
      const text = loneToken(token);
      const key = text.toLowerCase();
      let id = ids.get(key);
      if (id === undefined) {
        ids.set(key, (id = texts.length));
        texts.push(text);
      }
      word.push(id);
      share.push(mass);
    }
    at[i + 1] = word.length;
  }
  return { texts, at, word: Int32Array.from(word), share: Float64Array.from(share) };
}

/** How far a word's mass in a region lies above what as many points drawn at random have, in standard deviations. */
class WordScores {
  private readonly mean: Float64Array;
  private readonly variance: Float64Array;
  private readonly sum: Float64Array;
  private readonly features: Uint32Array;
  private readonly touched: number[] = [];

  constructor(
    private readonly words: Words,
    private readonly points: readonly number[],
  ) {
    const size = words.texts.length;
    [this.mean, this.variance, this.sum] = [new Float64Array(size), new Float64Array(size), new Float64Array(size)];
    this.features = new Uint32Array(size);
    const n = Math.max(1, points.length);
    for (const i of points)
      for (let k = words.at[i]; k < words.at[i + 1]; k++) {
        this.mean[words.word[k]] += words.share[k] / n;
        this.variance[words.word[k]] += words.share[k] ** 2 / n;
      }
    for (let w = 0; w < size; w++) this.variance[w] -= this.mean[w] ** 2;
  }

  /** Of the words that enough features carry; `label`: the point whose label a point has. */
  each(
    members: readonly number[],
    label: (point: number) => number,
    seen: (word: number, z: number, mass: number) => void,
  ): void {
    const { words, sum, features, touched } = this;
    for (const member of members) {
      const i = label(member);
      for (let k = words.at[i]; k < words.at[i + 1]; k++) {
        const w = words.word[k];
        if (features[w]++ === 0) touched.push(w);
        sum[w] += words.share[k];
      }
    }
    const m = members.length;
    const all = this.points.length;
    // Drawn without replacement.
    const spread = m * Math.max(1e-9, (all - m) / Math.max(1, all - 1));
    for (const w of touched) {
      if (features[w] >= LEAST_FEATURES)
        seen(w, (sum[w] - m * this.mean[w]) / Math.sqrt(Math.max(1e-12, this.variance[w] * spread)), sum[w]);
      sum[w] = features[w] = 0;
    }
    touched.length = 0;
  }
}

/** The value that the largest score of any region passes in one of twenty shuffles of the labels. */
function threshold(
  scores: WordScores,
  regions: ReadonlyArray<readonly number[]>,
  points: readonly number[],
  n: number,
): number {
  const random = stream(7);
  const given = Int32Array.from(points);
  const label = new Int32Array(n);
  const largest: number[] = [];
  for (let run = 0; run < SHUFFLES; run++) {
    for (let i = given.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [given[i], given[j]] = [given[j], given[i]];
    }
    points.forEach((point, i) => (label[point] = given[i]));
    let most = 0;
    for (const members of regions)
      scores.each(
        members,
        (i) => label[i],
        (_, z) => (most = Math.max(most, z)),
      );
    largest.push(most);
  }
  return largest.sort((a, b) => a - b)[Math.ceil(LEVEL * SHUFFLES) - 1];
}

/** The regions of a set, with names where there are words. */
export function regionsOf(set: Pick<MapSet, 'x' | 'y' | 'n' | 'dead' | 'columns'>): Regions {
  const grid = densityOf(set);
  const peaks = peaksOf(grid);
  const found = new Map<number, number[]>();
  const points: number[] = [];
  for (let i = 0; i < set.n; i++) {
    if (grid.cell[i] < 0) continue;
    points.push(i);
    const peak = peaks[grid.cell[i]];
    if (peak < 0) continue;
    const members = found.get(peak);
    if (members) members.push(i);
    else found.set(peak, [i]);
  }
  const large = [...found.values()]
    .filter((members) => members.length >= LEAST_POINTS)
    .sort((a, b) => b.length - a.length || a[0] - b[0])
    .slice(0, MOST_REGIONS);
  // One hill is the whole map: it has no parts to tell apart.
  const regions = large.length > 1 ? large : [];
  const of = new Int16Array(set.n).fill(-1);
  regions.forEach((members, r) => members.forEach((i) => (of[i] = r)));
  const words = wordsOf(set);
  const scores = new WordScores(words, points);
  const above = regions.length > 0 ? threshold(scores, regions, points, set.n) : Infinity;
  const list = regions.map((members): Region => {
    const named: Array<{ word: number; mass: number }> = [];
    scores.each(
      members,
      (i) => i,
      (word, z, mass) => z > above && named.push({ word, mass }),
    );
    named.sort((a, b) => b.mass - a.mass || a.word - b.word);
    const middle = (v: Float32Array): number => members.reduce((s, i) => s + v[i], 0) / members.length;
    return {
      size: members.length,
      ...{ x: middle(set.x), y: middle(set.y) },
      name: named.slice(0, NAME_WORDS).map(({ word }) => words.texts[word]),
    };
  });
  return { list, of };
}
