/** Training: the loop alone. Data is in buffer.ts, loss and gradients in step.ts, schedules in schedule.ts. */
import type { JsonObject } from '../../protocol/notebook.js';
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { initDevice } from '../compute/device.js';
import { DeviceLostError } from '../compute/graphs/failures.js';
import { rowNorms } from '../compute/rows.js';
import { messageOf } from '../io/files.js';
import { clipFactor } from './adam.js';
import { initialBDec, tellBDecInit, type BDecInit } from './bDecInit.js';
import { ActivationBuffer, EMPTY_BUFFER } from './buffer.js';
import { CheckpointPace, loadTrainingState, saveTrainingState, type TrainingState } from './checkpoint.js';
import { beginWith } from './fineTune.js';
import { initialParameters, weightsOf } from './parameters.js';
import { foldActivationScale, foldInputScale } from './fold.js';
import { createSae, firstNonFinite } from './sae.js';
import { learningRateAt } from './schedule.js';
import { DivergedError, exploded, negativeEnd, repeatedText } from './stopped.js';
import { inputWidth, partOf, type ActivationSource } from './source.js';
import { type StepResult } from './step.js';
import type { Steps } from './steps.js';
import { deviceParameter, placeOf, stepsOf, type TrainingPlace } from './trainOnDevice.js';
import { configOf, resolveOptions, type ResolvedOptions, type SaeTrainOptions } from './trainOptions.js';
import type { Sae } from './types.js';

/** One logged step; losses are of that step's batch, before its update. */
export interface HistoryRow {
  /** 0-based. */
  step: number;
  loss: number;
  /** Squared error, summed over dims, mean over tokens, in units of the scaled activations. */
  mse: number;
  /** The sparsity penalty, such as Σ f‖W_dec‖, mean over tokens, before its coefficient; 0 where there is none. */
  l1: number;
  /** An auxiliary loss, such as that of dead features, as it enters the loss; 0 where there is none. */
  aux: number;
  l0: number;
  /** 1 − SSE/SST about the batch mean. */
  explainedVariance: number;
  /** Features that have not fired for deadFeatureWindow steps. */
  dead: number;
  lr: number;
}

export interface TrainResult {
  sae: Sae;
  history: HistoryRow[];
}

const PROGRESS_MS = 200;

/**
 * Trains an SAE on activations with Adam. The same source, options and seed give the same weights on the same device.
 * Throws on options that cannot work, when the loss stops being finite (saying at which step), and AbortError when
 * cancelled; with `checkpoint`, a cancelled run is saved first and goes on when called again.
 */
export async function trainSae(
  source: ActivationSource,
  options: SaeTrainOptions & CallOptions = {},
): Promise<TrainResult> {
  const { signal, onProgress, ...training } = options;
  const o = resolveOptions(training, inputWidth(source), source.rows, source.target);
  const call: CallOptions = { signal, onProgress };
  await initDevice();
  const { folder, every: asked } = options.checkpoint ?? {};
  const every = asked ?? Math.max(1, Math.ceil(o.common.steps / 10));
  const place = placeOf(training, options.device);
  const run = runOf(o, source, place);
  const found = folder ? await loadTrainingState(folder, run, options.report) : undefined;
  const trainer = await Trainer.start(source, o, call, found, place);
  if (!found && !o.common.bDecInitMethod && trainer.bDec.method !== 'zeros')
    tell(options.report, tellBDecInit(trainer.bDec));
  tell(options.report, repeatedText(o.common.steps, o.common.trainBatchSizeTokens, source.rows));
  if (found) options.onLog?.(trainer.history);
  const pace = new CheckpointPace(trainer.stateBytes);
  let saved = trainer.step;
  const save = async (): Promise<void> => {
    if (!folder) return;
    try {
      await saveTrainingState(folder, await trainer.state(), run);
      pace.wrote();
    } catch (error) {
      const kept = saved > 0 ? `its state of step ${saved} is kept, and the same call goes on from there` : 'no state of it was kept before'; // prettier-ignore
      throw new Error(`SAE training stopped at step ${trainer.step}: ${messageOf(error)}; ${kept}`, { cause: error });
    }
    saved = trainer.step;
  };
  try {
    try {
      while (trainer.step < o.common.steps) {
        if (trainer.step > 0 && trainer.step % every === 0 && (asked || pace.due())) await save();
        if (await trainer.next()) options.onLog?.(trainer.history);
      }
    } catch (error) {
      // A step that was cut off changed nothing yet: the state is that of the last whole step.
      if (signal?.aborted) {
        await save();
        if (trainer.step > 0) await options.onStopped?.(await trainer.finish(), trainer.step);
      }
      if (error instanceof DivergedError && folder) await keepLast(source, o, options, () => loadTrainingState(folder, run, options.report)); // prettier-ignore
      if (error instanceof DeviceLostError && folder)
        throw new DeviceLostError(`${error.message}. The same call goes on from ${saved > 0 ? `step ${saved}` : 'the start'}`, { cause: error }); // prettier-ignore
      throw error;
    }
    // The state stays, the finished one too: an SAE that could not be saved is not lost. The caller deletes the folder.
    await save();
    tell(options.report, negativeEnd(trainer.history));
    return { sae: await trainer.finish(), history: trainer.history };
  } finally {
    pace.close();
    await trainer.close();
  }
}

