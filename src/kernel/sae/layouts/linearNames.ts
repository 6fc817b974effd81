/**
 * State dicts with the names of two nn.Linear, [out, in]: encoder.weight, encoder.bias, decoder.weight and, as decoder.bias
 * or b_dec, the bias of the output. Architecture and the subtraction of b_dec are not in such a file.
 */
import { basename } from 'node:path';
import type { SaeFiles } from './files.js';
import type { Layout } from './layout.js';
import { bareConfig, extraTensors } from './stateDict.js';

export const linearNames: Layout = {
  name: 'nn.Linear state dict',
  signs: 'encoder.weight, encoder.bias, decoder.weight, decoder.bias or b_dec',
  recognises: (files) => files.has('encoder.weight', 'encoder.bias', 'decoder.weight') && biasOf(files) !== undefined,
  async read(files) {
    const weights = {
      W_enc: await files.matrix('encoder.weight', true),
      b_enc: await files.vector('encoder.bias'),
      W_dec: await files.matrix('decoder.weight', true),
      b_dec: await files.vector(biasOf(files)!),
      ...(await extraTensors(files)),
    };
    return { config: await bareConfig(files, weights, basename(files.path)), weights };
  },
};

function biasOf(files: SaeFiles): string | undefined {
  const found = ['decoder.bias', 'b_dec'].filter((name) => files.has(name));
  return found.length === 1 ? found[0] : undefined;
}
