/**
 * Circuits of two layers: which features upstream make which features downstream fire on a prompt. An edge is
 * attributed by the gradient of the downstream feature along what the upstream feature writes, then verified by
 * removing the upstream feature and reading the downstream one again.
 */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { matrix } from '../compute/matrix.js';
import { tf } from '../compute/tf.js';
import type { LanguageModel } from '../models/types.js';
import type { Sae } from '../sae/types.js';
import { sequencesFrom } from './featureAttribution.js';
import { nulls } from '../verb/common.js';
import { nullsApart, renamed } from '../verb/nulls.js';
import { numbers, whole, type Given } from '../verb/option.js';
import { saesAt } from './effects.js';
import { allowOtherModel } from './options.js';
import {
  featureProbe,
  positionOf,
  probeGradients,
  siteOf,
  withoutFeatures,
  written,
  type Site,
  type Written,
} from './probe.js';
import { rankAgreement, type RankAgreement } from './statistics.js';

/** Raised when the same call gives another circuit. */
export const CIRCUIT_VERSION = 3;

export const CIRCUIT = {
  position: whole({
    doc: 'Position at which downstream features are read, negative from the end: −1 is the last.',
    usual: -1,
  }),
  targets: whole({
    doc: 'Downstream features: those that fire most at the position. Refused with `features`.',
    min: 1,
    usual: 8,
  }),
  features: numbers({
    doc: 'Downstream features by id, instead; those that do not fire at the position are refused.',
    min: 0,
    whole: true,
    repeats: true,
  }),
  sources: whole({
    doc: 'Upstream features: those of largest total |attribution| on the targets. All their edges are verified.',
    min: 1,
    usual: 12,
  }),
  allowOtherModel,
  nulls: nulls({ doc: 'Shuffles behind the p of the rank correlation.', runs: 999, min: 1 }),
};
/** The options of a call as circuit() takes them. */
export const circuitOptions = (given: Given<typeof CIRCUIT>) => renamed(nullsApart(given), { nulls: 'permutations' });
interface CircuitOptions extends ReturnType<typeof circuitOptions>, CallOptions {}

export interface CircuitNode {
  feature: number;
  /** Upstream: sum of activations over the positions up to the target's. Downstream: activation at the position. */
  activation: number;
  /** Token of the prompt on which it fires most (upstream), or the token read (downstream), and its position. */
  token: string;
  position: number;
}

export interface CircuitEdge {
  source: number;
  target: number;
  /** Estimate by the gradient of what removing the source takes from the target's activation. */
  attribution: number;
  /** The truth: the target's activation before − after removing the source at every position. */
  verified: number;
}

export interface Circuit {
  prompt: string;
  upstream: { sae: string; hook: string; nodes: CircuitNode[] };
  downstream: { sae: string; hook: string; nodes: CircuitNode[] };
  position: number;
  /** Every source with every target, by |verified|, ties by |attribution|. */
  edges: CircuitEdge[];
  /** Spearman of attribution and verified Δ over all these edges. */
  agreement: RankAgreement;
}

/** Ids of the downstream features, with their activations. */
function targetsOf(
  sae: Sae,
  row: Map<number, number>,
  { targets = CIRCUIT.targets.usual, features }: CircuitOptions,
  where: string,
): number[] {
  if (features) {
    for (const f of features) {
      if (!Number.isInteger(f) || f < 0 || f >= sae.config.dSae)
        throw new RangeError(`feature ${f} is outside ${sae.name}, which has features 0 to ${sae.config.dSae - 1}`);
      if (!row.has(f)) throw new Error(`feature ${f} of ${sae.name} does not fire on ${where}: no edge leads to it`);
    }
    return [...new Set(features)];
  }
  return [...row.keys()].sort((f, g) => row.get(g)! - row.get(f)! || f - g).slice(0, targets);
}

