/**
 * Text worlds: generated stories whose tokens carry concepts, so that features of a real SAE on a real model can be
 * held against truth. A feature detects a concept with
 *
 *   precision = tokens of the concept on which it fires / tokens on which it fires
 *   recall    = tokens of the concept on which it fires / tokens of the concept
 *   F1        = their harmonic mean
 *
 * The best of thousands of features has a high F1 by chance: every best value stands beside the best of the same
 * features on concepts that were moved off their tokens.
 */
import { filled } from '../../verb/filled.js';
import { requireSame } from '../../artifacts/identity.js';
import type { SparseActivations } from '../../activations/types.js';
import { breathe, checkAborted, type CallOptions } from '../../compute/call.js';
import { requireMemory } from '../../compute/memory.js';
import { Random } from '../../compute/random.js';
import { besideNull } from '../../correlation/nulls.js';
import type { SimilarityScore } from '../../correlation/types.js';
import type { TokenSet } from '../../models/types.js';
import { nullsOf } from '../../verb/common.js';
import type { NullsApart } from '../../verb/nulls.js';
import { real, whole, type Given } from '../../verb/option.js';

/** Bumped when the same inputs give other scores. */
export const CONCEPTS_VERSION = 1;

export const CONCEPTS = {
  threshold: real({
    doc: 'A feature fires where it exceeds this share of its largest activation; 0: wherever it is active.',
    min: 0,
    below: 1,
    usual: 0,
  }),
  minFirings: whole({ doc: "Features that fire more rarely are nobody's best.", min: 1, usual: 10 }),
  minTokens: whole({ doc: 'Concepts of fewer tokens are left out.', min: 1, usual: 10 }),
  nulls: nullsOf(['rotate', 'types'], {
    doc: "Concepts off their tokens. 'rotate': the concepts of all tokens, moved along the text by a random distance of at least one sequence. 'types': the concepts of the vocabulary's tokens, dealt out anew among the tokens that occur; harder, since a feature of one word stays one.",
    runs: 50,
  }),
};
export interface ConceptParameters extends NullsApart<Given<typeof CONCEPTS>> {}

export interface ConceptRow {
  concept: string;
  /** Tokens that carry it. */
  tokens: number;
  /** Its best feature by F1 (ties to the lower); −1 when no feature fires on it. */
  feature: number;
  firings: number;
  precision: number;
  recall: number;
  f1: number;
  /** The same for concepts moved off their tokens: mean and maximum of the best F1. */
  nullMean: number;
  nullMax: number;
  /** (k + 1)/(R + 1), k = null runs with a best F1 of at least this one's. */
  p: number;
}

export interface ConceptScores {
  /** Names of the concepts that were scored, and what identifies each in the token set. */
  names: string[];
  ids: Int32Array;
  /** One per concept, best F1 first. */
  concepts: ConceptRow[];
  /** By feature: its best concept by F1 (index into names, −1 = none, also for rare features), and how well. */
  ofFeature: {
    concept: Int32Array;
    precision: Float32Array;
    recall: Float32Array;
    f1: Float32Array;
    firings: Uint32Array;
  };
  /** features × (names + 1), row-major: tokens on which the feature fires, by concept (last: of no concept). */
  coFirings: Uint32Array;
  /** Mean best F1 over concepts and over features, beside the null. */
  scores: SimilarityScore[];
  /**
   * names × (names + 1), row-major: share of the tokens of concept c′ (last column: of no concept) on which the best
   * feature of concept c fires. A diagonal of ones is perfect.
   */
  confusion: Float32Array;
  tokens: number;
  /** Features with at least minFirings firings. */
  usable: number;
  parameters: Required<ConceptParameters>;
}

/** Options with their defaults. */
export function conceptSettings(o: ConceptParameters): Required<ConceptParameters> {
  const { kind, runs, seed } = CONCEPTS.nulls.members;
  const { threshold, minFirings, minTokens } = filled(CONCEPTS, o);
  return {
    threshold,
    minFirings,
    minTokens,
    null: o.null ?? kind.usual,
    nulls: o.nulls ?? runs.usual,
    seed: o.seed ?? seed.usual,
  };
}

