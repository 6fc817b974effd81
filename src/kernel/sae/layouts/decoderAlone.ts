/**
 * A decoder alone: one matrix whose rows are features, as W_dec or whatever a .npy, .npz, .pt, .safetensors or .pkl file calls
 * it, or decoder.weight of nn.Linear, whose columns are. b_dec may lie beside it.
 */
import { basename } from 'node:path';
import { matrix } from '../../compute/matrix.js';
import type { SaeFiles } from './files.js';
import type { Layout } from './layout.js';

/** Tensors that may lie beside it. */
const BIASES = ['b_dec', 'decoder.bias', 'bias'];

export const decoderAlone: Layout = {
  name: 'decoder alone',
  signs: 'one matrix (W_dec, decoder.weight, a .npy array), with b_dec or without',
  recognises: (files) => only(files) !== undefined,
  async read(files) {
    const name = only(files)!;
    const [rows, cols] = files.shape(name);
    const linear = /(^|\.)decoder\.weight$/.test(name);
    const [dSae, dIn] = linear ? [cols, rows] : [rows, cols];
    if (dSae < dIn)
      throw new Error(
        `${files.path}: ${name} [${rows}, ${cols}] would be ${dSae} features of width ${dIn}, fewer features than dimensions; ` +
          `give { map: { W_dec: { tensor: ${JSON.stringify(name)}, transpose: ${!linear} } } } if it lies the other way round, or with transpose: ${linear} if it is so`,
      );
    const W_dec = await files.matrix(name, linear);
    const bias = BIASES.find((b) => files.has(b));
    const b_dec = bias === undefined ? new Float32Array(dIn) : await files.vector(bias);
    return decoderParts(files, W_dec, b_dec);
  },
};

/** What a decoder alone is to createSae: no encoder. */
export function decoderParts(
  files: SaeFiles,
  W_dec: { rows: number; cols: number; data: Float32Array },
  b_dec: Float32Array,
): Awaited<ReturnType<Layout['read']>> {
  const [dSae, dIn] = [W_dec.rows, W_dec.cols];
  return {
    config: {
      architecture: files.choose('architecture', { said: 'decoder' }),
      dIn,
      dSae,
      applyBDecToInput: false,
      normalizeActivations: 'none',
      hookName: '',
      modelName: '',
      metadata: { source_file: basename(files.path) },
    },
    weights: { W_enc: matrix(dIn, 0), b_enc: new Float32Array(0), W_dec, b_dec },
  };
}

/** The one matrix of the file, when nothing but biases lies beside it. */
function only(files: SaeFiles): string | undefined {
  const names = files.names();
  if (names.length > 2) return undefined;
  const matrices = names.filter((name) => files.shape(name).length === 2);
  const others = names.filter((name) => files.shape(name).length !== 2);
  if (matrices.length !== 1 || others.some((name) => !BIASES.includes(name))) return undefined;
  const encoders = /enc/i;
  return encoders.test(matrices[0]) ? undefined : matrices[0];
}
