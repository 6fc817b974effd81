/**
 * Dataset examples: tokens on which a feature fires, each in its context: the largest activations, and draws from
 * bands.
 */
import { filled } from '../verb/filled.js';
import type { ExampleBand, FeatureExample } from '../../protocol/bundle.js';
import type { CallOptions } from '../compute/call.js';
import type { Given } from '../verb/option.js';
import { BandDraws, bandEnds } from './bands.js';
import { Contexts, readExamples, type Peak } from './contexts.js';
import { everyFiring } from './firings.js';
import { EXAMPLES, WINDOW, BAND, type BandOptions } from './options.js';
import type { SparseActivations } from './types.js';

export type TopExamplesOptions = Given<typeof EXAMPLES> & CallOptions;

export type BandedExamplesOptions = TopExamplesOptions & Partial<BandOptions>;

/** Examples of a feature: its largest activations, and some of every band of its activations. */
export interface BandedExamples {
  readonly feature: number;
  /** The largest activations, best first. */
  readonly top: readonly FeatureExample[];
  /** The highest band first, with its firings and the examples that were drawn from it; [] for a dead feature. */
  readonly bands: ReadonlyArray<ExampleBand & { readonly examples: readonly FeatureExample[] }>;
}

/**
 * The `top` largest activations of each feature with their windows, best first; ties go to the earlier token. The result
 * is indexed by feature id: dead features and features not asked for have []. With dedupe the best distinct
 * contexts are exact, each shown at its best (then earliest) place. Two passes over the shards: one selects, one reads
 * the windows' activations. Memory: 12 bytes per feature and example, and the token ids.
 */
export async function topExamples(
  activations: SparseActivations,
  options: TopExamplesOptions = {},
): Promise<FeatureExample[][]> {
  const { best, contexts } = await selected(activations, options);
  const peaks = Array.from({ length: activations.meta.features }, (_, f) => best.peaks(f));
  const examples = await readExamples(activations, contexts, peaks.flat(), options);
  let next = 0;
  return peaks.map((own) => examples.slice(next, (next += own.length)));
}

/**
 * topExamples, and `perBand` (default 1) contexts drawn from each of `count` (default 4) bands of the feature's
 * activations, uniformly among the different contexts whose activation lies in the band; none is shown twice. By
 * feature id; `top` and `bands` are [] for dead features and for features not asked for. One pass more than topExamples
 * for 'quantile' bands (the default), and as many again as the activations exceed 64 MB.
 */
export async function bandedExamples(
  activations: SparseActivations,
  options: BandedExamplesOptions = {},
): Promise<BandedExamples[]> {
  const { features } = activations.meta;
  const { count, by, perBand, seed } = filled(BAND, options);
  const { best, contexts, draws } = await selected(activations, options, { count, by, perBand, seed });
  const { firings } = activations.statistics;
  const wanted = wantedFeatures(features, options.features);
  const lists = Array.from({ length: features }, (_, f) => {
    const top = best.peaks(f);
    const tokens = Array.from(top, ({ token }) => token);
    const fires = draws && wanted[f] === 1 && firings[f] > 0;
    return { top, bands: fires ? draws.drawn(f, tokens) : [] };
  });
  const peaks = lists.flatMap(({ top, bands }) => [...top, ...bands.flatMap((each) => each.peaks)]);
  const examples = await readExamples(activations, contexts, peaks, options);
  let next = 0;
  const take = (n: number): FeatureExample[] => examples.slice(next, (next += n));
  return lists.map(({ top, bands }, feature) => ({
    feature,
    top: take(top.length),
    bands: bands.map(({ band, peaks: own }) => ({ ...band, examples: take(own.length) })),
  }));
}

/** The examples of a feature as one list: the largest activations, then those of the bands, the highest first. */
export const allExamples = ({ top, bands }: BandedExamples): FeatureExample[] => [
  ...top,
  ...bands.flatMap(({ examples }) => examples),
];

/** Selects peaks in one pass; with `bands`, their ends are found first. */
async function selected(
  activations: SparseActivations,
  options: TopExamplesOptions,
  bands?: BandOptions,
): Promise<{ best: BestTokens; contexts: Contexts; draws?: BandDraws }> {
  const { features, context } = activations.meta;
  const window = { before: options.before ?? WINDOW.before.usual, after: options.after ?? WINDOW.after.usual };
  const top = options.top ?? EXAMPLES.top.usual;
  const wanted = wantedFeatures(features, options.features);
  const contexts = new Contexts(await activations.tokenIds(), context, window, options.dedupe ?? EXAMPLES.dedupe.usual);
  const best = new BestTokens(features, top, contexts);
  let draws: BandDraws | undefined;
  if (bands && bands.count > 0)
    draws = new BandDraws(features, bands, await bandEnds(activations, wanted, bands, options), contexts, top);
  await everyFiring(activations, 'dataset examples', options, (f, token, value) => {
    if (!wanted[f]) return;
    best.add(f, token, value);
    draws?.add(f, token, value);
  });
  return { best, contexts, draws };
}

function wantedFeatures(features: number, ids: ArrayLike<number> | undefined): Uint8Array {
  const wanted = new Uint8Array(features);
  if (!ids) return wanted.fill(1);
  for (let i = 0; i < ids.length; i++) {
    if (!Number.isInteger(ids[i]) || ids[i] < 0 || ids[i] >= features) {
      throw new RangeError(`feature ${ids[i]} does not exist: features are 0 to ${features - 1}`);
    }
    wanted[ids[i]] = 1;
  }
  return wanted;
}

/** Slots f·k … f·k + count[f] - 1 hold the best tokens of feature f so far, best first. */
class BestTokens {
  private readonly value: Float32Array;
  private readonly token: Int32Array;
  private readonly count: Int32Array;
  /** Value a token must beat once the slots are full. */
  private readonly bar: Float32Array;

  constructor(
    features: number,
    private readonly k: number,
    private readonly contexts: Contexts,
  ) {
    this.value = new Float32Array(features * k);
    this.token = new Int32Array(features * k);
    this.count = new Int32Array(features);
    this.bar = new Float32Array(features).fill(k === 0 ? Infinity : 0);
  }

  /** Firings come in order of their tokens: an equal value later in the text never replaces an earlier one. */
  add(f: number, token: number, value: number): void {
    if (!(value > this.bar[f])) return;
    const { k } = this;
    const base = f * k;
    let last = base + this.count[f];
    for (let s = base; s < last; s++) {
      if (!this.contexts.same(this.token[s], token)) continue;
      if (value <= this.value[s]) return;
      // The context is there already, at a lower value: it moves up from its slot.
      this.place(base, s, value, token);
      this.bar[f] = this.count[f] === k ? this.value[base + k - 1] : 0;
      return;
    }
    if (this.count[f] < k) {
      this.count[f]++;
      last++;
    }
    this.place(base, last - 1, value, token);
    if (this.count[f] === k) this.bar[f] = this.value[base + k - 1];
  }

  /** Puts a token above all lower values, dropping what was in `slot`. */
  private place(base: number, slot: number, value: number, token: number): void {
    while (slot > base && this.value[slot - 1] < value) {
      this.value[slot] = this.value[slot - 1];
      this.token[slot] = this.token[slot - 1];
      slot--;
    }
    this.value[slot] = value;
    this.token[slot] = token;
  }

  /** Peaks of a feature, best first. */
  peaks(feature: number): Peak[] {
    return Array.from({ length: this.count[feature] }, (_, i) => {
      const slot = feature * this.k + i;
      return { feature, token: this.token[slot], value: this.value[slot] };
    });
  }
}
