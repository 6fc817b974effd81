/**
 * Splitting by activations over the same tokens. Children are chosen on one half of the sequences (a feature of the
 * large SAE belongs to the one of the small that it correlates best with) and judged on the other half, beside children
 * drawn at random among features that fire as often: a choice of the best always looks good on the tokens that it was
 * made on.
 */
import { usableFeatures, countedTokens } from '../activations/statistics.js';
import type { SparseActivations } from '../activations/types.js';
import type { CallOptions } from '../compute/call.js';
import { memoryBudget } from '../compute/memory.js';
import { Random } from '../compute/random.js';
import { centredSquares, mean } from '../compute/statistics.js';
import { bootstrapGroups, bootstrapMean } from './bootstrap.js';
import { correlationCost, spanSource } from './lists.js';
import { plainNumber, type Remember } from '../verb/remember.js';
import { nullRuns } from './nullRuns.js';
import { besideNull } from './nulls.js';
import { bestPartners, featureSums, type Partners } from './pearson.js';
import { byChildren, entropyOf, type SplitChild, type SplitParent, type Splitting, type SplittingSettings } from './splittingTypes.js'; // prettier-ignore
import { byFirings, Firings, type StorePair } from './tokenHalves.js';

/** The feature of `base` that correlates best with each of `query`. */
export async function bestOf(
  query: SparseActivations,
  base: SparseActivations,
  minFirings: number,
  call: CallOptions,
): Promise<Partners> {
  const sums = (s: SparseActivations) =>
    featureSums(s.statistics, countedTokens(s.meta), usableFeatures(s.statistics, { minFirings }));
  const { spans, rows } = await spanSource(query, base, correlationCost(query.meta, base.meta, memoryBudget() / 2));
  return bestPartners(sums(query), sums(base), spans, { ...call, n: 1, rows, label: 'children of each feature' });
}

/** How children hold a parent on the tokens that judge. */
interface Held {
  /** Share of the parent's firings on which a child fires. */
  coverage: number;
  /** By child: tokens on which it fires with the parent, each shared with the other children that fire there. */
  shares: Float64Array;
  /** By child: its firings with the parent, and its r with it. */
  inside: Uint32Array;
  r: Float64Array;
}

/** Measures children against one parent after the other. */
class Judge {
  private readonly value: Float64Array;
  private readonly children: Uint16Array;

  constructor(
    private readonly small: Firings,
    readonly large: Firings,
    private readonly tokens: number,
  ) {
    this.value = new Float64Array(small.store.meta.tokens);
    this.children = new Uint16Array(small.store.meta.tokens);
  }

  private r(product: number, p: number, c: number): number {
    const [s, l] = [this.small.store.statistics, this.large.store.statistics];
    const norms =
      centredSquares(s.sum[p], s.sumSquares[p], this.tokens) * centredSquares(l.sum[c], l.sumSquares[c], this.tokens);
    return norms > 0 ? (product - (s.sum[p] * l.sum[c]) / this.tokens) / Math.sqrt(norms) : NaN;
  }

  measure(parent: number, children: readonly number[]): Held {
    const { value, small, large } = this;
    const { starts, tokens, values } = small.columns;
    for (let i = starts[parent]; i < starts[parent + 1]; i++) value[tokens[i]] = values[i];
    const held = {
      shares: new Float64Array(children.length),
      inside: new Uint32Array(children.length),
      r: new Float64Array(children.length),
    };
    let covered = 0;
    const own = large.columns;
    children.forEach((c, k) => {
      let product = 0;
      for (let i = own.starts[c]; i < own.starts[c + 1]; i++) {
        const t = own.tokens[i];
        if (value[t] === 0) continue;
        held.inside[k]++;
        product += own.values[i] * value[t];
        if (this.children[t]++ === 0) covered++;
      }
      held.r[k] = this.r(product, parent, c);
    });
    children.forEach((c, k) => {
      for (const t of large.tokensOf(c)) if (value[t] !== 0) held.shares[k] += 1 / this.children[t];
    });
    const fires = small.tokensOf(parent);
    for (const t of fires) value[t] = this.children[t] = 0;
    return { coverage: fires.length > 0 ? covered / fires.length : NaN, ...held };
  }
}

/** Features of like firing that may stand for a child: so many ranks on either side, or a twentieth of all between. */
const RANKS = { least: 10, most: 50 };

/**
 * Draws features that fire as often, all different within one parent. The child itself is among them: a null without
 * what was found lies too low where that is much, and p would be too small.
 */
class Substitutes {
  private readonly rank: Int32Array;

  constructor(
    private readonly order: Int32Array,
    features: number,
  ) {
    this.rank = new Int32Array(features).fill(-1);
    order.forEach((f, i) => (this.rank[f] = i));
  }

  draw(children: readonly number[], random: Random): number[] {
    const taken = new Set<number>();
    const n = this.order.length;
    const ranks = Math.max(RANKS.least, Math.min(RANKS.most, Math.floor(n / 20)));
    return children.map((c) => {
      // The window grows until it holds a feature that is free; a parent may have more children than there are ranks.
      for (let reach = ranks; ; reach *= 2) {
        const from = Math.max(0, this.rank[c] - reach);
        const to = Math.min(n, this.rank[c] + reach + 1);
        const free = Array.from(this.order.subarray(from, to)).filter((f) => !taken.has(f));
        const all = from === 0 && to === n;
        if (free.length === 0 && !all) continue;
        const drawn = free.length > 0 ? free[random.int(free.length)] : c;
        taken.add(drawn);
        return drawn;
      }
    });
  }
}

