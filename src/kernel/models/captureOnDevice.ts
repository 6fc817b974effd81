/** captureHooks() on a device: the activations stay there, for what reads them there (sae/encodeOnDevice.ts). */
import { DeviceMemoryError } from '../compute/graphs/failures.js';
import type { DeviceTensor, GraphDevice } from '../compute/graphs/host.js';
import type { HostTensor } from '../compute/graphs/messages.js';
import { passes, type CaptureOptions } from './capture.js';
import { modelNames, weightShapes } from './layout.js';
import { INPUT, MASKED, passGraph, type PassProgram } from './passGraph.js';
import { maskValues, rotaryValues } from './positions.js';
import { TransformerModel } from './transformer.js';
import type { LanguageModel, Rotary, TokenSet } from './types.js';

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
    pass ??= new DevicePass(device, model, hooks);
    for (let done = 0; done < batch;) {
      const count = Math.min(most, batch - done);
      const first = (sequence + done) * context;
      const ids = tokens.tokens.slice(first, first + count * context);
      let xs: DeviceTensor[];
      try {
        xs = await pass.run(ids, count, options.signal);
      } catch (error) {
        if (!(error instanceof DeviceMemoryError)) throw error;
        if (count === 1) throw tooLarge(model, context, error);
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

function tooLarge(model: LanguageModel, context: number, error: DeviceMemoryError): DeviceMemoryError {
  return new DeviceMemoryError(
    `${model.name} does not fit the device with one sequence of ${context} tokens: ${error.message}. Use shorter sequences ({ context } of a dataset), a smaller model, or the cpu device`,
    { cause: error },
  );
}

class DevicePass {
  readonly #program: PassProgram;
  readonly #key: string;
  #sizes = '';
  #tables: Record<string, HostTensor> = {};

  constructor(
    private readonly device: GraphDevice,
    private readonly model: TransformerModel,
    private readonly hooks: readonly string[],
  ) {
    this.#program = passGraph(model.config, modelNames(model.config), hooks);
    this.#key = `pass ${JSON.stringify(model.config)} ${hooks.join()}`;
  }

  /** The activations of B sequences, [N, width] each; the caller frees them. */
  async run(ids: Int32Array, batch: number, signal?: AbortSignal): Promise<DeviceTensor[]> {
    const feeds = { ...(await this.#weights()), ...(await this.#inputs(ids, batch)) };
    const program = { key: this.#key, build: () => this.#program.graph };
    const stay = this.hooks.map((_, i) => `h${i}`);
    const { device } = await this.device.run(program, feeds, { stay, signal });
    return stay.map((name) => device[name]);
  }

  async #weights(): Promise<Record<string, DeviceTensor>> {
    const { model, device } = this;
    const shapes = weightShapes(model.config);
    const feeds: Record<string, DeviceTensor> = {};
    for (const name of this.#program.weights)
      feeds[name] = await device.weights.get(model.id, name, async () => ({
        data: await model.weightValues(name),
        shape: shapes.get(name)!,
      }));
    return feeds;
  }

  async #inputs(ids: Int32Array, batch: number): Promise<Record<string, HostTensor>> {
    const { config } = this.model;
    const length = ids.length / batch;
    const { heads, dHead, dModel, window, rotary, localRotary } = config;
    const made: Record<string, () => HostTensor | Promise<HostTensor>> = {
      [INPUT.embedded]: async () => ({ data: await this.model.embeddedRows(ids, batch), shape: [ids.length, dModel] }),
      [INPUT.position]: async () => {
        const table = await this.model.weightValues(modelNames(config).position!);
        const one = table.subarray(0, length * dModel);
        return { data: repeated(one, batch), shape: [ids.length, dModel] };
      },
      [INPUT.mask]: () => ({ data: maskValues(length, MASKED), shape: [length, length] }),
      [INPUT.localMask]: () => ({ data: maskValues(length, MASKED, window), shape: [length, length] }),
      [INPUT.cos]: () => rotaryRows(rotary!, 'cos', length, batch),
      [INPUT.sin]: () => rotaryRows(rotary!, 'sin', length, batch),
      [INPUT.localCos]: () => rotaryRows(localRotary!, 'cos', length, batch),
      [INPUT.localSin]: () => rotaryRows(localRotary!, 'sin', length, batch),
      [INPUT.heads]: () => ({ data: BigInt64Array.from([batch, length, heads, dHead], BigInt), shape: [4] }),
    };
    const sizes = `${batch} ${length}`;
    // What depends on the sizes alone is made once for passes of the same ones.
    if (this.#sizes !== sizes) this.#tables = {};
    this.#sizes = sizes;
    for (const name of this.#program.inputs) if (name !== INPUT.embedded) this.#tables[name] ??= await made[name]();
    return { ...this.#tables, [INPUT.embedded]: await made[INPUT.embedded]() };
  }
}

function repeated(values: Float32Array, times: number): Float32Array {
  const out = new Float32Array(values.length * times);
  for (let i = 0; i < times; i++) out.set(values, i * values.length);
  return out;
}

function rotaryRows(rotary: Rotary, which: 'cos' | 'sin', length: number, batch: number): HostTensor {
  const data = repeated(rotaryValues(length, rotary)[which], batch);
  return { data, shape: [length * batch, 1, rotary.dims] };
}
