/**
 * What interventions do to what a model predicts: logits and probabilities of tokens, the divergence of the two
 * predictions and the loss at each token, beside the same figures of directions of the same norm that mean nothing.
 */
import { breathe, checkAborted } from '../compute/call.js';
import { requireMemory } from '../compute/memory.js';
import { allFinite } from '../compute/require.js';
import { tf } from '../compute/tf.js';
import { gatherValues } from '../compute/rows.js';
import { logSumExp } from '../compute/logits.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import { renamed } from '../verb/nulls.js';
import { choice, type Given } from '../verb/option.js';
import { sequencesFrom } from './featureAttribution.js';
import type { Intervention } from './intervention.js';
import {
  directionOptions,
  directions,
  NULL_SEED,
  samples,
  SEQUENCES,
  top,
  untouched,
  type RunOptions,
} from './options.js';
import { tokenChoice, tokenIds } from './probe.js';
import { besideNulls, nullDirections, type BesideNulls, type NullSet } from './nullDirections.js';
import { sequencesOf, touchedRows, variantRuns, type VariantBlock } from './runs.js';
import { benjaminiHochberg, pairedT, wilcoxon, type PairedT } from './statistics.js';

/** Raised when the same call gives other effects on predictions. */
export const LOGIT_EFFECTS_VERSION = 3;

export const LOGIT_EFFECTS = {
  tokens: tokenChoice("Tokens looked at, such as [' king', ' queen'].", 'those whose probability moved most'),
  top: top('Tokens listed when none are chosen.'),
  positions: choice(['all', 'last'], {
    doc: "Positions looked at: 'all', or the 'last' of each sequence.",
    fallback: "'all' of datasets, 'last' of prompts",
  }),
  untouched,
  nulls: directions(0),
  samples: samples(),
};
/** The options of a call as logitEffects() takes them. */
export const logitOptions = ({ nulls, ...rest }: Given<typeof LOGIT_EFFECTS>) => ({
  ...renamed(rest, SEQUENCES),
  ...directionOptions(nulls),
});
type LogitEffectOptions = ReturnType<typeof logitOptions> & RunOptions;

export interface TokenEffect {
  token: string;
  id: number;
  /** Means over the positions looked at. */
  logitBefore: number;
  logitAfter: number;
  deltaLogit: number;
  probabilityBefore: number;
  probabilityAfter: number;
  deltaProbability: number;
  /** Tests of the sequences' mean differences of probability: mean / standard deviation, paired t, signed ranks. */
  effectSize: number;
  t: number;
  pT: number;
  /** Adjusted (Benjamini-Hochberg) over the chosen tokens, or over the whole vocabulary when none were chosen. */
  pTAdjusted: number;
  p: number;
  pAdjusted: number;
}

export interface LogitEffects {
  tokens: TokenEffect[];
  /** Positions looked at, those left out as untouched, and sequences. */
  n: number;
  untouched: number;
  sequences: number;
  /** Tokens that the adjustment of p is over. */
  tested: number;
  /** Mean KL(before ‖ after) of the next-token distributions, nats, beside the nulls. */
  kl: BesideNulls;
  /** Mean next-token loss at the positions that have a next token, nats; delta beside the nulls. */
  loss: { before: number; after: number; delta: BesideNulls; t: number; pT: number; p: number; n: number };
  /** Sum over the chosen tokens of Δ probability, beside the nulls; absent when none were chosen. */
  chosen?: BesideNulls;
  /** By position: how many tokens, mean KL, mean loss before and after. */
  perPosition: Array<{ position: number; n: number; kl: number; lossBefore: number; lossAfter: number }>;
  /** One entry per position looked at; NaN where there is no next token. */
  perToken: {
    sequence: Int32Array;
    position: Int32Array;
    token: Int32Array;
    kl: Float64Array;
    lossBefore: Float64Array;
    lossAfter: Float64Array;
  };
}

const FINAL = 'ln_final.hook_normalized';
/** Logits held at once, per side: 16 MB, and their probabilities in float64. */
const LOGITS = 1 << 22;

/** Figures of one variant over the positions looked at. */
class Tally {
  n = 0;
  kl = 0;
  lossBefore = 0;
  lossAfter = 0;
  losses = 0;
  chosen = 0;
}