function childrenOf({ index, r }: Partners, parents: number, least: number): number[][] {
  const children: number[][] = Array.from({ length: parents }, () => []);
  index.forEach((p, c) => void (p >= 0 && r[c] >= least && children[p].push(c)));
  return children;
}

const finite = (values: readonly number[]): number[] => values.filter((v) => !Number.isNaN(v));

function parentOf(
  parent: number,
  children: readonly number[],
  held: Held,
  large: Firings,
): Omit<SplitParent, 'nullCoverage' | 'p'> {
  // prettier-ignore
  const total = held.shares.reduce((s, v) => s + v, 0);
  const list: SplitChild[] = children.map((child, k) => ({
    child,
    cosine: NaN,
    r: held.r[k],
    share: total > 0 ? held.shares[k] / total : 0,
    outside: 1 - held.inside[k] / large.tokensOf(child).length,
  }));
  return {
    parent,
    children: list.sort((a, b) => b.share - a.share || a.child - b.child),
    coverage: held.coverage,
    entropy: entropyOf(list.map(({ share }) => share)),
  };
}

/** Both sides on both halves of the tokens. */
export interface Halves {
  chose: StorePair;
  judged: readonly [Firings, Firings];
}

/** A null run as it is remembered: coverage of each parent that takes part, and mean r of the substitutes. */
interface DrawnRun {
  readonly coverage: ReadonlyArray<number | string>;
  readonly r: number | string;
}

/** `stand`: the substitutes of each parent's children. */
function drawnRun(judge: Judge, taking: readonly number[], stand: readonly number[][]): DrawnRun {
  const held = taking.map((p, i) => judge.measure(p, stand[i]));
  return {
    coverage: held.map(({ coverage }) => plainNumber(coverage)),
    r: plainNumber(mean(finite(held.flatMap((one) => Array.from(one.r))))),
  };
}

/**
 * Splitting without decoders: cosines are NaN, and nothing is said of absorption. `remember` gives null runs that are
 * made already, see nullRuns.
 */
export async function splittingByActivations(
  { chose: [small, large], judged: [judgedSmall, judgedLarge] }: Halves,
  { least, minFirings, runs, seed }: SplittingSettings,
  { remember = (_, make) => make(), ...call }: CallOptions & { remember?: Remember } = {},
): Promise<Splitting> {
  const parents = small.meta.features;
  const best = await bestOf(large, small, minFirings, call);
  const children = childrenOf(best, parents, least);
  const tokens = { chose: countedTokens(small.meta), judged: countedTokens(judgedSmall.store.meta) };
  const judge = new Judge(judgedSmall, judgedLarge, tokens.judged);
  const { firings } = judgedSmall.store.statistics;
  const usable = usableFeatures(small.statistics, { minFirings });
  const taking = Array.from(children.keys()).filter((p) => usable[p] === 1 && firings[p] > 0);
  const substitutes = new Substitutes(byFirings(large, minFirings), large.meta.features);
  const random = new Random(seed).fork('splitting by activations');
  const draw = () => {
    const stand = taking.map((p) => substitutes.draw(children[p], random));
    return () => drawnRun(judge, taking, stand);
  };
  const drawn = await nullRuns(runs, draw, { what: 'splitting', remember, ...call });
  const found = taking.map((p) => parentOf(p, children[p], judge.measure(p, children[p]), judgedLarge));
  const sums = new Float64Array(taking.length);
  const reached = new Uint32Array(taking.length);
  const nulls = { coverage: new Float64Array(runs), r: new Float64Array(runs) };
  drawn.forEach(({ coverage, r: likeness }, run) => {
    const values = coverage.map(Number);
    values.forEach((v, i) => {
      sums[i] += v;
      if (v >= found[i].coverage) reached[i]++;
    });
    nulls.coverage[run] = mean(values);
    nulls.r[run] = Number(likeness);
  });
  const about = { seed, kind: 'as many features that fire as often, for each parent' };
  const rs = found.map((p) => finite(p.children.map((c) => c.r)));
  const r = rs.flat();
  const coverages = found.map((p) => p.coverage);
  const draws = random.fork('intervals');
  return {
    by: 'activations',
    small: parents,
    large: large.meta.features,
    parents: found.map((p, i) => ({ ...p, nullCoverage: sums[i] / runs, p: (reached[i] + 1) / (runs + 1) })).sort(byChildren), // prettier-ignore
    parentOf: Int32Array.from(best.index, (p, c) => (p >= 0 && best.r[c] >= least ? p : -1)),
    least,
    tokens,
    scores: [
      { ...besideNull(mean(coverages), nulls.coverage, { ...about, metric: 'coverage', variant: "mean share of a parent's firings on which a child fires", n: taking.length }), interval: bootstrapMean(coverages, draws.fork('coverage')) }, // prettier-ignore
      { ...besideNull(mean(r), nulls.r, { ...about, metric: 'child r', variant: 'mean r of children with their parents', n: r.length }), interval: bootstrapGroups(rs, draws.fork('child r')) }, // prettier-ignore
    ],
    absorption: [],
    notes: [],
  };
}
