/** Where the steps of a training are computed: parameters and Adam's moments are theirs. */
import { breathe } from '../compute/call.js';
import { adamUpdate, gradientNorm, type AdamOptions } from './adam.js';
import type { Hold } from './frozen.js';
import { likeParameters, type Parameters } from './parameters.js';
import type { StepInput, StepResult, TrainingStep } from './step.js';

/** Adam's moments, in the form of Parameters.flat. */
export interface Moments {
  m: Float32Array;
  v: Float32Array;
}

export interface UpdateOptions extends AdamOptions {
  /** t = 1, 2, … */
  t: number;
  lr: number;
  /** The clipping factor. */
  clip: number;
}

export interface Steps {
  /** Loss of a batch; its gradients are kept for norm and update. A run that throws changes nothing. */
  run(input: StepInput): Promise<StepResult>;
  /** √Σ g² of the last run. */
  norm(): number;
  update(options: UpdateOptions): Promise<void>;
  /** Parameters and moments as they are now. */
  state(): Promise<Moments & { p: Parameters }>;
  /** Gives back what it holds outside of this process. */
  close(): void;
}

/** Elements of one piece of the optimiser's pass: about 0.2 s. */
const ADAM_PIECE = 1 << 25;

/** Steps as typed-array code. */
export class CpuSteps implements Steps {
  private readonly gradients: Parameters;

  constructor(
    private readonly computation: TrainingStep,
    private readonly p: Parameters,
    private readonly moments: Moments,
    private readonly hold: Hold | undefined,
  ) {
    this.gradients = likeParameters(p);
  }

  run(input: StepInput): Promise<StepResult> {
    return this.computation.run(this.p, this.gradients, input);
  }

  norm(): number {
    this.hold?.before(this.gradients);
    return gradientNorm(this.gradients.flat);
  }

  async update({ t, lr, clip, ...adam }: UpdateOptions): Promise<void> {
    const { p, gradients, moments } = this;
    for (let first = 0; first < p.flat.length; first += ADAM_PIECE) {
      const last = Math.min(p.flat.length, first + ADAM_PIECE);
      adamUpdate(p.flat, gradients.flat, moments, t, lr, clip, adam, first, last);
      if (last < p.flat.length) await breathe();
    }
    this.hold?.after(p);
  }

  state(): Promise<Moments & { p: Parameters }> {
    return Promise.resolve({ p: this.p, ...this.moments });
  }

  close(): void {
    // Nothing lies outside of this process.
  }
}