/** Tokens on which features fire, feature by feature within each token; what every run counts. */
interface Fires {
  tokens: number;
  features: number;
  indptr: Uint32Array;
  indices: Int32Array;
  firings: Uint32Array;
}

async function firesOf(activations: SparseActivations, threshold: number, call: CallOptions): Promise<Fires> {
  const { tokens, features, nonZeros } = activations.meta;
  requireMemory('firings of all features', 4 * (nonZeros + tokens));
  const bar = activations.statistics.max.map((max) => threshold * max);
  const fires: Fires = {
    tokens,
    features,
    indptr: new Uint32Array(tokens + 1),
    indices: new Int32Array(nonZeros),
    firings: new Uint32Array(features),
  };
  let at = 0;
  for await (const { firstToken, rows } of activations.shards()) {
    checkAborted(call.signal, 'concepts');
    for (let t = 0; t < rows.rows; t++) {
      for (let p = rows.indptr[t]; p < rows.indptr[t + 1]; p++) {
        const f = rows.indices[p];
        if (!(rows.values[p] > bar[f])) continue;
        fires.indices[at++] = f;
        fires.firings[f]++;
      }
      fires.indptr[firstToken + t + 1] = at;
    }
    await breathe();
  }
  return { ...fires, indices: fires.indices.subarray(0, at) };
}

/** Concepts by token, −1 = left out or none, and their sizes. */
interface Labelling {
  names: string[];
  ids: Int32Array;
  of: Int16Array;
}

function labelling(tokens: TokenSet, minTokens: number): Labelling {
  const { concepts } = tokens;
  if (!concepts)
    throw new Error(
      'these tokens carry no concepts: make them with fg.datasets.stories, or tokenizeTexts with { concepts }',
    );
  const sizes = new Uint32Array(256);
  for (const id of concepts.ids) sizes[id]++;
  const ids = Int32Array.from(concepts.names.keys()).filter((id) => id > 0 && sizes[id] >= minTokens);
  if (ids.length === 0)
    throw new RangeError(`no concept has ${minTokens} tokens or more among ${tokens.tokens.length}; use more text`);
  const index = new Int16Array(256).fill(-1);
  ids.forEach((id, i) => (index[id] = i));
  return {
    names: Array.from(ids, (id) => concepts.names[id]),
    ids,
    of: Int16Array.from(concepts.ids, (id) => index[id]),
  };
}

/** Co-firing counts features × concepts (last column: no concept), and tokens per concept. */
function count(fires: Fires, of: Int16Array, concepts: number): { both: Uint32Array; sizes: Uint32Array } {
  const width = concepts + 1;
  const both = new Uint32Array(fires.features * width);
  const sizes = new Uint32Array(width);
  for (let t = 0; t < fires.tokens; t++) {
    const c = of[t] < 0 ? concepts : of[t];
    sizes[c]++;
    for (let p = fires.indptr[t]; p < fires.indptr[t + 1]; p++) both[fires.indices[p] * width + c]++;
  }
  return { both, sizes };
}

interface BestOf {
  /** [concepts] and [features]: index of the best of the other kind, −1 = none. */
  feature: Int32Array;
  conceptF1: Float64Array;
  concept: Int32Array;
  featureF1: Float64Array;
}

function bestPairs(
  both: Uint32Array,
  sizes: Uint32Array,
  firings: Uint32Array,
  usable: Uint8Array,
  concepts: number,
): BestOf {
  const width = concepts + 1;
  const best: BestOf = {
    feature: new Int32Array(concepts).fill(-1),
    conceptF1: new Float64Array(concepts),
    concept: new Int32Array(firings.length).fill(-1),
    featureF1: new Float64Array(firings.length),
  };
  for (let f = 0; f < firings.length; f++) {
    if (!usable[f]) continue;
    for (let c = 0; c < concepts; c++) {
      const hits = both[f * width + c];
      if (hits === 0) continue;
      const f1 = (2 * hits) / (firings[f] + sizes[c]);
      if (f1 > best.conceptF1[c]) [best.conceptF1[c], best.feature[c]] = [f1, f];
      if (f1 > best.featureF1[f]) [best.featureF1[f], best.concept[f]] = [f1, c];
    }
  }
  return best;
}