/** Gives the SAE of the last checkpoint to who keeps those of trainings that end early. */
async function keepLast(
  source: ActivationSource,
  o: ResolvedOptions,
  { onStopped }: SaeTrainOptions,
  load: () => Promise<TrainingState | undefined>,
): Promise<void> {
  const good = onStopped && (await load());
  if (!good) return;
  const kept = await Trainer.start(source, o, {}, good, undefined);
  await kept.close();
  await onStopped(await kept.finish(), kept.step);
}

/** What must be the same for a run to go on from a state. */
const runOf = (
  { settings }: ResolvedOptions,
  source: ActivationSource,
  place: TrainingPlace | undefined,
): JsonObject => ({
  ...settings,
  width: source.width,
  hook: source.hookName,
  ...(source.target ? { hookOut: source.target.hookName } : {}),
  model: source.modelId ?? source.modelName,
  tokens: source.tokensId ?? null,
  ignoreTokens: null,
  ...source.ignoring,
  ...deviceParameter(place),
});

function tell(report: SaeTrainOptions['report'], message: string | undefined): void {
  if (message !== undefined) report?.(message);
}

/** A run in progress: what changes from step to step, and nothing else. */
class Trainer {
  step = 0;
  history: HistoryRow[] = [];
  private readonly o: ResolvedOptions['common'];
  private readonly batch: Float32Array;
  /** The columns of the batch that are read and predicted: both the batch itself but in a transcoder. */
  private readonly x: Float32Array;
  private readonly target: Float32Array;
  private sinceFired: Int32Array;
  private lastProgress = -Infinity;

  private constructor(
    private readonly source: ActivationSource,
    private readonly resolved: ResolvedOptions,
    private readonly call: CallOptions,
    private readonly scale: number,
    private readonly buffer: ActivationBuffer,
    private readonly steps: Steps,
    readonly bDec: BDecInit,
  ) {
    const { common } = resolved;
    this.o = common;
    const rows = common.trainBatchSizeTokens;
    const { dIn, dOut = dIn } = resolved.shape;
    this.batch = new Float32Array(rows * source.width);
    this.x = source.target ? new Float32Array(rows * dIn) : this.batch;
    this.target = source.target ? new Float32Array(rows * dOut) : this.batch;
    this.sinceFired = new Int32Array(common.dSae);
  }