/** Activations of the downstream SAE at one position, as a map, for activations at the upstream hook. */
async function readDownstream(
  site: Site,
  down: Sae,
  downHook: string,
  x: readonly Float32Array[],
  position: number,
): Promise<Array<Map<number, number>>> {
  const { model, ids, hook, shape } = site;
  const tokens = new Int32Array(x.length * ids.length);
  const data = new Float32Array(x.length * site.x.data.length);
  x.forEach((part, b) => {
    tokens.set(ids, b * ids.length);
    data.set(part, b * part.length);
  });
  const { captured, logits } = model.forward(tokens, x.length, {
    edits: new Map([[hook, [() => tf.tensor(data, [x.length, ...shape])]]]),
    capture: [downHook],
    stopAt: downHook,
  });
  const activation = captured.get(downHook)!;
  try {
    const read = (await activation.data()) as Float32Array;
    const d = down.config.dIn;
    const rows = matrix(x.length, d);
    x.forEach((_, b) => {
      const at = (b * ids.length + position) * d;
      rows.data.set(read.subarray(at, at + d), b * d);
    });
    const { indptr, indices, values } = down.encode(rows);
    return x.map((_, b) => {
      const row = new Map<number, number>();
      for (let e = indptr[b]; e < indptr[b + 1]; e++) row.set(indices[e], values[e]);
      return row;
    });
  } finally {
    logits?.dispose();
    activation.dispose();
  }
}

/** Σ over positions of coefficient × gradient · decoder row, per upstream feature and target: [feature][target]. */
async function attributions(
  site: Site,
  up: Sae,
  parts: Written,
  down: Sae,
  downHook: string,
  targets: readonly number[],
  position: number,
  signal?: AbortSignal,
): Promise<Map<number, Float64Array>> {
  const shares = new Map<number, Float64Array>();
  const { features, coefficients } = parts;
  const d = site.x.cols;
  const probe = featureProbe(down, downHook, targets, position, site.ids.length);
  const take = (target: number, gradient: Float32Array): void => {
    for (let i = 0; i <= position; i++)
      for (let e = features.indptr[i]; e < features.indptr[i + 1]; e++) {
        const f = features.indices[e];
        let dot = 0;
        for (let j = 0; j < d; j++) dot += gradient[i * d + j] * up.W_dec.data[f * d + j];
        let share = shares.get(f);
        if (!share) shares.set(f, (share = new Float64Array(targets.length)));
        share[target] += coefficients[e] * dot;
      }
  };
  await probeGradients(site, probe, targets.length, (_, out) => out.set(site.x.data), take, signal);
  return shares;
}

/** Where an upstream feature fires most, and how much in all, up to the position. */
function sourceNode(
  model: LanguageModel,
  ids: Int32Array,
  parts: Written,
  feature: number,
  position: number,
): CircuitNode {
  const { indptr, indices, values } = parts.features;
  let [best, at, sum] = [-1, 0, 0];
  for (let i = 0; i <= position; i++)
    for (let e = indptr[i]; e < indptr[i + 1]; e++) {
      if (indices[e] !== feature) continue;
      sum += values[e];
      if (values[e] > best) [best, at] = [values[e], i];
    }
  return { feature, activation: sum, token: model.tokenizer.piece(ids[at]), position: at };
}

/** Both SAEs with their hooks, upstream first. */
function layers(
  model: LanguageModel,
  up: Sae,
  down: Sae,
  options: CircuitOptions,
): { upHook: string; downHook: string } {
  const [{ hook: upHook }, { hook: downHook }] = saesAt(model, [up, down], options);
  if (model.hooks.indexOf(upHook) >= model.hooks.indexOf(downHook))
    throw new Error(
      `a circuit leads from an earlier hook to a later one, but ${upHook} does not run before ${downHook}; swap the SAEs?`,
    );
  return { upHook, downHook };
}

