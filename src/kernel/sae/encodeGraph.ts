/**
 * Encoding as a graph: x [N, d_in] → the entries of each row, for every architecture. Pre-activations [N, d_sae] stay on
 * the device; what leaves it are values and indices [N, kept], and counts where the number of entries is not known before.
 */
import { Graph, type Value } from '../compute/graphs/graph.js';
import type { Program } from '../compute/graphs/host.js';
import type { DeviceVector, OnDevice } from './architectures/onDevice.js';
import type { SaeConfig } from './types.js';

/** SAELens's, as in normalize.ts. */
const LAYER_NORM_EPS = 1e-5;

/** Names of what an encoding graph gives. */
export interface EncodeProgram extends Program {
  readonly vectors: readonly DeviceVector[];
}

/** The norm of each row that the SAE asks for (normalize.ts). */
function normalized(g: Graph, x: Value, { normalizeActivations, dIn }: SaeConfig): Value {
  if (normalizeActivations === 'layer_norm') {
    const centred = g.sub(x, g.mean(x));
    const variance = g.mul(g.sum(g.mul(centred, centred)), g.number(1 / (dIn - 1)));
    return g.div(centred, g.add(g.sqrt(variance), g.number(LAYER_NORM_EPS)));
  }
  if (normalizeActivations === 'constant_norm_rescale') {
    const square = g.sum(g.mul(x, x));
    const some = g.op('Greater', [square, g.number(0)]);
    const norm = g.sqrt(g.where(some, square, g.number(dIn)));
    return g.div(g.mul(x, g.number(Math.sqrt(dIn))), norm);
  }
  return x;
}

/** What of a config the graph depends on. */
function keyOf(config: SaeConfig): string {
  const { architecture, activation, applyBDecToInput, normalizeActivations, rescaleActsByDecoderNorm } = config;
  const flags = [activation ?? 'relu', applyBDecToInput, normalizeActivations, rescaleActsByDecoderNorm ?? false];
  const width = normalizeActivations === 'none' ? '' : config.dIn;
  const group = architecture === 'groupmax' ? config.dSae / config.k! : '';
  return `encode ${architecture} ${flags.join(' ')} ${width} ${group}`;
}

/**
 * The program. Inputs: x [R, d_in] of which rows `from` to `to` − 1 are encoded, W_enc [d_in, F], b_dec [d_in], the
 * vectors [F], and k [1]. Outputs: values and indices [N, k], of group-wise selection [N · groups, 1]; `count` [N, 1]
 * where all positive values are entries; `size` [N, 1], Σ|x| of each row, which is not finite where x is not.
 */
export function encodeProgram(config: SaeConfig, onDevice: OnDevice): EncodeProgram {
  const vectors = new Set<DeviceVector>();
  const build = () => {
    const g = new Graph();
    const rows = ['from', 'to'].map((name) => g.input(name, 'int64'));
    const x = g.op('Slice', [g.input('x'), ...rows, g.whole(0)]);
    const size = g.sum(g.op('Abs', [x]));
    let input = normalized(g, x, config);
    if (config.applyBDecToInput) input = g.sub(input, g.input('b_dec'));
    const fired = onDevice.fire({
      g,
      config,
      z: g.gemm(input, g.input('W_enc')),
      vector(name) {
        vectors.add(name);
        return g.input(name);
      },
    });
    const types = { indices: 'int64' } as const;
    const k = g.input('k', 'int64');
    if (onDevice.keeps === 'each group') {
      const groups = g.reshape(fired, -1, config.dSae / config.k!);
      return g.build({ ...g.topK(groups, k, 1), size }, types);
    }
    if (onDevice.keeps === 'all') {
      const positive = g.op('Relu', [fired]);
      const count = g.sum(g.where(g.op('Greater', [fired, g.number(0)]), g.number(1), g.number(0)));
      return g.build({ ...g.topK(positive, k, 1), count, size }, types);
    }
    if (!onDevice.signed) return g.build({ ...g.topK(fired, k, 1), size }, types);
    const { indices } = g.topK(g.op('Abs', [fired]), k, 1);
    return g.build({ values: g.op('GatherElements', [fired, indices], { axis: 1 }), indices, size }, types);
  };
  build(); // which vectors it takes
  return { key: keyOf(config), build, vectors: [...vectors] };
}
