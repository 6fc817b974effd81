/**
 * Trains the two language models of examples/models with the kernel itself, on generated stories.
 *   npx tsx scripts/train-example-models.ts [--steps N] [--only 1L|2L]
 * Same seed, same device, same models. Writes config.json, model.safetensors (F16), tokenizer.json and training.json per model.
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { initDevice } from '#kernel/compute/device.js';
import { Random } from '#kernel/compute/random.js';
import { tf } from '#kernel/compute/tf.js';
import { createModel } from '#kernel/models/create.js';
import { loadModel } from '#kernel/models/load.js';
import { saveModel } from '#kernel/models/save.js';
import { loadTokenizer } from '#kernel/models/tokenizerFiles.js';
import type { LanguageModel, ModelConfig, Tokenizer } from '#kernel/models/types.js';
import type { TransformerModel } from '#kernel/models/transformer.js';
import { generateStories } from '#kernel/synthetic/stories/generate.js';
import { trainTokenizerJson } from '#kernel/synthetic/stories/tokenizer.js';

const SEED = 20;
const CONTEXT = 128;
const BATCH = 16;
const VOCAB = 4096;
const TRAIN_STORIES = 40_000;
const HELD_OUT_STORIES = 1_000;
const PEAK_RATE = 2e-3;
const MODELS = [
  { name: 'tiny-stories-1L', layers: 1, seed: SEED + 1, steps: 3_000 },
  { name: 'tiny-stories-2L', layers: 2, seed: SEED + 2, steps: 2_000 },
] as const;

const { values: args } = parseArgs({
  options: { steps: { type: 'string' }, only: { type: 'string' } },
});
const examples = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../examples/models');

const config = (layers: number, vocab: number): ModelConfig => ({
  family: 'gpt_neo',
  layers,
  dModel: 128,
  heads: 4,
  dHead: 32,
  dMlp: 512,
  vocab,
  context: CONTEXT,
  layerNormEps: 1e-5,
  activation: 'gelu_new',
  attention: Array.from({ length: layers }, (_, i) => (i % 2 === 0 ? 'global' : 'local')),
  window: 64,
  parallelResidual: false,
  tiedEmbeddings: true,
});

/** All stories as one token stream, each followed by end-of-text. */
function stream(texts: readonly string[], tokenizer: Tokenizer): Int32Array {
  const parts = texts.map((text) => tokenizer.encode(text));
  const out = new Int32Array(parts.reduce((n, p) => n + p.length + 1, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
    out[at++] = tokenizer.eosId!;
  }
  return out;
}

/** Held-out cross-entropy (nats) of a bigram model with add-0.01 smoothing: what a learned model must beat by far. */
function bigramLoss(train: Int32Array, heldOut: Int32Array, vocab: number): number {
  const pair = new Map<number, number>();
  const first = new Float64Array(vocab);
  for (let i = 1; i < train.length; i++) {
    const key = train[i - 1] * vocab + train[i];
    pair.set(key, (pair.get(key) ?? 0) + 1);
    first[train[i - 1]]++;
  }
  let loss = 0;
  for (let i = 1; i < heldOut.length; i++) {
    const count = pair.get(heldOut[i - 1] * vocab + heldOut[i]) ?? 0;
    loss -= Math.log((count + 0.01) / (first[heldOut[i - 1]] + 0.01 * vocab));
  }
  return loss / (heldOut.length - 1);
}

function heldOutLoss(
  model: LanguageModel & { loss(tokens: Int32Array, batch: number): tf.Scalar },
  tokens: Int32Array,
): number {
  const rows = Math.min(256, Math.floor(tokens.length / CONTEXT));
  let sum = 0;
  let blocks = 0;
  for (let r = 0; r + BATCH <= rows; r += BATCH, blocks++) {
    const loss = model.loss(tokens.slice(r * CONTEXT, (r + BATCH) * CONTEXT), BATCH);
    sum += loss.dataSync()[0];
    loss.dispose();
  }
  return sum / blocks;
}

/** Linear warm-up over 100 steps, cosine decay to a twentieth. */
function learningRate(step: number, steps: number): number {
  const progress = step / steps;
  return PEAK_RATE * Math.min(1, (step + 1) / 100) * (0.05 + 0.95 * 0.5 * (1 + Math.cos(Math.PI * progress)));
}

function train(model: TransformerModel, tokens: Int32Array, seed: number, steps: number): void {
  const random = new Random(seed).fork('batches');
  const optimizer = tf.train.adam(PEAK_RATE, 0.9, 0.98, 1e-9);
  const variables = [...model.parameters().values()] as tf.Variable[];
  const rows = Math.floor(tokens.length / CONTEXT);
  const batch = new Int32Array(BATCH * CONTEXT);
  const started = performance.now();
  let order = random.permutation(rows);
  let next = 0;
  for (let step = 0; step < steps; step++) {
    for (let b = 0; b < BATCH; b++) {
      if (next === rows) {
        order = random.permutation(rows);
        next = 0;
      }
      const row = order[next++];
      batch.set(tokens.subarray(row * CONTEXT, (row + 1) * CONTEXT), b * CONTEXT);
    }
    // tfjs reads the rate at each step but gives no setter for it.
    (optimizer as unknown as { learningRate: number }).learningRate = learningRate(step, steps);
    const report = step % 100 === 0 || step === steps - 1;
    const loss = optimizer.minimize(() => model.loss(batch, BATCH), report, variables);
    if (loss) {
      const seconds = (performance.now() - started) / 1000;
      console.log(
        `${model.name} step ${step} loss ${loss.dataSync()[0].toFixed(3)} ${(((step + 1) * BATCH * CONTEXT) / seconds).toFixed(0)} tokens/s`,
      );
      loss.dispose();
    }
  }
  optimizer.dispose();
}

async function main(): Promise<void> {
  const device = await initDevice({ device: 'cpu' });
  const texts = generateStories({ stories: TRAIN_STORIES + HELD_OUT_STORIES, seed: SEED }).map((story) => story.text);
  const tokenizerJson = trainTokenizerJson(texts.slice(0, 6_000), VOCAB);
  for (const spec of MODELS.filter((m) => !args.only || m.name.endsWith(args.only))) {
    const folder = path.join(examples, spec.name);
    await fs.mkdir(folder, { recursive: true });
    await fs.writeFile(path.join(folder, 'tokenizer.json'), JSON.stringify(tokenizerJson));
    await fs.writeFile(
      path.join(folder, 'tokenizer_config.json'),
      `${JSON.stringify({ tokenizer_class: 'GPT2TokenizerFast', bos_token: '<|endoftext|>', eos_token: '<|endoftext|>', model_max_length: CONTEXT })}\n`,
    );
    const tokenizer = await loadTokenizer(folder);
    const tokens = stream(texts.slice(0, TRAIN_STORIES), tokenizer);
    const heldOut = stream(texts.slice(TRAIN_STORIES), tokenizer);
    console.log(`${tokens.length} training tokens, ${heldOut.length} held out, vocabulary ${tokenizer.vocabSize}`);
    const started = performance.now();
    const model = createModel(config(spec.layers, tokenizer.vocabSize), {
      seed: spec.seed,
      tokenizer,
      name: spec.name,
      trainable: true,
    });
    const steps = args.steps ? Number(args.steps) : spec.steps;
    train(model, tokens, spec.seed, steps);
    await saveModel(model, folder, { dtype: 'F16' });
    model.dispose();
    const saved = await loadModel(folder);
    const figures = {
      seed: spec.seed,
      storySeed: SEED,
      stories: TRAIN_STORIES,
      steps,
      tokensPerStep: BATCH * CONTEXT,
      parameters: [...saved.parameters().values()].reduce((n, p) => n + p.size, 0),
      heldOutLoss: Number(heldOutLoss(saved, heldOut).toFixed(4)),
      bigramHeldOutLoss: Number(bigramLoss(tokens, heldOut, tokenizer.vocabSize).toFixed(4)),
      device: device.description,
    };
    console.log(figures, `${((performance.now() - started) / 1000).toFixed(0)} s`);
    console.log(await saved.generate('Once upon a time, there was a', { tokens: 60, temperature: 0.7, seed: 1 }));
    await fs.writeFile(path.join(folder, 'training.json'), `${JSON.stringify(figures, null, 2)}\n`);
    saved.dispose();
  }
}

await main();
