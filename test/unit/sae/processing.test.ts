/** SAEs of models whose weights were changed on loading: honoured, known to change nothing at their hook, or refused. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { matrix } from '#kernel/compute/matrix.js';
import { loadSae } from '#kernel/sae/load.js';
import { wantsCentred } from '#kernel/sae/processing.js';
import { createSae } from '#kernel/sae/sae.js';
import { saveSae } from '#kernel/sae/save.js';
import { testFolder } from '#test/kit/folder.js';

const folder = testFolder('processing');

const sae = createSae(
  {
    ...{ architecture: 'standard', dIn: 2, dSae: 3, applyBDecToInput: true, normalizeActivations: 'none' },
    ...{ hookName: 'h', modelName: 'm', metadata: {} },
  },
  {
    ...{ W_enc: matrix(2, 3, new Float32Array(6).fill(1)), b_enc: new Float32Array(3) },
    ...{ W_dec: matrix(3, 2, new Float32Array(6).fill(1)), b_dec: new Float32Array(2) },
  },
);

let count = 0;
/** As SAELens 6 writes it, or flat as before. */
async function fileWith(kwargs: object, hook: string, flat: boolean): Promise<string> {
  const at = join(folder, String(count++));
  await saveSae(sae, at);
  const { metadata, ...cfg } = JSON.parse(readFileSync(join(at, 'cfg.json'), 'utf8')) as { metadata: object };
  const said = { hook_name: hook, model_name: 'm', model_from_pretrained_kwargs: kwargs };
  const changed = flat ? { ...cfg, ...said } : { ...cfg, metadata: { ...metadata, ...said } };
  writeFileSync(join(at, 'cfg.json'), JSON.stringify(changed));
  return at;
}

const POST = 'blocks.3.hook_resid_post';

describe('options of model loading in an SAE', () => {
  it.each([
    ['fold_ln', 'blocks.1.ln2.hook_normalized', /fold_ln is true, which folds the norm's weights/],
    ['fold_value_biases', 'blocks.1.attn.hook_z', /fold_value_biases is true, which moves the biases/],
    ['fold_value_biases', 'blocks.1.attn.hook_v', /fold_value_biases is true/],
    ['refactor_factored_attn_matrices', 'blocks.1.attn.hook_q', /rotates queries, keys and values/],
    ['weird_option', POST, /model_from_pretrained_kwargs\.weird_option is true, which is not known/],
  ])('%s is refused by name at %s, unless it is left out', async (name, hook, error) => {
    for (const flat of [false, true]) {
      const at = await fileWith({ [name]: true }, hook, flat);
      await expect(loadSae(at)).rejects.toThrow(error);
      const refused = await loadSae(at).catch((e: Error) => e.message);
      const ignore = /ignore: \['([^']+)'\]/.exec(String(refused))?.[1] as string;
      expect((await loadSae(at, { ignore: [ignore] })).config.hookName).toBe(hook);
      // Not done is what there is here.
      expect((await loadSae(await fileWith({ [name]: false }, hook, flat))).config.hookName).toBe(hook);
    }
  });

  it.each([
    [{ fold_ln: true, fold_value_biases: true, refactor_factored_attn_matrices: true }, POST],
    [{ fold_ln: true }, 'blocks.1.attn.hook_z'],
    [{ fold_ln: true }, 'blocks.1.mlp.hook_post'],
    [{ fold_value_biases: true }, 'blocks.1.hook_attn_out'],
    [{ center_unembed: true, dtype: 'bfloat16', n_devices: 2, trust_remote_code: true }, POST],
  ])('%j changes nothing at %s', async (kwargs, hook) => {
    for (const flat of [false, true])
      expect((await loadSae(await fileWith(kwargs, hook, flat))).config.hookName).toBe(hook);
  });

  it.each([
    [POST, true],
    ['blocks.0.hook_mlp_out', true],
    ['hook_embed', true],
    ['blocks.0.attn.hook_z', false],
    ['blocks.0.mlp.hook_post', false],
    ['blocks.0.ln2.hook_normalized', false],
  ])('center_writing_weights shows at %s: %s', async (hook, shows) => {
    const { config } = await loadSae(await fileWith({ center_writing_weights: true }, hook, false));
    expect(wantsCentred(config)).toBe(shows);
  });
});