  static async start(
    source: ActivationSource,
    resolved: ResolvedOptions,
    call: CallOptions,
    found: TrainingState | undefined,
    place: TrainingPlace | undefined,
  ): Promise<Trainer> {
    const { common: o } = resolved;
    const scale =
      found?.scale ?? (o.normalizeActivations === 'none' ? 1 : await estimateScale(partOf(source, 'input'), o, call));
    const { shape } = resolved;
    const { seed, trainBatchSizeTokens: batchSize, bufferTokens: capacity } = o;
    const served = { batchSize, capacity, seed, scale, scaledColumns: shape.dIn };
    const buffer = new ActivationBuffer(source, served, { signal: call.signal });
    const { from } = resolved;
    const method = from ? 'zeros' : (o.bDecInitMethod ?? undefined);
    const begun = found ? undefined : await initialBDec(partOf(source, 'target'), method, call);
    const p = initialParameters(shape, o.decoderInitNorm, seed, resolved.run.parameters);
    if (found) p.flat.set(found.parameters);
    else resolved.run.begin?.(p);
    // What a transcoder predicts is not scaled.
    if (begun) p.b_dec.set(begun.b_dec.map((v) => v * (source.target ? 1 : scale)));
    if (from && !found) beginWith(p, from, scale);
    const steps = stepsOf(resolved, p, found ?? { m: new Float32Array(p.flat.length), v: new Float32Array(p.flat.length) }, place); // prettier-ignore
    const trainer = new Trainer(source, resolved, call, scale, buffer, steps, found?.bDec ?? begun!.init);
    if (found) {
      trainer.step = found.step;
      trainer.history = found.history;
      trainer.sinceFired = found.sinceFired;
      resolved.run.memory?.set(found.memory);
      buffer.restore(found.buffer);
    }
    return trainer;
  }

  /** One step; whether it was logged. */
  async next(): Promise<boolean> {
    const { o, call } = this;
    checkAborted(call.signal, 'SAE training');
    await this.buffer.next(this.batch);
    if (this.source.target) this.split();
    let result: StepResult;
    try {
      result = await this.steps.run({
        x: this.x,
        target: this.target,
        step: this.step,
        dead: this.deadMask(),
        breakAt: () => checkAborted(call.signal, 'SAE training'),
      });
    } catch (error) {
      this.buffer.unserve();
      throw error;
    }
    const lr = learningRateAt(this.step, o);
    const logged = this.record(result, lr);
    await this.update(lr);
    for (let f = 0; f < o.dSae; f++) this.sinceFired[f] = result.fired[f] ? 0 : this.sinceFired[f] + 1;
    this.step++;
    await breathe();
    return logged;
  }

  /** The columns of the batch that are read, and those that are predicted. */
  private split(): void {
    const { batch, x, target } = this;
    const { width } = this.source;
    const { dIn } = this.resolved.shape;
    for (let at = 0, i = 0; at < batch.length; at += width, i++) {
      x.set(batch.subarray(at, at + dIn), i * dIn);
      target.set(batch.subarray(at + dIn, at + width), i * (width - dIn));
    }
  }

  private async update(lr: number): Promise<void> {
    const { o, steps } = this;
    const norm = await steps.norm();
    if (!Number.isFinite(norm)) throw this.diverged('gradient norm', norm);
    const clip = clipFactor(norm, o.maxGradNorm ?? undefined);
    await steps.update({ t: this.step + 1, lr, clip, beta1: o.adamBeta1, beta2: o.adamBeta2, eps: o.adamEps });
  }

  private record({ fired: _, ...terms }: StepResult, lr: number): boolean {
    const { o, step } = this;
    if (!Number.isFinite(terms.loss)) throw this.diverged('loss', terms.loss);
    let dead = 0;
    for (const steps of this.sinceFired) if (steps > o.deadFeatureWindow) dead++;
    const logged = step % o.logEvery === 0 || step === o.steps - 1;
    if (logged) this.history.push({ step, ...terms, dead, lr });
    if (logged && exploded(this.history)) throw this.diverged('loss', terms.loss);
    const now = performance.now();
    if (now - this.lastProgress < PROGRESS_MS && step < o.steps - 1) return logged;
    this.lastProgress = now;
    const detail = `loss ${terms.loss.toPrecision(4)}, L0 ${terms.l0.toFixed(1)}, explained variance ${terms.explainedVariance.toFixed(3)}, dead ${dead}`;
    this.call.onProgress?.({ label: 'training SAE', done: step + 1, total: o.steps, unit: 'steps', detail });
    return logged;
  }