function requireSettings(options: CircuitOptions): void {
  if (options.features && options.targets !== undefined)
    throw new TypeError('downstream features are given by id: leave { targets } out, or { features }');
}

/** Copies of the activation that one pass takes: 2,048 rows. */
const ROWS = 2048;

/** The targets' activations before − after removing each source. */
async function verify(
  site: Site,
  up: Sae,
  parts: Written,
  sources: readonly number[],
  read: (x: Float32Array[]) => Promise<Array<Map<number, number>>>,
  clean: Map<number, number>,
  targets: readonly number[],
  call: CallOptions,
): Promise<number[][]> {
  const out: number[][] = [];
  const copies = Math.max(1, Math.floor(ROWS / site.ids.length));
  for (let first = 0; first < sources.length; first += copies) {
    checkAborted(call.signal, 'circuit');
    const x = sources.slice(first, first + copies).map((source) => {
      const without = new Float32Array(site.x.data.length);
      withoutFeatures(up, site.x, parts, without, (f) => f === source);
      return without;
    });
    for (const row of await read(x)) out.push(targets.map((t) => clean.get(t)! - (row.get(t) ?? 0)));
    call.onProgress?.({ label: 'verifying edges', done: out.length, total: sources.length, unit: 'features' });
    await breathe();
  }
  return out;
}

/**
 * The circuit between the features of two SAEs of one model on a prompt.
 * @throws Error when the SAEs do not fit the model or stand in the wrong order, when nothing fires at the position, and
 * for features that do not fire there.
 */
export async function circuit(
  model: LanguageModel,
  up: Sae,
  down: Sae,
  prompt: string,
  options: CircuitOptions = {},
): Promise<Circuit> {
  requireSettings(options);
  const { upHook, downHook } = layers(model, up, down, options);
  const [ids] = sequencesFrom(model, prompt, undefined);
  const position = positionOf(options.position ?? CIRCUIT.position.usual, ids.length);
  const site = await siteOf(model, ids, upHook);
  const parts = written(up, site.x);
  const read = (x: Float32Array[]) => readDownstream(site, down, downHook, x, position);
  const [clean] = await read([site.x.data]);
  const where = `${JSON.stringify(model.tokenizer.piece(ids[position]))}, token ${position} of the prompt`;
  const targets = targetsOf(down, clean, options, where);
  if (targets.length === 0) throw new Error(`no feature of ${down.name} fires on ${where}; take another position`);
  const shares = await attributions(site, up, parts, down, downHook, targets, position, options.signal);
  const size = (f: number): number => shares.get(f)!.reduce((s, v) => s + Math.abs(v), 0);
  const sources = [...shares.keys()]
    .sort((f, g) => size(g) - size(f) || f - g)
    .slice(0, options.sources ?? CIRCUIT.sources.usual);
  const verified = await verify(site, up, parts, sources, read, clean, targets, options);
  const edges = sources.flatMap((source, s) =>
    targets.map((target, t) => ({
      source,
      target,
      attribution: shares.get(source)![t],
      verified: verified[s][t],
    })),
  );
  edges.sort(
    (a, b) => Math.abs(b.verified) - Math.abs(a.verified) || Math.abs(b.attribution) - Math.abs(a.attribution),
  );
  return {
    prompt,
    upstream: {
      ...{ sae: up.name, hook: upHook },
      nodes: sources.map((f) => sourceNode(model, ids, parts, f, position)),
    },
    downstream: {
      ...{ sae: down.name, hook: downHook },
      nodes: targets.map((feature) => ({
        ...{ feature, activation: clean.get(feature)!, position },
        token: model.tokenizer.piece(ids[position]),
      })),
    },
    position,
    edges,
    agreement: rankAgreement(
      edges.map((e) => e.attribution),
      edges.map((e) => e.verified),
      options.permutations ?? CIRCUIT.nulls.members.runs.usual,
      options.seed ?? CIRCUIT.nulls.members.seed.usual,
    ),
  };
}
