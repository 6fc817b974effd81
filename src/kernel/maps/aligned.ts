/**
 * Layouts of two models that move together: the objective of UMAP for each, and a pull of matched pairs towards each
 * other, as in umap-learn's AlignedUMAP (aligned_umap.py: `alignment_regularisation`,
 * `build_neighborhood_similarities`). A pair pulls by how alike the neighbourhoods of its two ends are (Jaccard, over
 * the pairs), so that a pair whose surroundings differ is left where each model has it.
 */
import type { CallOptions } from '../compute/call.js';
import type { Matrix } from '../compute/matrix.js';
import { Random } from '../compute/random.js';
import { sha256 } from '../io/hash.js';
import { only, parseOptions, real, type Given } from '../verb/option.js';
import type { FuzzyGraph } from './fuzzyGraph.js';
import { UMAP, type UmapOptions } from './options.js';
import { pairsApart, type PairsApart } from './pairsApart.js';
import { turnOnto, type Pairs } from './procrustes.js';
import { finiteRows } from './rows.js';
import type { Layout, Watched } from './types.js';
import { initialPositions, layoutOf, movesOf, settings, umapGraph, type Settings, type Start } from './umap.js';
import { optimizeLayout, type Ties } from './umapLayout.js';

export const ALIGNED = {
  regularisation: real({
    doc: 'Weight of the pull towards counterparts: umap-learn’s `alignment_regularisation`. 0: both move as they would alone, from starts that are turned onto each other.',
    min: 0,
    default: 0.01,
  }),
  heldOut: real({
    doc: 'Share of the pairs, drawn by the seed, that pull nothing: how near their ends come says what the two layouts share beyond the pull.',
    min: 0,
    below: 1,
    default: 0.1,
  }),
} as const;

/** UMAP's options but for the plane, in which the layouts are turned. */
const { nComponents: _, ...PLANE } = UMAP;
export const ALIGNED_UMAP = { ...PLANE, ...ALIGNED } as const;

export type AlignedOptions = Given<typeof ALIGNED_UMAP> & CallOptions & Watched;

/** Two layouts in one plane. */
export interface AlignedLayouts {
  /** Of A and of B: for fg.show(layouts, { map }). */
  readonly layouts: readonly [Layout, Layout];
  /** Pairs that pulled: near because they were pulled. */
  readonly pulled: PairsApart;
  /** Pairs that did not; absent where fewer than two were held out. */
  readonly heldOut?: PairsApart;
}

/** Neighbours of every vertex, in either direction. */
function adjacency({ points, head, tail }: FuzzyGraph): number[][] {
  const of = Array.from({ length: points }, (): number[] => []);
  head.forEach((i, e) => {
    of[i].push(tail[e]);
    of[tail[e]].push(i);
  });
  return of;
}

/**
 * For each pair, how alike the neighbourhoods of its ends are: neighbours of `from` that have counterparts, taken to
 * these, and neighbours of `to` that are counterparts (Jaccard; 1 where both are empty).
 */
export function neighbourhoodsAlike(from: FuzzyGraph, to: FuzzyGraph, { a, b }: Pairs): Float32Array {
  const counterparts = Array.from({ length: from.points }, (): number[] => []);
  a.forEach((i, p) => counterparts[i].push(b[p]));
  const [near, nearTo] = [adjacency(from), adjacency(to)];
  const paired = new Set(b);
  return Float32Array.from(a, (i, p) => {
    const taken = new Set(near[i].flatMap((k) => counterparts[k]));
    const own = new Set(nearTo[b[p]].filter((j) => paired.has(j)));
    let both = 0;
    for (const j of taken) if (own.has(j)) both++;
    const either = taken.size + own.size - both;
    return either > 0 ? both / either : 1;
  });
}

/** The pull of both directions; a vertex with several counterparts is pulled to their mean. */
function tiesOf([a, b]: readonly [FuzzyGraph, FuzzyGraph], pairs: Pairs, regularisation: number): Ties {
  const alike = [neighbourhoodsAlike(a, b, pairs), neighbourhoodsAlike(b, a, { a: pairs.b, b: pairs.a })];
  const at = [pairs.a, pairs.b.map((j) => a.points + j)];
  const many = new Int32Array(a.points + b.points);
  for (const vertices of at) for (const i of vertices) many[i]++;
  const both = <T extends Int32Array | Float32Array>(x: T, y: T): number[] => [...x, ...y];
  const from = Int32Array.from(both(at[0], at[1]));
  const weights = both(alike[0], alike[1]);
  return {
    side: new Uint8Array(a.points + b.points).fill(1, a.points),
    from,
    to: Int32Array.from(both(at[1], at[0])),
    weight: Float32Array.from(from, (i, t) => (regularisation * weights[t]) / many[i]),
  };
}

/** Both graphs as one, without an edge between them. */
const beside = (a: FuzzyGraph, b: FuzzyGraph): FuzzyGraph => {
  const join = (x: Int32Array, y: Int32Array): Int32Array => {
    const out = new Int32Array(x.length + y.length);
    out.set(x);
    y.forEach((j, e) => (out[x.length + e] = a.points + j));
    return out;
  };
  const weight = new Float32Array(a.weight.length + b.weight.length);
  weight.set(a.weight);
  weight.set(b.weight, a.weight.length);
  return { points: a.points + b.points, head: join(a.head, b.head), tail: join(a.tail, b.tail), weight };
};

interface Side {
  x: Matrix;
  kept: { matrix: Matrix; index: Int32Array };
  s: Settings;
  graph: FuzzyGraph;
  start: Start;
}

