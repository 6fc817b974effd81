/**
 * A forward pass of a TinyStories-sized GPT-Neo layer (d=1024, 16 heads, MLP 4,096, vocabulary 50,257) over 32 × 128
 * tokens, stopped at blocks.0.hook_mlp_out, against the same computation in PyTorch on all threads. Best of several.
 */
import { initDevice } from '#kernel/compute/device.js';
import { createModel } from '#kernel/models/create.js';
import type { ModelConfig, Tokenizer } from '#kernel/models/types.js';
import { runPeer } from './peer.js';
import type { BenchResult } from './types.js';

const BATCH = 32;
const LENGTH = 128;
const REPEATS = 15;
const HOOK = 'blocks.0.hook_mlp_out';
const config: ModelConfig = {
  family: 'gpt_neo',
  layers: 1,
  dModel: 1024,
  heads: 16,
  dHead: 64,
  dMlp: 4096,
  vocab: 50257,
  context: 2048,
  layerNormEps: 1e-5,
  activation: 'gelu_new',
  attention: ['global'],
  parallelResidual: false,
  tiedEmbeddings: true,
};
const tokenizer: Tokenizer = {
  id: 'none',
  vocabSize: config.vocab,
  eosId: undefined,
  bosId: undefined,
  encode: () => new Int32Array(),
  decode: () => '',
  piece: () => '',
};

export async function run(): Promise<BenchResult[]> {
  const device = await initDevice();
  const model = createModel(config, { seed: 0, tokenizer, name: 'bench' });
  const tokens = Int32Array.from({ length: BATCH * LENGTH }, (_, i) => (i * 7919) % config.vocab);
  const times: number[] = [];
  for (let i = 0; i <= REPEATS; i++) {
    const start = performance.now();
    const { captured } = model.forward(tokens, BATCH, { capture: [HOOK], stopAt: HOOK });
    const x = captured.get(HOOK);
    if (!x) throw new Error(`nothing captured at ${HOOK}`);
    await x.data(); // on a GPU the pass is over only now
    times.push((performance.now() - start) / 1000);
    x.dispose();
  }
  model.dispose();
  const ours = Math.min(...times.slice(1));
  const sizes = [BATCH, LENGTH, config.dModel, config.heads, config.dMlp, config.vocab, REPEATS];
  const { seconds, threads, torch } = runPeer<{ seconds: number; threads: number; torch: string }>('lm_forward', sizes);
  return [
    {
      name: 'lm-forward',
      size: `${BATCH}x${LENGTH} tokens to ${HOOK}, d=${config.dModel}`,
      ours: (BATCH * LENGTH) / ours,
      peer: (BATCH * LENGTH) / seconds,
      unit: 'tokens/s',
      speedup: seconds / ours,
      note: `${device.description}; PyTorch ${torch}, ${threads} threads`,
    },
  ];
}
