/** All that a page says of features: contexts, histogram, tokens, logit lens, neighbours, company, counterparts. */
import type { FeatureExample } from '../../protocol/bundle.js';
import { HISTOGRAM_BINS, type AboutFeature } from '../../protocol/feature.js';
import { bandedExamples, allExamples } from '../activations/examples.js';
import { everyFiring } from '../activations/firings.js';
import type { CoFirings } from '../activations/together.js';
import { tokenStatistics } from '../activations/tokenStatistics.js';
import type { SparseActivations } from '../activations/types.js';
import type { CallOptions } from '../compute/call.js';
import { cosines } from '../compute/cosines.js';
import { matrix, row, type Matrix } from '../compute/matrix.js';
import { topKRows } from '../compute/topk.js';
import type { LanguageModel } from '../models/types.js';
import { logitLens, type PromotedToken } from '../sae/logitLens.js';
import type { Sae } from '../sae/types.js';

/** A map to another SAE, seen from the page's side: best first, `kept` a feature; -1 = none. */
export interface Pairing {
  other: SparseActivations;
  method: string;
  tokens: number;
  kept: number;
  best: Int32Array;
  r: Float32Array;
}

/** What the facts of a page are worked out from. */
export interface PageParts {
  activations: SparseActivations;
  sae?: Sae;
  model?: LanguageModel;
  pairings: readonly Pairing[];
}

export interface FeatureFacts {
  examples: FeatureExample[];
  about: AboutFeature;
}

/** Contexts of a feature: the largest activations, of every quarter of the firings, and of all firings. */
const CONTEXTS = { top: 8, bands: 4, perBand: 2, random: 4, before: 24, after: 16 };
const LISTED = { tokens: 12, positions: 6, lens: 10, nearest: 8, together: 8, counterparts: 3 };

/** Digits that are shown; fewer make a page a third as large. */
const rounded = (v: number): number => Number(v.toPrecision(4));

async function contextsOf(activations: SparseActivations, features: readonly number[], call: CallOptions) {
  const { top, bands, perBand, random, before, after } = CONTEXTS;
  const shared = { features, before, after, ...call };
  const banded = await bandedExamples(activations, { ...shared, top, count: bands, perBand });
  const drawn = await bandedExamples(activations, { ...shared, top: 0, count: 1, perBand: random, seed: 1 });
  return features.map((f) =>
    [...allExamples(banded[f]), ...allExamples(drawn[f])].map((example) => ({
      ...example,
      value: rounded(example.value),
      activations: example.activations.map(rounded),
    })),
  );
}

async function histogramsOf(activations: SparseActivations, features: readonly number[], call: CallOptions) {
  const { max } = activations.statistics;
  const at = new Int32Array(activations.meta.features).fill(-1);
  features.forEach((f, i) => (at[f] = i));
  const bars = new Uint32Array(features.length * HISTOGRAM_BINS);
  await everyFiring(activations, 'histograms', call, (f, _, value) => {
    if (at[f] < 0) return;
    const bin = Math.min(HISTOGRAM_BINS - 1, Math.floor((value / max[f]) * HISTOGRAM_BINS));
    bars[at[f] * HISTOGRAM_BINS + bin]++;
  });
  return features.map((_, i) => [...bars.subarray(i * HISTOGRAM_BINS, (i + 1) * HISTOGRAM_BINS)]);
}

/** The decoder rows of some features. */
function rowsOf({ W_dec }: Sae, features: readonly number[]): Matrix {
  const data = new Float32Array(features.length * W_dec.cols);
  features.forEach((f, i) => data.set(row(W_dec, f), i * W_dec.cols));
  return matrix(features.length, W_dec.cols, data);
}

async function nearestOf(sae: Sae, features: readonly number[], call: CallOptions) {
  const likeness = await cosines(rowsOf(sae, features), sae.W_dec, call, ["page's", 'whole']);
  const k = Math.min(LISTED.nearest + 1, sae.W_dec.rows);
  const best = topKRows(likeness.data, likeness.rows, likeness.cols, k);
  return features.map((own, i) =>
    Array.from({ length: k }, (_, j) => ({
      feature: best.indices[i * k + j],
      cosine: rounded(best.values[i * k + j]),
    }))
      .filter(({ feature }) => feature !== own)
      .slice(0, LISTED.nearest),
  );
}

/** Whether what the SAE writes can be read through the unembedding. */
export const isRead = (sae: Sae | undefined, model: LanguageModel | undefined): boolean =>
  sae !== undefined && model !== undefined && sae.W_dec.cols === model.config.dModel;

async function lensOf(sae: Sae, model: LanguageModel, features: readonly number[], call: CallOptions) {
  const some: Sae = { ...sae, config: { ...sae.config, dSae: features.length }, W_dec: rowsOf(sae, features) };
  const top = Math.min(LISTED.lens, Math.floor(model.config.vocab / 2));
  const read = await logitLens(model, some, { top, bottom: top, ...call });
  const shown = ({ token, logit }: PromotedToken) => ({ token, logit: rounded(logit) });
  return read.map((tokens) => ({
    promoted: tokens.slice(0, top).map(shown),
    // `bottom` lists the most lowered token last.
    suppressed: tokens.slice(top).reverse().map(shown),
  }));
}

const counterpartsOf = ({ kept, best, r }: Pairing, feature: number) =>
  Array.from({ length: Math.min(kept, LISTED.counterparts) }, (_, k) => ({
    feature: best[feature * kept + k],
    r: rounded(r[feature * kept + k]),
  })).filter((each) => each.feature >= 0);

/** What a page shows of features, worked out when it is asked for. */
export class FactsOf {
  constructor(
    private readonly parts: PageParts,
    /** Firings by token, read once. */
    private readonly coFirings: () => Promise<CoFirings>,
  ) {}

  /** Facts in the order of the features. @throws RangeError for a feature outside the store */
  async of(features: readonly number[], call: CallOptions): Promise<FeatureFacts[]> {
    const { activations, sae, model, pairings } = this.parts;
    const tokens = await tokenStatistics(activations, { features, top: LISTED.tokens, ...call });
    const examples = await contextsOf(activations, features, call);
    const histograms = await histogramsOf(activations, features, call);
    const together = await this.coFirings();
    const nearest = sae && (await nearestOf(sae, features, call));
    const read = sae && model && isRead(sae, model) ? await lensOf(sae, model, features, call) : undefined;
    return features.map((f, i) => ({
      examples: examples[i],
      about: {
        histogram: histograms[i],
        tokens: tokens[i].tokens.map((t) => ({ ...t, share: rounded(t.share), mean: rounded(t.mean) })),
        distinct: tokens[i].distinct,
        positions: tokens[i].positions.slice(0, LISTED.positions),
        ...{ first: tokens[i].first, special: tokens[i].special, punctuation: tokens[i].punctuation },
        together: together.of(f, LISTED.together).map((t) => ({ ...t, phi: rounded(t.phi) })),
        counterparts: pairings.map((pairing) => counterpartsOf(pairing, f)),
        ...(nearest && { nearest: nearest[i] }),
        ...read?.[i],
      },
    }));
  }
}