async function sideOf(x: Matrix, name: string, epochs: number, options: AlignedOptions): Promise<Side> {
  const kept = finiteRows(x);
  const n = kept.matrix.rows;
  if (n < 4) throw new Error(`aligned UMAP needs at least 4 finite rows of ${name} but got ${n} of ${x.rows}`);
  const chosen: UmapOptions = { ...options, nEpochs: options.nEpochs ?? epochs };
  const s = settings(chosen, n);
  const { graph } = await umapGraph(kept.matrix, chosen);
  return { x, kept, s, graph, start: await initialPositions(kept.matrix, graph, s, chosen) };
}

/**
 * The pairs that both sides place, by their placed rows, each once; those that pull first.
 * @throws RangeError for pairs outside the rows, or where fewer than 2 pull
 */
function placedPairs(a: Side, b: Side, given: Pairs, { heldOut, seed }: { heldOut: number; seed: number }) {
  const places = [a, b].map(({ x, kept }) => {
    const at = new Int32Array(x.rows).fill(-1);
    kept.index.forEach((row, i) => (at[row] = i));
    return at;
  });
  const found: Array<[number, number]> = [];
  given.a.forEach((i, p) => {
    const j = given.b[p];
    if (!(i >= 0 && i < a.x.rows && j >= 0 && j < b.x.rows))
      throw new RangeError(
        `aligned UMAP of ${a.x.rows} and ${b.x.rows} rows: pair ${p} is ${i} and ${j}; give the map of the SAEs whose rows are laid out`,
      );
    if (places[0][i] >= 0 && places[1][j] >= 0) found.push([places[0][i], places[1][j]]);
  });
  const order = new Random(seed).fork('held out').permutation(found.length);
  const out = Math.floor(heldOut * found.length);
  if (found.length - out < 2)
    throw new RangeError(
      `aligned UMAP needs 2 pairs that pull but got ${found.length - out} (${out} of ${found.length} are held out); give a map with more pairs, or a smaller heldOut`,
    );
  const some = (from: number, to: number): Pairs => {
    const chosen = [...order.subarray(from, to)].sort((p, q) => p - q).map((p) => found[p]);
    return { a: Int32Array.from(chosen, ([i]) => i), b: Int32Array.from(chosen, ([, j]) => j) };
  };
  return { pulled: some(out, found.length), heldOut: some(0, out) };
}

const cloud = (y: Float32Array) => ({ coordinates: y, points: y.length / 2 });

/** How a description says where the pairs lie. */
function words(pulled: PairsApart, heldOut: PairsApart | undefined, regularisation: number): string {
  const far = ({ apart, chance }: PairsApart): string => `${apart.toFixed(2)} apart, exchanged ${chance.toFixed(2)}`;
  const rest = heldOut ? `; ${heldOut.pairs} held out lie ${far(heldOut)}` : '';
  return `one plane for both models: regularised by ${regularisation} towards ${pulled.pairs} pairs, which lie ${far(pulled)}${rest} (in spreads of A)`;
}

/**
 * UMAP of the rows of A and of B in one plane, regularised towards matched pairs.
 * @param pairs rows of A and of B; a row may have several counterparts
 * @throws Error with fewer than 4 finite rows of either; RangeError for pairs that do not fit; AbortError
 */
export async function alignedUmap(
  [xa, xb]: readonly [Matrix, Matrix],
  pairs: Pairs,
  options: AlignedOptions = {},
): Promise<AlignedLayouts> {
  const { regularisation, heldOut, seed } = parseOptions(
    'aligned UMAP',
    only(ALIGNED_UMAP, { ...options }),
    ALIGNED_UMAP,
  );
  const epochs = Math.max(xa.rows, xb.rows) <= 10_000 ? 500 : 200;
  const a = await sideOf(xa, 'A', epochs, options);
  const b = await sideOf(xb, 'B', epochs, options);
  const chosen = placedPairs(a, b, pairs, { heldOut, seed });
  const turned = turnOnto(cloud(a.start.y), cloud(b.start.y), chosen.pulled);
  const y = new Float32Array(a.start.y.length + b.start.y.length);
  y.set(a.start.y);
  y.set(turned.coordinates, a.start.y.length);
  const ties = tiesOf([a.graph, b.graph], chosen.pulled, regularisation);
  await optimizeLayout(y, beside(a.graph, b.graph), movesOf(a.s), options, ties);
  const places = [y.slice(0, a.start.y.length), y.slice(a.start.y.length)];
  const measure = (some: Pairs) => pairsApart(cloud(places[0]), cloud(places[1]), some, seed);
  const pulled = measure(chosen.pulled);
  const rest = chosen.heldOut.a.length >= 2 ? measure(chosen.heldOut) : undefined;
  const about = words(pulled, rest, regularisation);
  const identity = [xa, xb].flatMap((x) => [`${x.rows} ${x.cols}`, x.data]);
  const plane = sha256(['plane', `${regularisation} ${heldOut} ${seed}`, ...identity, pairs.a, pairs.b]);
  const layouts = [a, b].map(({ x, kept, s, start }, side): Layout => {
    const alone = layoutOf(
      { y: places[side], start, settings: s },
      {
        identity: ['aligned', `${side} ${regularisation} ${heldOut}`, ...identity, pairs.a, pairs.b],
        ...{ near: `n_neighbors ${s.nNeighbors}`, index: kept.index, points: x.rows },
      },
    );
    return {
      ...alone,
      plane,
      description: `${alone.description}; ${about}`,
      parameters: { ...alone.parameters, regularisation, heldOut },
    };
  });
  return { layouts: [layouts[0], layouts[1]], pulled, ...(rest && { heldOut: rest }) };
}