/** The labelling of one null run. */
function moved(labels: Labelling, tokens: TokenSet, kind: 'rotate' | 'types', random: Random): Int16Array {
  const n = labels.of.length;
  const out = new Int16Array(n);
  if (kind === 'rotate') {
    const shift = tokens.context + random.int(n - 2 * tokens.context + 1);
    for (let t = 0; t < n; t++) out[t] = labels.of[(t + shift) % n];
    return out;
  }
  const { types, of } = majority(labels, tokens);
  const dealt = new Map<number, number>();
  const order = random.permutation(types.length);
  types.forEach((type, i) => dealt.set(type, of[order[i]]));
  for (let t = 0; t < n; t++) out[t] = dealt.get(tokens.tokens[t])!;
  return out;
}

/** Tokens of the vocabulary that occur, and the concept each most often has (ties: the lower; −1 = none). */
function majority(labels: Labelling, tokens: TokenSet): { types: number[]; of: number[] } {
  const counts = new Map<number, Map<number, number>>();
  tokens.tokens.forEach((type, t) => {
    let of = counts.get(type);
    if (!of) counts.set(type, (of = new Map()));
    of.set(labels.of[t], (of.get(labels.of[t]) ?? 0) + 1);
  });
  const types = [...counts.keys()].sort((a, b) => a - b);
  const of = types.map((type) => [...counts.get(type)!].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0][0]);
  return { types, of };
}

const meanOf = (values: ArrayLike<number>, keep?: (i: number) => boolean): number => {
  let sum = 0;
  let n = 0;
  for (let i = 0; i < values.length; i++) {
    if (keep && !keep(i)) continue;
    sum += values[i];
    n++;
  }
  return sum / n;
};

/**
 * Features against the concepts of their tokens: the best feature of every concept, the best concept of every feature,
 * and what the best features fire on. Throws when the activations are of other tokens, when the tokens carry no
 * concepts, and when no concept is frequent enough.
 */
export async function conceptScores(
  activations: SparseActivations,
  tokens: TokenSet,
  options: ConceptParameters & CallOptions = {},
): Promise<ConceptScores> {
  const s = conceptSettings(options);
  requireSame(
    'concepts are held against activations of the same tokens',
    { name: `activations of ${activations.meta.sae.name}`, id: activations.meta.tokenSet.id },
    { name: 'tokens', id: tokens.id },
  );
  const labels = labelling(tokens, s.minTokens);
  const concepts = labels.names.length;
  if (s.null === 'rotate' && s.nulls > 0 && tokens.sequences < 2)
    throw new RangeError("the null 'rotate' needs at least 2 sequences; use { null: 'types' } or more text");
  requireMemory('counts of features by concepts', 8 * activations.meta.features * (concepts + 1));
  const fires = await firesOf(activations, s.threshold, options);
  const usable = Uint8Array.from(fires.firings, (n) => (n >= s.minFirings ? 1 : 0));
  const { both, sizes } = count(fires, labels.of, concepts);
  const best = bestPairs(both, sizes, fires.firings, usable, concepts);
  const random = new Random(s.seed).fork('moved concepts');
  const nullF1 = new Float64Array(s.nulls * concepts);
  const nullFeatures = new Float64Array(s.nulls);
  for (let run = 0; run < s.nulls; run++) {
    checkAborted(options.signal, 'concepts');
    const at = count(fires, moved(labels, tokens, s.null, random), concepts);
    const chance = bestPairs(at.both, at.sizes, fires.firings, usable, concepts);
    nullF1.set(chance.conceptF1, run * concepts);
    nullFeatures[run] = meanOf(chance.featureF1, (f) => usable[f] === 1);
    options.onProgress?.({ label: 'moved concepts', done: run + 1, total: s.nulls, unit: 'runs' });
    await breathe();
  }
  return assemble({ labels, fires, both, sizes, best, usable, nullF1, nullFeatures }, s);
}