/** What is kept of the intervention itself, beyond its tally. */
class Detail {
  readonly logitBefore: Float64Array;
  readonly logitAfter: Float64Array;
  readonly pBefore: Float64Array;
  readonly pAfter: Float64Array;
  /** [sequences, vocab]: sums of Δ probability. */
  readonly moves: Float64Array;
  readonly rows: Array<{
    sequence: number;
    position: number;
    token: number;
    kl: number;
    before: number;
    after: number;
  }> = [];
  readonly counts: Float64Array;
  untouched = 0;

  constructor(
    readonly vocab: number,
    sequences: number,
  ) {
    [this.logitBefore, this.logitAfter] = [new Float64Array(vocab), new Float64Array(vocab)];
    [this.pBefore, this.pAfter] = [new Float64Array(vocab), new Float64Array(vocab)];
    this.moves = new Float64Array(sequences * vocab);
    this.counts = new Float64Array(sequences);
  }
}

interface Row {
  sequence: number;
  position: number;
  token: number;
  /** The token that follows, -1 at the end. */
  next: number;
}

/** A row before: logits, probabilities in float64, and log Σ exp. One for all variants. */
interface Before {
  logits: Float32Array;
  p: Float64Array;
  lse: number;
}

/** Adds one position of one variant. */
function addRow(
  tally: Tally,
  detail: Detail | undefined,
  row: Row,
  { logits: a, p, lse }: Before,
  b: Float32Array,
  ids: readonly number[],
): void {
  const after = logSumExp(b);
  let kl = after - lse;
  for (let v = 0; v < a.length; v++) kl += p[v] * (a[v] - b[v]);
  // Sums of rounded terms may fall a hair below 0, which a divergence never does.
  kl = Math.max(0, kl);
  const lossBefore = row.next < 0 ? NaN : lse - a[row.next];
  const lossAfter = row.next < 0 ? NaN : after - b[row.next];
  tally.n++;
  tally.kl += kl;
  if (row.next >= 0) {
    tally.losses++;
    tally.lossBefore += lossBefore;
    tally.lossAfter += lossAfter;
  }
  for (const v of ids) tally.chosen += Math.exp(b[v] - after) - p[v];
  if (!detail) return;
  for (let v = 0; v < a.length; v++) {
    const q = Math.exp(b[v] - after);
    detail.logitBefore[v] += a[v];
    detail.logitAfter[v] += b[v];
    detail.pBefore[v] += p[v];
    detail.pAfter[v] += q;
    detail.moves[row.sequence * detail.vocab + v] += q - p[v];
  }
  detail.counts[row.sequence]++;
  const { sequence, position, token } = row;
  detail.rows.push({ sequence, position, token, kl, before: lossBefore, after: lossAfter });
}

async function logitsOf(model: LanguageModel, rows: Float32Array, count: number): Promise<Float32Array> {
  const logits = tf.tidy(() => model.unembed(tf.tensor3d(rows, [1, count, rows.length / count])));
  const data = (await logits.data()) as Float32Array;
  logits.dispose();
  if (allFinite(data)) return data;
  throw new Error(`${model.name} gives logits that are not finite: an edit holds NaN or a scale is too large`);
}

/** The rows of a block, and in which variants each is looked at. */
interface Kept {
  rows: Row[];
  /** Index of each row in the block. */
  at: number[];
  /** By variant, 1 for the rows that it counts. */
  counts: Uint8Array[];
}

/** Adds the rows of a block to the tallies; what is before is computed once for all variants. */
async function addBlock(
  model: LanguageModel,
  block: VariantBlock,
  { rows, at, counts }: Kept,
  tallies: readonly Tally[],
  detail: Detail,
  ids: readonly number[],
  signal?: AbortSignal,
): Promise<void> {
  const { vocab, dModel: d } = model.config;
  const step = Math.max(1, Math.floor(LOGITS / vocab));
  for (let from = 0; from < rows.length; from += step) {
    const chunk = Array.from({ length: Math.min(step, rows.length - from) }, (_, k) => from + k);
    const logits = await logitsOf(
      model,
      gatherValues(
        block.before[0].data,
        d,
        chunk.map((k) => at[k]),
      ),
      chunk.length,
    );
    const before = chunk.map((_, k): Before => {
      const row = logits.subarray(k * vocab, (k + 1) * vocab);
      const lse = logSumExp(row);
      return { logits: row, p: Float64Array.from(row, (v) => Math.exp(v - lse)), lse };
    });
    for (const [v, variant] of block.variants.entries()) {
      checkAborted(signal, 'effects on logits');
      const here = chunk.filter((k) => counts[v][k] === 1);
      if (here.length === 0) continue;
      const after = await logitsOf(
        model,
        gatherValues(
          variant.rows[0].data,
          d,
          here.map((k) => at[k]),
        ),
        here.length,
      );
      for (const [i, k] of here.entries()) {
        const row = after.subarray(i * vocab, (i + 1) * vocab);
        addRow(tallies[v], v === 0 ? detail : undefined, rows[k], before[k - from], row, ids);
        if (i % 64 === 63) await breathe();
      }
      await breathe();
    }
  }
}