  private diverged(what: string, value: number): Error {
    const { step, o } = this;
    const cause =
      firstNonFinite(this.batch) >= 0
        ? 'the activations hold NaN or infinity'
        : `try a lower { lr } (now ${o.lr}) or a warm-up`;
    return new DivergedError(`SAE training stopped: ${what} is ${value} at step ${step}; ${cause}`);
  }

  private deadMask(): Uint8Array | undefined {
    const { deadFeatureWindow } = this.o;
    if (this.step <= deadFeatureWindow) return undefined;
    return Uint8Array.from(this.sinceFired, (steps) => (steps > deadFeatureWindow ? 1 : 0));
  }

  /** Of a state: parameters with their moments, and the buffer, at most. */
  get stateBytes(): number {
    const { dIn, dOut = dIn, dSae } = this.resolved.shape;
    return 4 * (3 * (dIn + dOut) * dSae + this.o.bufferTokens * this.source.width);
  }

  async state(): Promise<TrainingState> {
    const { step, sinceFired, scale, bDec, history } = this;
    const { p, m, v } = await this.steps.state();
    const memory = [...(this.resolved.run.memory ?? [])];
    // After the last step nothing is served any more.
    const buffer = step < this.o.steps ? this.buffer.state() : EMPTY_BUFFER;
    return { step, parameters: p.flat, m, v, sinceFired, scale, bDec, history, memory, buffer };
  }

  async close(): Promise<void> {
    this.steps.close();
    await this.buffer.close();
  }

  /** The trained SAE, scale and norms folded in. */
  async finish(): Promise<Sae> {
    const { resolved, source, history } = this;
    const { p } = await this.steps.state();
    const weights = weightsOf(p);
    if (this.scale !== 1) (source.target ? foldInputScale : foldActivationScale)(weights, this.scale);
    const changed = resolved.run.finish?.(weights, { extra: p.extra, W_dec: p.W_dec, scale: this.scale });
    const last = history.slice(-10);
    const mean = (pick: (row: HistoryRow) => number) => last.reduce((sum, row) => sum + pick(row), 0) / last.length;
    const explainedVariance = mean((row) => row.explainedVariance);
    const training = {
      ...resolved.settings,
      bDecInitMethod: this.bDec.method,
      activationOffset: this.bDec.offset,
      normScalingFactor: this.scale,
      tokens: source.tokensId ?? null,
      ...source.ignoring,
      finalL0: mean((row) => row.l0),
      finalExplainedVariance: Number.isFinite(explainedVariance) ? explainedVariance : null,
    };
    return createSae({ ...configOf(resolved, source), ...(changed ?? {}), metadata: { training } }, weights);
  }
}

/** s = √d / mean ‖x‖ over the first batches of the source. */
async function estimateScale(
  source: ActivationSource,
  o: ResolvedOptions['common'],
  call: CallOptions,
): Promise<number> {
  const wanted = Math.min(o.nBatchesForNormEstimate, o.steps) * o.trainBatchSizeTokens;
  let rows = 0;
  let sum = 0;
  for await (const piece of source.batches(0, { signal: call.signal })) {
    checkAborted(call.signal, 'SAE training');
    for (const norm of rowNorms(piece)) sum += norm;
    rows += piece.rows;
    call.onProgress?.({
      label: 'measuring activation norms',
      done: Math.min(rows, wanted),
      total: wanted,
      unit: 'tokens',
    });
    if (rows >= wanted) break;
  }
  const scale = Math.sqrt(source.width) / (sum / rows);
  if (Number.isFinite(scale) && scale > 0) return scale;
  throw new Error(
    `activations cannot be scaled: their mean norm over ${rows} rows is ${sum / rows}; use normalizeActivations 'none' or check the hook`,
  );
}