/** Counts and best F1 of the real labelling and of the null runs. */
interface Counted {
  labels: Labelling;
  fires: Fires;
  both: Uint32Array;
  sizes: Uint32Array;
  best: BestOf;
  usable: Uint8Array;
  /** [runs × concepts] best F1 of every concept, and [runs] mean best F1 of features. */
  nullF1: Float64Array;
  nullFeatures: Float64Array;
}

/** Precision and recall of feature f for concept c; 0 where either is −1. */
function ratio({ labels, fires, both, sizes }: Counted, f: number, c: number): { precision: number; recall: number } {
  if (f < 0 || c < 0) return { precision: 0, recall: 0 };
  const hits = both[f * (labels.names.length + 1) + c];
  return { precision: hits / fires.firings[f], recall: hits / sizes[c] };
}

const NULL_NAMES = { rotate: 'concepts moved along the text', types: 'concepts dealt out anew' } as const;

function conceptRows(counted: Counted, s: Required<ConceptParameters>): ConceptRow[] {
  const { labels, fires, sizes, best, nullF1 } = counted;
  return labels.names.map((concept, c) => {
    const values = Array.from({ length: s.nulls }, (_, r) => nullF1[r * labels.names.length + c]);
    const about = { metric: concept, variant: '', n: sizes[c], seed: s.seed, kind: NULL_NAMES[s.null] };
    const beside = besideNull(best.conceptF1[c], values, about);
    const feature = best.feature[c];
    return {
      concept,
      tokens: sizes[c],
      feature,
      firings: feature < 0 ? 0 : fires.firings[feature],
      ...ratio(counted, feature, c),
      f1: best.conceptF1[c],
      nullMean: beside.null.mean,
      nullMax: beside.null.max,
      p: beside.p,
    };
  });
}

/** Mean best F1 over concepts and over usable features, beside those of the null runs. */
function overall(counted: Counted, s: Required<ConceptParameters>): SimilarityScore[] {
  const { labels, best, usable, nullF1, nullFeatures } = counted;
  const concepts = labels.names.length;
  const about = { seed: s.seed, kind: NULL_NAMES[s.null] };
  const runs = Array.from({ length: s.nulls }, (_, r) => meanOf(nullF1.subarray(r * concepts, (r + 1) * concepts)));
  return [
    besideNull(meanOf(best.conceptF1), runs, {
      metric: 'best F1 of concepts',
      variant: 'mean over concepts of the F1 of their best feature',
      n: concepts,
      ...about,
    }),
    besideNull(
      meanOf(best.featureF1, (f) => usable[f] === 1),
      nullFeatures,
      {
        metric: 'best F1 of features',
        variant: `mean over features of ${s.minFirings} firings or more of the F1 with their best concept`,
        n: usable.reduce((sum, u) => sum + u, 0),
        ...about,
      },
    ),
  ];
}

function assemble(counted: Counted, s: Required<ConceptParameters>): ConceptScores {
  const { labels, fires, both, sizes, best, usable } = counted;
  const width = labels.names.length + 1;
  const rows = conceptRows(counted, s);
  const perFeature = Array.from(best.concept, (c, f) => ratio(counted, f, c));
  const confusion = new Float32Array(labels.names.length * width);
  rows.forEach(({ feature }, c) => {
    for (let other = 0; other < width && feature >= 0; other++)
      confusion[c * width + other] = sizes[other] > 0 ? both[feature * width + other] / sizes[other] : 0;
  });
  return {
    names: labels.names,
    ids: labels.ids,
    concepts: rows.sort((a, b) => b.f1 - a.f1),
    ofFeature: {
      concept: best.concept,
      precision: Float32Array.from(perFeature, (r) => r.precision),
      recall: Float32Array.from(perFeature, (r) => r.recall),
      f1: Float32Array.from(best.featureF1),
      firings: fires.firings,
    },
    coFirings: both,
    scores: overall(counted, s),
    confusion,
    tokens: fires.tokens,
    usable: usable.reduce((sum, u) => sum + u, 0),
    parameters: s,
  };
}
