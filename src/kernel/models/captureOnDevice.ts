/** captureHooks() on a device: the activations stay there, for what reads them there (sae/encodeOnDevice.ts). */
import { DeviceMemoryError } from '../compute/graphs/failures.js';
import type { DeviceTensor, GraphDevice } from '../compute/graphs/host.js';
import { passes, type CaptureOptions } from './capture.js';
import { DevicePass, passTooLarge } from './passOnDevice.js';
import { TransformerModel } from './transformer.js';
import type { LanguageModel, TokenSet } from './types.js';

export interface DeviceBlock {
  /** Index in the token set of the block's first token. */
  firstToken: number;
  rows: number;
  /** [rows, width] each: the activations at the hooks; freed when the next block is asked for. */
  xs: DeviceTensor[];
}

/** Why the passes of this call run on the CPU though there is a device; undefined when they run there. */
export function runsOnCpu(model: LanguageModel, edits: CaptureOptions['edits']): string | undefined {
  if (!(model instanceof TransformerModel)) return 'the model is not one of the families that are loaded here';
  if (model.trainable) return 'its weights are trained';
  if (edits && edits.size > 0) return 'interventions act on tensors of the CPU';
  return undefined;
}

/**
 * Activations at `hooks` for every token, in order, in blocks of whole sequences, on the device. A pass for which the
 * device has no room is run in parts, down to one sequence.
 * @throws what captureHooks throws; DeviceMemoryError, DeviceLostError
 */
export async function* captureOnDevice(
  device: GraphDevice,
  model: TransformerModel,
  tokens: TokenSet,
  hooks: readonly string[],
  options: CaptureOptions,
): AsyncGenerator<DeviceBlock> {
  let pass: DevicePass | undefined;
  const { context } = tokens;
  let most = Infinity;
  for await (const { sequence, batch } of passes(model, tokens, hooks, options)) {
    // Once the hooks were checked.
    pass ??= new DevicePass(device, model, { hooks });
    for (let done = 0; done < batch;) {
      const count = Math.min(most, batch - done);
      const first = (sequence + done) * context;
      const ids = tokens.tokens.slice(first, first + count * context);
      let xs: DeviceTensor[];
      try {
        xs = await pass.activations(ids, count, options.signal);
      } catch (error) {
        if (!(error instanceof DeviceMemoryError)) throw error;
        if (count === 1) throw passTooLarge(model, context, error);
        most = Math.ceil(count / 2);
        continue;
      }
      try {
        yield { firstToken: first, rows: count * context, xs };
      } finally {
        device.free(...xs);
      }
      done += count;
    }
  }
}
