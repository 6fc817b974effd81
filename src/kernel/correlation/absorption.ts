/**
 * Absorption between two widths, after SAEBench (Chanin et al., arXiv 2409.14507) with the feature of the small SAE in
 * the place of a probe: on tokens where the parent fires and its main feature in the large SAE is silent, does another
 * feature that fires there supply the parent's direction? The functional test takes it out of the reconstruction.
 */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { row, type Matrix } from '../compute/matrix.js';
import { Random } from '../compute/random.js';
import type { Partners } from './pearson.js';
import type { AbsorptionCandidate, SplittingSettings } from './splittingTypes.js';
import type { Firings } from './tokenHalves.js';

/** Decoders of one width of activation. */
export interface Decoders {
  small: Matrix;
  large: Matrix;
}

/** Candidates looked at for a parent: those on most of its tokens. */
const PER_PARENT = 3;
/** A candidate fires on at least this share of the tokens on which the main feature is silent. */
const LEAST_OF_SILENT = 0.1;

/** What the features of the large SAE write along one parent's direction, looked up as they are met. */
class Along {
  private readonly unit: Float64Array;
  private readonly known = new Map<number, number>();

  constructor(
    { small }: Decoders,
    private readonly large: Matrix,
    parent: number,
  ) {
    const v = row(small, parent);
    const norm = Math.hypot(...v);
    this.unit = Float64Array.from(v, (x) => (norm > 0 ? x / norm : 0));
  }

  /** Decoder row · unit direction of the parent. */
  of(feature: number): number {
    let dot = this.known.get(feature);
    if (dot === undefined) {
      const d = row(this.large, feature);
      dot = this.unit.reduce((s, x, j) => s + x * d[j], 0);
      this.known.set(feature, dot);
    }
    return dot;
  }

  cosine(feature: number): number {
    const norm = Math.hypot(...row(this.large, feature));
    return norm > 0 ? this.of(feature) / norm : 0;
  }
}

/** Tokens on which the parent fires and the main feature does not. */
function silentTokens(small: Firings, large: Firings, parent: number, main: number): Uint32Array {
  const fires = new Set(large.tokensOf(main));
  return small.tokensOf(parent).filter((t) => !fires.has(t));
}

/** Features that fire on some tokens, with how often; most first. */
function firingOn({ rows }: Firings, tokens: Uint32Array): Array<[feature: number, tokens: number]> {
  const counts = new Map<number, number>();
  for (const t of tokens)
    for (let p = rows.indptr[t]; p < rows.indptr[t + 1]; p++) {
      const f = rows.indices[p];
      counts.set(f, (counts.get(f) ?? 0) + 1);
    }
  return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
}

interface Test {
  lost: number;
  nullLost: number;
  p: number;
}

/**
 * Share of the reconstruction along the parent that a feature supplies on tokens where it fires, beside others there.
 */
function functionalTest(
  { rows }: Firings,
  tokens: Uint32Array,
  absorber: number,
  along: Along,
  runs: number,
  random: Random,
): Test {
  // prettier-ignore
  let own = 0;
  let total = 0;
  const others: number[][] = [];
  for (const t of tokens) {
    const parts: number[] = [];
    let supplied = 0;
    for (let p = rows.indptr[t]; p < rows.indptr[t + 1]; p++) {
      const part = rows.values[p] * along.of(rows.indices[p]);
      total += part;
      if (rows.indices[p] === absorber) supplied = part;
      else parts.push(part);
    }
    own += supplied;
    if (parts.length > 0) others.push(parts);
  }
  // Without a reconstruction along the parent there is nothing to lose.
  if (!(total > 0)) return { lost: NaN, nullLost: NaN, p: 1 };
  let sum = 0;
  let reached = 0;
  for (let run = 0; run < runs; run++) {
    const drawn = others.reduce((s, parts) => s + parts[random.int(parts.length)], 0);
    sum += drawn;
    if (drawn >= own) reached++;
  }
  return { lost: own / total, nullLost: sum / runs / total, p: (reached + 1) / (runs + 1) };
}

/** @param mains the feature of the large SAE that correlates best with each of the small */
export async function absorptionCandidates(
  [small, large]: readonly [Firings, Firings],
  mains: Partners,
  decoders: Decoders | undefined,
  settings: SplittingSettings,
  call: CallOptions = {},
): Promise<AbsorptionCandidate[]> {
  const { least, minTokens, leastLost, runs, seed } = settings;
  const random = new Random(seed).fork('absorption');
  const found: AbsorptionCandidate[] = [];
  for (let parent = 0; parent < small.store.meta.features; parent++) {
    checkAborted(call.signal, 'absorption');
    const main = mains.index[parent];
    if (main < 0 || mains.r[parent] < least) continue;
    const silent = silentTokens(small, large, parent, main);
    if (silent.length < minTokens) continue;
    const along = decoders && new Along(decoders, decoders.large, parent);
    const enough = Math.max(minTokens, LEAST_OF_SILENT * silent.length);
    const candidates = firingOn(large, silent).filter(([f, n]) => f !== main && n >= enough);
    for (const [absorber, tokens] of candidates.slice(0, PER_PARENT)) {
      const on = new Set(large.tokensOf(absorber));
      const both = silent.filter((t) => on.has(t));
      const test: Test = along
        ? functionalTest(large, both, absorber, along, runs, random.fork(`${parent} ${absorber}`))
        : { lost: NaN, nullLost: NaN, p: NaN };
      found.push({
        ...{ parent, main, absorber, tokens, ofSilent: tokens / silent.length },
        cosine: along ? along.cosine(absorber) : NaN,
        ...test,
        absorbs: test.lost >= leastLost && test.p <= 0.05,
      });
    }
    await breathe();
  }
  return found.sort((a, b) => b.tokens - a.tokens || a.parent - b.parent || a.absorber - b.absorber);
}