/** Rows that at least one variant looks at: those that it touched, at the positions asked for. */
function keptRows(
  block: VariantBlock,
  set: TokenSet,
  offset: number,
  positions: 'all' | 'last',
  untouched: boolean,
  detail: Detail,
): Kept {
  const touched = block.variants.map(({ rows, firstEdited }) => touchedRows(block.before[0], rows[0], { firstEdited }));
  const out: Kept = { rows: [], at: [], counts: block.variants.map(() => new Uint8Array(touched[0].length)) };
  for (let i = 0; i < touched[0].length; i++) {
    const position = i % set.context;
    if (positions === 'last' && position < set.context - 1) continue;
    if (touched[0][i] === 0 && !untouched) detail.untouched++;
    if (!untouched && !touched.some((t) => t[i] === 1)) continue;
    touched.forEach((t, v) => (out.counts[v][out.rows.length] = untouched || t[i] === 1 ? 1 : 0));
    const token = block.first * set.context + i;
    out.at.push(i);
    out.rows.push({
      sequence: offset + block.first + Math.floor(i / set.context),
      position,
      token: set.tokens[token],
      next: position + 1 < set.context ? set.tokens[token + 1] : -1,
    });
  }
  return out;
}

/** Token sets of prompts, one each; a token set alone. */
function setsOf(model: LanguageModel, data: string | readonly string[] | TokenSet): TokenSet[] {
  if (typeof data === 'object' && 'tokenizer' in data) return [data];
  return sequencesFrom(model, data, undefined).map((tokens) => ({
    id: 'prompt',
    tokens,
    sequences: 1,
    context: tokens.length,
    tokenizer: model.tokenizer,
    source: {},
  }));
}

/** The tokens listed: chosen ones in the order given, else those whose probability moved most. */
async function tokenEffects(
  model: LanguageModel,
  detail: Detail,
  n: number,
  ids: readonly number[],
  top: number,
): Promise<TokenEffect[]> {
  const { vocab, counts, moves } = detail;
  const units = [...counts.keys()].filter((s) => counts[s] > 0);
  const family = ids.length > 0 ? ids : Array.from({ length: vocab }, (_, v) => v);
  const tests: Array<PairedT & { signed: number }> = [];
  for (const [k, v] of family.entries()) {
    const d = units.map((s) => moves[s * vocab + v] / counts[s]);
    tests.push({ ...pairedT(d), signed: units.length < 2 ? NaN : wilcoxon(d).p });
    if (k % 512 === 511) await breathe();
  }
  const qT = benjaminiHochberg(tests.map((t) => t.p));
  const q = benjaminiHochberg(tests.map((t) => t.signed));
  const effects = family.map((id, k): TokenEffect => ({
    token: model.tokenizer.piece(id),
    id,
    logitBefore: detail.logitBefore[id] / n,
    logitAfter: detail.logitAfter[id] / n,
    deltaLogit: (detail.logitAfter[id] - detail.logitBefore[id]) / n,
    probabilityBefore: detail.pBefore[id] / n,
    probabilityAfter: detail.pAfter[id] / n,
    deltaProbability: (detail.pAfter[id] - detail.pBefore[id]) / n,
    effectSize: tests[k].effectSize,
    t: tests[k].t,
    pT: tests[k].p,
    pTAdjusted: qT[k],
    p: tests[k].signed,
    pAdjusted: q[k],
  }));
  if (ids.length > 0) return effects;
  return effects
    .sort((a, b) => Math.abs(b.deltaProbability) - Math.abs(a.deltaProbability) || a.id - b.id)
    .slice(0, top);
}

/** Means by position, of positions that were looked at. */
function byPosition(rows: Detail['rows']): LogitEffects['perPosition'] {
  const positions = new Map<number, Detail['rows']>();
  for (const row of rows) positions.set(row.position, [...(positions.get(row.position) ?? []), row]);
  const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  return [...positions.keys()]
    .sort((a, b) => a - b)
    .map((position) => {
      const here = positions.get(position)!;
      const losses = here.filter((r) => !Number.isNaN(r.before));
      return {
        position,
        n: here.length,
        kl: mean(here.map((r) => r.kl)),
        lossBefore: mean(losses.map((r) => r.before)),
        lossAfter: mean(losses.map((r) => r.after)),
      };
    });
}

