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
import { topKRows } from '../compute/topk.js';
import { gatherValues } from '../compute/rows.js';
import { flag, real, type Given } from '../verb/option.js';
import type { BatchLoss, TrainingBatch } from './architectures/training.js';
import type { Parameters } from './parameters.js';
import { inPieces, type Block, type DecodedBlock } from './block.js';

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
): { hooks: Pick<BatchLoss, 'see' | 'addBlock'>; value(): number } {
  let found: DeadActivations | undefined;
  let aux = 0;
  if (!dead?.includes(1) || options.auxLossCoefficient === 0) return { hooks: {}, value: () => 0 };
  const hooks: Pick<BatchLoss, 'see' | 'addBlock'> = {
    see: (block) => void (found = gatherDead(block, p.dSae, dead)),
    async addBlock(block) {
      if (found) aux += await addAuxLoss(p, g, block, found, norms, options, breakAt);
    },
  };
  return { hooks, value: () => aux };
}

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

/** Copies the dead columns out of block.z; undefined when nothing is dead. */
function gatherDead(block: Block, dSae: number, dead: Uint8Array): DeadActivations | undefined {
  const features = Int32Array.from(dead.keys()).filter((f) => dead[f] === 1);
  const count = features.length;
  if (count === 0) return undefined;
  const z = new Float32Array(block.rows * count);
  for (let i = 0; i < block.rows; i++) {
    for (let c = 0; c < count; c++) z[i * count + c] = block.z[i * dSae + features[c]];
  }
  return { features, z };
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
  let loss = 0;
  await inPieces(block.rows, 2 * dIn * count, breakAt, (first, last) => {
    const rows = last - first;
    const z = dead.z.subarray(first * count, last * count);
    const { acts, selected } = selectAux(
      z,
      options.absolute ? z.map(Math.abs) : z,
      rows,
      count,
      Math.min(wanted, count),
      features,
      norms,
    );
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

/** Activations of the selected dead features, zero elsewhere, and which were selected. */
function selectAux(
  z: Float32Array,
  order: Float32Array,
  rows: number,
  count: number,
  k: number,
  features: Int32Array,
  norms: Float64Array | undefined,
): { acts: Float32Array; selected: Uint8Array } {
  const acts = new Float32Array(rows * count);
  const selected = new Uint8Array(rows * count);
  const take = (at: number): void => {
    const norm = norms ? norms[features[at % count]] : 1;
    acts[at] = norm > 0 ? z[at] / norm : 0;
    selected[at] = 1;
  };
  if (k === count) {
    for (let at = 0; at < z.length; at++) take(at);
  } else {
    const top = topKRows(order, rows, count, k);
    for (let i = 0; i < rows; i++)
      for (let n = i * k; n < (i + 1) * k; n++) if (top.indices[n] >= 0) take(i * count + top.indices[n]);
  }
  return { acts, selected };
}

function addToRows(to: Float32Array, rows: Int32Array, d: number, added: Float32Array): void {
  for (let i = 0; i < rows.length; i++) {
    const at = rows[i] * d;
    for (let j = 0; j < d; j++) to[at + j] += added[i * d + j];
  }
}
