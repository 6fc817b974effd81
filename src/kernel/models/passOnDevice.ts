/** One forward pass as a graph (passGraph.ts) on a device: weights go there once, what a batch needs with every pass. */
import type { Feeds } from '../compute/graphs/feeds.js';
import { DeviceMemoryError } from '../compute/graphs/failures.js';
import type { DeviceTensor, GraphDevice, RunOptions, RunResult } from '../compute/graphs/host.js';
import type { HostTensor } from '../compute/graphs/messages.js';
import { modelNames, weightShapes } from './layout.js';
import { INPUT, MASKED, passGraph, type PassProgram, type PassWants } from './passGraph.js';
import { maskValues, rotaryValues } from './positions.js';
import type { TransformerModel } from './transformer.js';
import type { LanguageModel, Rotary } from './types.js';

/** A pass for which there is no room, not even with one sequence. */
export function passTooLarge(model: LanguageModel, context: number, error: DeviceMemoryError): DeviceMemoryError {
  return new DeviceMemoryError(
    `${model.name} does not fit the device with one sequence of ${context} tokens: ${error.message}. Use shorter sequences ({ context } of a dataset), a smaller model, or the cpu device`,
    { cause: error },
  );
}

/** The passes of a model with the same wants. */
export class DevicePass {
  readonly #program: PassProgram;
  readonly #key: string;
  #sizes = '';
  #tables: Record<string, HostTensor> = {};

  constructor(
    private readonly device: GraphDevice,
    private readonly model: TransformerModel,
    private readonly wants: PassWants,
  ) {
    this.#program = passGraph(model.config, modelNames(model.config), wants);
    this.#key = `pass ${JSON.stringify(model.config)} ${JSON.stringify(wants)}`;
  }

  /** The activations of B sequences, [N, width] each; the caller frees them. */
  async activations(ids: Int32Array, batch: number, signal?: AbortSignal): Promise<DeviceTensor[]> {
    const stay = this.wants.hooks.map((_, i) => `h${i}`);
    const { device } = await this.run(ids, batch, { stay, signal });
    return stay.map((name) => device[name]);
  }

  /** A pass over B sequences. @param feeds the inputs that depend on no model: next tokens, a replacement, clean logits */
  async run(
    ids: Int32Array,
    batch: number,
    { feeds = {}, ...options }: RunOptions & { feeds?: Feeds },
  ): Promise<RunResult> {
    const all = { ...(await this.#weights()), ...(await this.#inputs(ids, batch)), ...feeds };
    return this.device.run({ key: this.#key, build: () => this.#program.graph }, all, options);
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
    for (const { input, weight, first, end } of this.#program.tiles) {
      const [, cols] = shapes.get(weight)!;
      feeds[input] = await device.weights.get(model.id, input, async () => ({
        data: (await model.weightValues(weight)).subarray(first * cols, end * cols),
        shape: [end - first, cols],
      }));
    }
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
    for (const name of this.#program.inputs)
      if (name !== INPUT.embedded && name in made) this.#tables[name] ??= await made[name]();
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
