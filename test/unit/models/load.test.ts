import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '#protocol/notebook.js';
import { initDevice } from '#kernel/compute/device.js';
import { setMemoryBudget } from '#kernel/compute/memory.js';
import { tf } from '#kernel/compute/tf.js';
import { ndarray, type NdArray } from '#kernel/io/ndarray.js';
import { writeSafetensors } from '#kernel/io/safetensors.js';
import { writeConfig } from '#kernel/models/config.js';
import { createModel } from '#kernel/models/create.js';
import { loadModel } from '#kernel/models/load.js';
import { saveModel } from '#kernel/models/save.js';
import type { LanguageModel, ModelConfig } from '#kernel/models/types.js';
import { CONFIGS, modelOf, randomWeights, tokenizer } from '#test/kit/model.js';
import { relativeError } from '#test/kit/numbers.js';
import type { Weights } from '#test/kit/referenceModel.js';
import { testFolder } from '#test/kit/folder.js';

const tokens = Int32Array.from({ length: 22 }, (_, i) => (i * 7 + 3) % 37);
/** Letters and digits and one merge: 37 tokens. */
const VOCAB = Object.fromEntries([...'abcdefghijklmnopqrstuvwxyz0123456789', 'th'].map((piece, id) => [piece, id]));

let folder = '';
let tensorsBefore = 0;
beforeAll(async () => {
  await initDevice();
});
beforeEach(async () => {
  folder = testFolder('model');
  await writeFile(join(folder, 'vocab.json'), JSON.stringify(VOCAB));
  await writeFile(join(folder, 'merges.txt'), '#version: 0.2\nt h\n');
  tensorsBefore = tf.memory().numTensors;
});
afterEach(async () => {
  expect(tf.memory().numTensors, 'tensors left behind').toBe(tensorsBefore);
});

function logits(model: LanguageModel): Float32Array {
  const { logits: tensor } = model.forward(tokens, 2);
  const values = tensor?.dataSync<'float32'>() ?? new Float32Array();
  tensor?.dispose();
  return values;
}

/** Writes a checkpoint as given: names changed, tensors added, left out or stored in another type. */
async function checkpoint(
  config: ModelConfig,
  weights: Weights,
  change: (t: Record<string, NdArray>) => Record<string, NdArray>,
) {
  const tensors = Object.fromEntries(
    [...weights].map(([name, { shape, data }]) => [name, ndarray('F32', shape, Float32Array.from(data))]),
  );
  await writeSafetensors(join(folder, 'model.safetensors'), change(tensors));
  await writeFile(join(folder, 'config.json'), JSON.stringify(writeConfig(config)));
}

const rename = (tensors: Record<string, NdArray>, to: (name: string) => string): Record<string, NdArray> =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [to(name), tensor]));

describe.each(Object.entries(CONFIGS))('a model of %s', (_, config) => {
  it('saved and loaded gives identical logits and the same id', async () => {
    const model = modelOf(config, randomWeights(config, 31));
    await saveModel(model, folder);
    const loaded = await loadModel(folder);
    expect(loaded.config).toEqual(config);
    expect(loaded.id).toBe(model.id);
    expect(logits(loaded)).toEqual(logits(model));
    model.dispose();
    loaded.dispose();
  });

  it('centred writing weights keep the logits and take the mean out of the residual stream', async () => {
    const model = modelOf(config, randomWeights(config, 32));
    await saveModel(model, folder);
    const loaded = await loadModel(folder, { process: 'center' });
    expect(relativeError(logits(loaded), logits(model))).toBeLessThan(1e-5);
    expect(loaded.id).not.toBe(model.id);
    const hook = `blocks.${config.layers - 1}.hook_resid_post`;
    const means = tf.tidy(() => {
      const x = loaded.forward(tokens, 2, { capture: [hook], stopAt: hook }).captured.get(hook) as tf.Tensor;
      return x.mean(-1).abs().max().dataSync()[0];
    });
    expect(means).toBeLessThan(1e-5);
    model.dispose();
    loaded.dispose();
  });
});

