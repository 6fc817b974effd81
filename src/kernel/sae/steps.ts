/** Where the steps of a training are computed: parameters and Adam's moments are theirs. */
import type { AdamStep } from '../compute/entries/optimiser.js';
import { adam, optimiserMemory, squares } from '../compute/passes/optimiser.js';
import { runPhase, type TeamOptions } from '../compute/shared/phases.js';
import type { Hold } from './frozen.js';
import { sharedArray, sharedParameters, type Parameters } from './parameters.js';
import type { StepInput, StepResult, TrainingStep } from './step.js';

/** Adam's moments, in the form of Parameters.flat. */
export interface Moments {
  m: Float32Array;
  v: Float32Array;
}

/** t = 1, 2, …; `clip` is the clipping factor. */
export type UpdateOptions = AdamStep;

export interface Steps {
  /** Loss of a batch; its gradients are kept for norm and update. A run that throws changes nothing. */
  run(input: StepInput): Promise<StepResult>;
  /** √Σ g² of the last run. */
  norm(): Promise<number>;
  update(options: UpdateOptions): Promise<void>;
  /** Parameters and moments as they are now. */
  state(): Promise<Moments & { p: Parameters }>;
  /** Gives back what it holds outside of this process. */
  close(): void;
}

/** Fewer parameters than this are not worth calling the workers for. */
const WORTH = 2 ** 18;

/** Steps as typed-array code, shared out among the pool's workers: no bit depends on how many they are. */
export class CpuSteps implements Steps {
  private readonly p: Parameters;
  private readonly gradients: Parameters;
  private readonly moments: Moments;
  private readonly optimiser: ReturnType<typeof optimiserMemory>;
  private readonly team: TeamOptions;
  /** Whether an update was cut off, which leaves parameters of two steps. */
  private torn = false;

  /** @param p copied, as `moments` are, to where workers reach them */
  constructor(
    private readonly computation: TrainingStep,
    p: Parameters,
    moments: Moments,
    private readonly hold: Hold | undefined,
    team: TeamOptions = {},
  ) {
    this.p = sharedParameters(p, 'copied');
    this.gradients = sharedParameters(p, 'zeros');
    this.moments = { m: sharedArray(p.flat.length), v: sharedArray(p.flat.length) };
    this.moments.m.set(moments.m);
    this.moments.v.set(moments.v);
    this.optimiser = optimiserMemory(p.flat);
    this.team = { workers: p.flat.length < WORTH ? 0 : undefined, ...team };
  }

  run(input: StepInput): Promise<StepResult> {
    return this.computation.run(this.p, this.gradients, input);
  }

  async norm(): Promise<number> {
    this.hold?.before(this.gradients);
    const { memory, sums } = this.optimiser;
    await runPhase({ phase: 'squares', memory, parameters: { of: this.gradients.flat } }, squares, {
      ...this.team,
      label: 'the norm of gradients',
      unit: 'pieces',
    });
    return Math.sqrt(sums.reduce((sum, square) => sum + square, 0));
  }

  async update(step: UpdateOptions): Promise<void> {
    const { p, gradients, moments, optimiser } = this;
    const parameters = { arrays: { parameters: p.flat, gradients: gradients.flat, ...moments }, step };
    this.torn = true;
    await runPhase({ phase: 'adam', memory: optimiser.memory, parameters }, adam, {
      ...this.team,
      label: 'Adam',
      unit: 'pieces',
    });
    this.torn = false;
    this.hold?.after(p);
  }

  state(): Promise<Moments & { p: Parameters }> {
    if (this.torn)
      return Promise.reject(new Error('the update of this step was cut off: its weights are of two steps'));
    return Promise.resolve({ p: this.p, ...this.moments });
  }

  close(): void {
    // Nothing lies outside of this process.
  }
}
