/** The forward passes of an evaluation as graphs: logits stay on the device, two numbers of each position leave it. */
import { DeviceMemoryError } from '../compute/graphs/failures.js';
import type { DeviceTensor, GraphDevice } from '../compute/graphs/host.js';
import type { HostTensor } from '../compute/graphs/messages.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import type { CaptureOptions, CapturedBlock } from '../models/capture.js';
import { captureOnDevice, runsOnCpu } from '../models/captureOnDevice.js';
import { editsOf } from '../models/edits.js';
import { INPUT, SCORED } from '../models/passGraph.js';
import { DevicePass, passTooLarge } from '../models/passOnDevice.js';
import type { TransformerModel } from '../models/transformer.js';
import type { TokenSet } from '../models/types.js';
import { TensorRuns, type EvaluatedBatch, type EvaluatedModel, type EvaluatedRuns } from './evaluatedRuns.js';
import type { PositionScores } from './nextToken.js';

/** On the device where it is given and the passes have a graph, else on tensors. */
export function runsOn(at: EvaluatedModel, device: GraphDevice | undefined, tileRows?: number): EvaluatedRuns {
  const { model, hook, interventions } = at;
  // Attention maps are no rows of tokens.
  if (!device || runsOnCpu(model, editsOf(interventions)) || /hook_(attn_scores|pattern)$/.test(hook))
    return new TensorRuns(at);
  return new DeviceRuns(device, model as TransformerModel, hook, tileRows);
}

/** Sequences that go in one pass, and their clean logits. */
interface Part {
  first: number;
  count: number;
  logits: DeviceTensor;
}

type Host = Record<string, HostTensor>;

class DeviceRuns implements EvaluatedRuns {
  #batch: EvaluatedBatch | undefined;
  #parts: Part[] = [];
  /** Sequences of one pass: fewer after the device had no room. */
  #most = Infinity;
  readonly #clean: DevicePass;
  readonly #changed: DevicePass;

  constructor(
    private readonly device: GraphDevice,
    private readonly model: TransformerModel,
    private readonly hook: string,
    tileRows?: number,
  ) {
    this.#clean = new DevicePass(device, model, { hooks: [hook], scored: 'clean', tileRows });
    this.#changed = new DevicePass(device, model, { hooks: [], replaced: hook, scored: 'changed', tileRows });
  }

  async clean(batch: EvaluatedBatch): Promise<{ x: Matrix; scores: PositionScores }> {
    this.end();
    this.#batch = batch;
    const parts = await this.#again(() => this.#cleanParts());
    const xs = parts.map(({ h0 }) => h0);
    const x = matrix(batch.ids.length, xs[0].shape[1], joined(xs));
    const crossEntropy = joined(parts.map((part) => part[SCORED.crossEntropy]));
    return { x, scores: (i) => ({ crossEntropy: crossEntropy[i], divergence: 0 }) };
  }

  async replaced(x: Float32Array): Promise<PositionScores> {
    const parts = await this.#again(async () => {
      // Where there was no room the parts are smaller by now, and their clean logits are gone.
      if (this.#parts.length === 0) await this.#cleanParts();
      return this.#changedParts(x);
    });
    const crossEntropy = joined(parts.map((part) => part[SCORED.crossEntropy]));
    const divergence = joined(parts.map((part) => part[SCORED.divergence]));
    return (i) => ({ crossEntropy: crossEntropy[i], divergence: divergence[i] });
  }

  async *activations(tokens: TokenSet, options: CaptureOptions): AsyncGenerator<CapturedBlock> {
    const { device, model, hook } = this;
    for await (const { firstToken, rows, xs } of captureOnDevice(device, model, tokens, [hook], options)) {
      const { data, shape } = await device.download(xs[0]);
      yield { firstToken, x: matrix(rows, shape[1], data as Float32Array) };
    }
  }

  async #cleanParts(): Promise<Host[]> {
    const { ids, batch } = this.#batch!;
    const context = ids.length / batch;
    const found: Host[] = [];
    for (let first = 0; first < batch;) {
      const count = Math.min(this.#most, batch - first);
      const { own, feeds } = this.#of(first, count, context);
      const { host, device } = await this.#clean.run(own, count, { feeds, stay: [SCORED.logits] });
      this.#parts.push({ first, count, logits: device[SCORED.logits] });
      found.push(host);
      first += count;
    }
    return found;
  }

  async #changedParts(x: Float32Array): Promise<Host[]> {
    const { ids, batch } = this.#batch!;
    const context = ids.length / batch;
    const cols = x.length / ids.length;
    const found: Host[] = [];
    for (const { first, count, logits } of this.#parts) {
      const { own, feeds } = this.#of(first, count, context);
      const data = x.subarray(first * context * cols, (first + count) * context * cols);
      const replacement: HostTensor = { data, shape: [own.length, cols] };
      const all = { ...feeds, [INPUT.replacement]: replacement, [INPUT.clean]: logits };
      found.push((await this.#changed.run(own, count, { feeds: all })).host);
    }
    return found;
  }

  /** The tokens of some sequences of the batch, and those that follow them. */
  #of(first: number, count: number, context: number): { own: Int32Array; feeds: Record<string, HostTensor> } {
    const own = this.#batch!.ids.slice(first * context, (first + count) * context);
    // Behind the last position of a sequence nothing is known: what stands there is not read.
    const next = Int32Array.from(own, (_, i) => own[i + 1] ?? 0);
    return { own, feeds: { [INPUT.next]: { data: next, shape: [own.length, 1] } } };
  }

  /** Again with half the sequences of a pass where the device had no room. */
  async #again<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        this.#free();
        if (!(error instanceof DeviceMemoryError)) throw error;
        const { batch, ids } = this.#batch!;
        const most = Math.min(this.#most, batch);
        if (most === 1) throw passTooLarge(this.model, ids.length / batch, error);
        this.#most = Math.ceil(most / 2);
      }
    }
  }

  #free(): void {
    this.device.free(...this.#parts.map(({ logits }) => logits));
    this.#parts = [];
  }

  end(): void {
    this.#free();
    this.#batch = undefined;
  }
}

function joined(parts: readonly HostTensor[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { data }) => sum + data.length, 0));
  let at = 0;
  for (const { data } of parts) {
    all.set(data as Float32Array, at);
    at += data.length;
  }
  return all;
}
