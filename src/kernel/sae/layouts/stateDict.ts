/**
 * State dicts with the canonical names and no config: W_enc [d_in, d_sae], b_enc, W_dec [d_sae, d_out], b_dec, and what the
 * architecture adds. A tensor such as threshold tells the architecture; the subtraction of b_dec must be said.
 */
import { basename } from 'node:path';
import { foldActivationScale } from '../fold.js';
import type { SaeArchitecture, SaeConfig, SaeWeights } from '../types.js';
import type { SaeFiles } from './files.js';
import type { Layout } from './layout.js';

export const stateDict: Layout = {
  name: 'state dict',
  signs: 'W_enc, b_enc (or b_gate, r_mag, b_mag), W_dec, b_dec, threshold, W_skip',
  recognises: (files) => files.has('W_enc', 'W_dec', 'b_dec') && (files.has('b_enc') || files.has('b_gate')),
  async read(files) {
    requireOrientation(files);
    const weights: SaeWeights = {
      W_enc: await files.matrix('W_enc'),
      b_enc: await files.vector(files.has('b_gate') ? 'b_gate' : 'b_enc'),
      W_dec: await files.matrix('W_dec'),
      b_dec: await files.vector('b_dec'),
      ...(await extraTensors(files)),
    };
    return { config: await bareConfig(files, weights, basename(files.path)), weights };
  },
};

/** threshold, r_mag, b_mag and W_skip, those that are there; a single threshold is that of every feature. */
export async function extraTensors(files: SaeFiles): Promise<Partial<SaeWeights>> {
  const extra: Partial<SaeWeights> = {};
  if (files.has('threshold')) {
    const features = files.shape('b_enc')[0] ?? files.shape('encoder.bias')[0] ?? 0;
    extra.threshold =
      files.shape('threshold').length === 1
        ? await files.vector('threshold')
        : new Float32Array(features).fill(await files.scalar('threshold'));
  }
  for (const name of ['r_mag', 'b_mag'] as const) if (files.has(name)) extra[name] = await files.vector(name);
  if (files.has('W_skip')) extra.W_skip = await files.matrix('W_skip');
  return extra;
}

/** The config of weights without one: what the tensors tell, and the options for the rest. */
export async function bareConfig(files: SaeFiles, weights: SaeWeights, source: string): Promise<SaeConfig> {
  const [dIn, dSae, dOut] = [weights.W_enc.rows, weights.W_dec.rows, weights.W_dec.cols];
  const architecture = architectureFrom(files, weights, dIn !== dOut);
  const transcoder = architecture.endsWith('transcoder');
  const kOfFile = files.has('k') ? await files.scalar('k') : files.count('k');
  const needsK = ['topk', 'abstopk', 'groupmax'].includes(architecture);
  const takesK = needsK || ['jumprelu', 'batchtopk', 'matryoshka_batchtopk'].includes(architecture);
  const ask = `a ${architecture} SAE without its k; give { k }`;
  // Files of plain weights have always been taken to subtract b_dec; a threshold is of libraries of both kinds.
  const subtracts = transcoder
    ? { said: false }
    : weights.threshold
      ? {
          ask: 'the file does not say whether b_dec is subtracted from the input (Gemma Scope and JumpReluAutoEncoder: no; SAELens, unless told otherwise: yes); give { applyBDecToInput }',
        }
      : { assumed: true };
  const config: SaeConfig = {
    architecture,
    dIn,
    dSae,
    ...(dOut === dIn ? {} : { dOut }),
    ...(needsK || (takesK && (kOfFile ?? files.options.k) !== undefined)
      ? { k: files.choose('k', { said: kOfFile, ask }) }
      : {}),
    ...(transcoder ? { transcoder } : {}),
    applyBDecToInput: files.choose('applyBDecToInput', subtracts),
    normalizeActivations: 'none',
    hookName: '',
    modelName: '',
    metadata: { source_file: source },
  };
  const s = transcoder ? undefined : files.option('normScalingFactor');
  if (s !== undefined) foldActivationScale(weights, s);
  return config;
}

function architectureFrom(files: SaeFiles, weights: SaeWeights, widthsDiffer: boolean): SaeArchitecture {
  const { k, architecture } = files.options;
  if (weights.r_mag || weights.b_mag) return files.choose('architecture', { said: 'gated' });
  if (weights.threshold && weights.W_skip) return files.choose('architecture', { said: 'jumprelu_skip_transcoder' });
  if (weights.threshold && widthsDiffer) return files.choose('architecture', { said: 'jumprelu_transcoder' });
  if (weights.threshold) {
    const same: SaeArchitecture[] = ['jumprelu', 'batchtopk', 'matryoshka_batchtopk', 'jumprelu_transcoder'];
    if (architecture !== undefined && same.includes(architecture)) return files.choose('architecture', {});
    return files.choose('architecture', { said: 'jumprelu' });
  }
  if (weights.W_skip && architecture === undefined) return files.choose('architecture', { assumed: 'skip_transcoder' });
  if (widthsDiffer) return files.choose('architecture', { said: 'transcoder' });
  return files.choose('architecture', {
    assumed: k === undefined ? undefined : 'topk',
    ask: "these are weights without a config; give { architecture: 'standard' } or { architecture: 'topk', k }, and { applyBDecToInput: false } if b_dec is not subtracted from the input",
  });
}

/** The lengths of the biases must fit W_enc [d_in, d_sae] and W_dec [d_sae, d_out]. */
function requireOrientation(files: SaeFiles): void {
  const [dSae] = files.shape(files.has('b_gate') ? 'b_gate' : 'b_enc');
  const [dOut] = files.shape('b_dec');
  const [enc, dec] = [files.shape('W_enc'), files.shape('W_dec')];
  if (enc.length !== 2 || dec.length !== 2) return; // refused when read
  const turned = (['W_enc', 'W_dec'] as const).filter((name) =>
    name === 'W_enc'
      ? enc[1] !== dSae && enc[0] === dSae
      : dec.join() !== `${dSae},${dOut}` && dec.join() === `${dOut},${dSae}`,
  );
  if (turned.length > 0)
    throw new Error(
      `${files.path}: ${turned.map((n) => `${n} [${files.shape(n).join(', ')}]`).join(' and ')} lie the other way round than W_enc [d_in, d_sae], W_dec [d_sae, d_in]; ` +
        "give { map: { W_enc: 'W_enc', b_enc: 'b_enc', W_dec: 'W_dec', b_dec: 'b_dec' } }, which turns them by their shapes",
    );
}