/** The loss's differences by sequence. */
function lossTests(rows: Detail['rows'], sequences: number): { t: number; pT: number; p: number } {
  const [sum, n] = [new Float64Array(sequences), new Float64Array(sequences)];
  for (const r of rows)
    if (!Number.isNaN(r.before)) {
      sum[r.sequence] += r.after - r.before;
      n[r.sequence]++;
    }
  const d = [...n.keys()].filter((s) => n[s] > 0).map((s) => sum[s] / n[s]);
  const { t, p: pT } = pairedT(d);
  return { t, pT, p: d.length < 2 ? NaN : wilcoxon(d).p };
}

async function resultOf(
  model: LanguageModel,
  detail: Detail,
  tallies: readonly Tally[],
  ids: readonly number[],
  sets: readonly NullSet[],
  options: LogitEffectOptions,
): Promise<LogitEffects> {
  const { top = LOGIT_EFFECTS.top.usual, seed = NULL_SEED.usual } = options;
  const [own, ...nulls] = tallies;
  const beside = (of: (tally: Tally) => number): BesideNulls => besideNulls(of(own), nulls.map(of), sets, seed);
  const column = (of: (row: Detail['rows'][number]) => number) => detail.rows.map(of);
  return {
    tokens: own.n === 0 ? [] : await tokenEffects(model, detail, own.n, ids, top),
    n: own.n,
    untouched: detail.untouched,
    sequences: detail.counts.filter((c) => c > 0).length,
    tested: ids.length > 0 ? ids.length : detail.vocab,
    kl: beside((t) => t.kl / t.n),
    loss: {
      before: own.lossBefore / own.losses,
      after: own.lossAfter / own.losses,
      delta: beside((t) => (t.lossAfter - t.lossBefore) / t.losses),
      ...lossTests(detail.rows, detail.counts.length),
      n: own.losses,
    },
    ...(ids.length > 0 ? { chosen: beside((t) => t.chosen / t.n) } : {}),
    perPosition: byPosition(detail.rows),
    perToken: {
      sequence: Int32Array.from(column((r) => r.sequence)),
      position: Int32Array.from(column((r) => r.position)),
      token: Int32Array.from(column((r) => r.token)),
      kl: Float64Array.from(column((r) => r.kl)),
      lossBefore: Float64Array.from(column((r) => r.before)),
      lossAfter: Float64Array.from(column((r) => r.after)),
    },
  };
}

/**
 * Effects on predictions over the tokens that the interventions can have touched: those before the first edited
 * position and those whose final activation is equal to the last bit are left out and counted. Sums are float64; tests
 * are paired over sequences, since tokens of one sequence depend on each other.
 * @throws Error for texts that are not one token, prompts without tokens, and logits that are not finite.
 */
export async function logitEffects(
  model: LanguageModel,
  interventions: readonly Intervention[],
  data: string | readonly string[] | TokenSet,
  options: LogitEffectOptions = {},
): Promise<LogitEffects> {
  const { untouched = LOGIT_EFFECTS.untouched.usual } = options;
  const ids = options.tokens === undefined ? [] : [...new Set(tokenIds(model, options.tokens))];
  const sets = setsOf(model, data);
  const positions = options.positions ?? (typeof data === 'object' && 'tokenizer' in data ? 'all' : 'last');
  const total = sets.reduce((sum, set) => sum + sequencesOf(set, options.sequences), 0);
  requireMemory(
    `effects on ${model.config.vocab} logits over ${total} sequences`,
    8 * model.config.vocab * (total + 8),
  );
  const detail = new Detail(model.config.vocab, total);
  const { own, nulls } = await nullDirections(model, interventions, sets, options);
  const variants = [own, ...nulls.flatMap(({ runs }) => runs)];
  const tallies = variants.map(() => new Tally());
  let offset = 0;
  for (const set of sets) {
    for await (const block of variantRuns(model, variants, set, [FINAL], options)) {
      const kept = keptRows(block, set, offset, positions, untouched, detail);
      await addBlock(model, block, kept, tallies, detail, ids, options.signal);
    }
    offset += sequencesOf(set, options.sequences);
  }
  return resultOf(model, detail, tallies, ids, nulls, options);
}
