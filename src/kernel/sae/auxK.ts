/**
 * The auxiliary loss that revives dead features of a topk SAE (Gao et al. 2024, appendix A.2, as in SAELens): the
 * largest k_aux pre-activations among dead features (no ReLU) reconstruct what the live ones left over.
 *
 *   k_aux = min(⌊d_in/2⌋, n_dead)      ê = Σ z_i W_dec,i over the selected      residual r = x − x̂, constant
 *   aux = c · min(n_dead/⌊d_in/2⌋, 1) · 1/B Σ_b ‖ê_b − r_b‖²
 *
 * SAELens 6.18 adds b_dec to ê; the paper and later SAELens do not, since the residual has it already.
 */
import { gemm } from '../compute/gemm.js';
import { finderOf } from '../compute/entries/firing.js';
import { EntryMemory } from '../compute/entries/memory.js';
import { topKRows } from '../compute/topk.js';
import { gatherValues } from '../compute/rows.js';
import { flag, real, type Given } from '../verb/option.js';
import type { BatchLoss, TrainingBatch } from './architectures/training.js';
import type { Parameters } from './parameters.js';
import { inPieces, type DecodedBlock } from './block.js';

/** Options of architectures that have this loss. */
export const AUX_OPTIONS = {
  auxLossCoefficient: real({
    doc: 'Weight of the auxiliary loss of dead features; 0 turns it off.',
    min: 0,
    usual: 1,
  }),
  auxIncludesBDec: flag({
    doc: 'True adds b_dec to the auxiliary reconstruction, as SAELens 6.18 published it; false is the paper.',
    usual: false,
  }),
} as const;

/** The loss over the blocks of a batch; no hooks where nothing is dead. */
export function revival(
  { p, g, dead, breakAt }: TrainingBatch,
  options: AuxOptions,
  norms: Float64Array | undefined,
): { hooks: Pick<BatchLoss, 'dead' | 'addBlock'>; value(): number } {
  const features = options.auxLossCoefficient === 0 ? new Int32Array(0) : deadFeatures(dead);
  let z: Float32Array = new Float32Array(0);
  let aux = 0;
  if (features.length === 0) return { hooks: {}, value: () => 0 };
  const hooks: Pick<BatchLoss, 'dead' | 'addBlock'> = {
    dead: { features, see: (seen) => void (z = seen) },
    async addBlock(block) {
      aux += await addAuxLoss(p, g, block, { features, z }, norms, options, breakAt);
    },
  };
  return { hooks, value: () => aux };
}

/** The features that a mask names, ascending. */
export const deadFeatures = (dead: Uint8Array | undefined): Int32Array =>
  dead ? Int32Array.from(dead.keys()).filter((f) => dead[f] === 1) : new Int32Array(0);

export type AuxOptions = Required<Given<typeof AUX_OPTIONS>> & {
  /** Dead features are chosen by |z|. */
  readonly absolute?: boolean;
};

/** Pre-activations of the dead features of one block. */
interface DeadActivations {
  features: Int32Array;
  /** [rows × features.length], times decoder norms when rescaled. */
  z: Float32Array;
}

/** Adds the auxiliary loss's gradients to `g` and returns its value. block.error must hold x̂ − x. */
async function addAuxLoss(
  p: Parameters,
  g: Parameters,
  block: DecodedBlock,
  dead: DeadActivations,
  norms: Float64Array | undefined,
  options: AuxOptions,
  breakAt?: () => void,
): Promise<number> {
  const { dIn, dOut } = p;
  const { features } = dead;
  const count = features.length;
  const wanted = Math.max(1, Math.floor(dIn / 2));
  const weight = (options.auxLossCoefficient * Math.min(count / wanted, 1)) / block.batch;
  const decoder = gatherValues(p.W_dec, dOut, features);
  const select = selectorOf(Math.min(wanted, count), features, norms, options.absolute ?? false);
  let loss = 0;
  await inPieces(block.rows, 2 * dIn * count, breakAt, (first, last) => {
    const rows = last - first;
    const z = dead.z.subarray(first * count, last * count);
    const { acts, selected } = select(z, rows);
    const error = gemm(acts, decoder, rows, dOut, count);
    for (let i = 0, at = 0; i < rows; i++) {
      for (let j = 0; j < dOut; j++, at++) {
        // The residual x − x̂ is −error of the block.
        const e = error[at] + block.error[first * dOut + at] + (options.auxIncludesBDec ? p.b_dec[j] : 0);
        loss += e * e;
        error[at] = 2 * weight * e;
        if (options.auxIncludesBDec) g.b_dec[j] += error[at];
      }
    }
    addToRows(g.W_dec, features, dOut, gemm(acts, error, count, dOut, rows, { transA: true }));
    const toActs = gemm(error, decoder, rows, count, dOut, { transB: true });
    for (let at = 0; at < toActs.length; at++) {
      if (selected[at]) g.b_enc[features[at % count]] += toActs[at];
      else toActs[at] = 0;
    }
    const input = block.input.subarray(first * dIn, last * dIn);
    addToRows(g.W_encT, features, dIn, gemm(toActs, input, count, dIn, rows, { transA: true }));
  });
  return loss * weight;
}

/** Gives activations of the k largest of each row of z, zero elsewhere, and which are selected. */
function selectorOf(k: number, features: Int32Array, norms: Float64Array | undefined, absolute: boolean) {
  const count = features.length;
  let memory: EntryMemory | undefined;
  return (z: Float32Array, rows: number): { acts: Float32Array; selected: Uint8Array } => {
    const acts = new Float32Array(rows * count);
    const selected = new Uint8Array(rows * count);
    const take = (at: number, f: number): void => {
      const norm = norms ? norms[features[f]] : 1;
      acts[at + f] = norm > 0 ? z[at + f] / norm : 0;
      selected[at + f] = 1;
    };
    if (k === count) for (let at = 0; at < z.length; at += count) for (let f = 0; f < count; f++) take(at, f);
    if (k === count) return { acts, selected };
    if (!memory || memory.rows < rows) memory = new EntryMemory(rows, count);
    memory.z.set(z);
    const find = finderOf({ kind: 'largest', k, absolute }, memory);
    for (let i = 0; i < rows; i++) {
      const at = i * count;
      const taken = find(i);
      for (let n = 0; n < taken; n++) take(at, memory.which[n]);
      // Fewer are above 0: the largest of the others too.
      if (taken < k) for (const f of largestOf(z.subarray(at, at + count), k, absolute)) take(at, f);
    }
    return { acts, selected };
  };
}

const largestOf = (row: Float32Array, k: number, absolute: boolean): Int32Array =>
  topKRows(absolute ? row.map(Math.abs) : row, 1, row.length, k).indices.filter((f) => f >= 0);

function addToRows(to: Float32Array, rows: Int32Array, d: number, added: Float32Array): void {
  for (let i = 0; i < rows.length; i++) {
    const at = rows[i] * d;
    for (let j = 0; j < d; j++) to[at + j] += added[i * d + j];
  }
}