describe('loadModel', () => {
  const gpt2 = CONFIGS['GPT-2'];

  it("reads GPT-2's hub layout: no prefix, mask buffers, a copy of the tied unembedding", async () => {
    const weights = randomWeights(gpt2, 33);
    await checkpoint(gpt2, weights, (tensors) => ({
      ...rename(tensors, (name) => name.replace('transformer.', '')),
      'h.0.attn.bias': ndarray('F32', [1, 1, 12, 12], new Float32Array(144)),
      'h.0.attn.masked_bias': ndarray('F32', [], Float32Array.of(-1e4)),
      'lm_head.weight': ndarray('F32', [37, 15], new Float32Array(37 * 15)),
    }));
    const loaded = await loadModel(folder);
    const model = modelOf(gpt2, weights);
    expect(logits(loaded)).toEqual(logits(model));
    expect(loaded.id).toBe(model.id);
    model.dispose();
    loaded.dispose();
  });

  it('converts BF16 weights exactly', async () => {
    const weights = randomWeights(gpt2, 34);
    const rounded: Weights = new Map();
    for (const [name, { shape, data }] of weights) {
      const bits = new Uint32Array(Float32Array.from(data).buffer).map((word) => word & 0xffff0000);
      rounded.set(name, { shape, data: new Float32Array(bits.buffer) });
    }
    await checkpoint(gpt2, rounded, (tensors) =>
      Object.fromEntries(
        Object.entries(tensors).map(([name, { shape, data }]) => {
          const words = new Uint32Array((data as Float32Array).buffer);
          return [
            name,
            ndarray(
              'BF16',
              shape,
              Uint16Array.from(words, (word) => word >>> 16),
            ),
          ];
        }),
      ),
    );
    const loaded = await loadModel(folder);
    const model = modelOf(gpt2, rounded);
    expect(logits(loaded)).toEqual(logits(model));
    model.dispose();
    loaded.dispose();
  });

  it('names missing and unexpected tensors', async () => {
    await checkpoint(gpt2, randomWeights(gpt2, 35), (tensors) =>
      rename(tensors, (name) => name.replace('h.1.ln_2.bias', 'h.1.ln_3.bias')),
    );
    await expect(loadModel(folder)).rejects.toThrow(
      /missing: transformer\.h\.1\.ln_2\.bias; unexpected: transformer\.h\.1\.ln_3\.bias/,
    );
  });

  it('names a tensor whose shape is not what config.json says', async () => {
    await checkpoint(gpt2, randomWeights(gpt2, 36), (tensors) => ({
      ...tensors,
      'transformer.h.0.mlp.c_fc.weight': ndarray('F32', [23, 15], new Float32Array(345)),
    }));
    await expect(loadModel(folder)).rejects.toThrow(/c_fc\.weight is \[23,15\] but config\.json says \[15,23\]/);
  });

  it.each([
    ['without weights', 'model.safetensors', /has no weights: expected one of model\.safetensors/],
    ['without a tokenizer', 'merges.txt', /has no tokenizer/],
    ['without a config', 'config.json', /config\.json/],
  ])('refuses a folder %s', async (_, file, message) => {
    await checkpoint(gpt2, randomWeights(gpt2, 37), (tensors) => tensors);
    await rm(join(folder, file));
    await expect(loadModel(folder)).rejects.toThrow(message);
  });

  it('refuses a tokenizer with more tokens than the model', async () => {
    const small = { ...gpt2, vocab: 36 };
    await checkpoint(small, randomWeights(small, 38), (tensors) => tensors);
    await expect(loadModel(folder)).rejects.toThrow(/tokenizer has 37 tokens but the model only 36/);
  });

  it('refuses a truncated file and a broken config', async () => {
    await checkpoint(gpt2, randomWeights(gpt2, 39), (tensors) => tensors);
    const path = join(folder, 'model.safetensors');
    await writeFile(path, (await readFile(path)).subarray(0, 5000));
    await expect(loadModel(folder)).rejects.toThrow(/model\.safetensors/);
    await writeFile(join(folder, 'config.json'), '{');
    await expect(loadModel(folder)).rejects.toThrow(/config\.json is not JSON/);
  });

  it('refuses a model larger than memory before reading it', async () => {
    const json: JsonObject = { ...writeConfig(gpt2), n_embd: 98304, n_head: 96, n_layer: 96 };
    await writeFile(join(folder, 'config.json'), JSON.stringify(json));
    await expect(loadModel(folder)).rejects.toThrow(
      /needs .* for its weights in float32, but the cpu device takes at most/,
    );
  });

  it('refuses a model larger than the memory budget', async () => {
    await checkpoint(gpt2, randomWeights(gpt2, 41), (tensors) => tensors);
    setMemoryBudget(1000);
    try {
      await expect(loadModel(folder)).rejects.toThrow(/memory budget is/);
    } finally {
      setMemoryBudget(undefined);
    }
  });

  it('reports progress and stops when aborted, leaving nothing behind', async () => {
    await checkpoint(gpt2, randomWeights(gpt2, 40), (tensors) => tensors);
    const abort = new AbortController();
    const seen: number[] = [];
    const loading = loadModel(folder, {
      signal: abort.signal,
      onProgress: ({ done }) => {
        seen.push(done);
        if (seen.length === 3) abort.abort();
      },
    });
    await expect(loading).rejects.toMatchObject({ name: 'AbortError' });
    expect(seen).toEqual([1, 2, 3]);
  });
});

describe('createModel', () => {
  it('gives the same weights for the same seed, and others for another', () => {
    const make = (seed: number): string => {
      const model = createModel(CONFIGS['GPT-NeoX'], { seed, tokenizer, name: 'new' });
      const { id } = model;
      model.dispose();
      return id;
    };
    expect(make(1)).toBe(make(1));
    expect(make(1)).not.toBe(make(2));
  });

  it('starts near the loss of a uniform guess', () => {
    const model = createModel(CONFIGS['GPT-Neo'], { seed: 1, tokenizer, name: 'new', trainable: true });
    const loss = model.loss(tokens, 2);
    expect(Math.abs(loss.dataSync()[0] - Math.log(37))).toBeLessThan(0.1);
    loss.dispose();
    model.dispose();
  });

  it('refuses sizes that do not fit', () => {
    const config = { ...CONFIGS['GPT-2'], dHead: 4 };
    expect(() => createModel(config, { seed: 1, tokenizer, name: 'new' })).toThrow(
      /3 heads of width 4 do not make the model's width 15/,
    );
  });
});
