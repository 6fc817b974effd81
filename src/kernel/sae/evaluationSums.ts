/** What an evaluation says, and the float64 sums that it is made of. */
import { isJsonObject } from '../../protocol/objects.js';
import { plainNumber } from '../verb/remember.js';
import { NextTokenSums } from './nextToken.js';
import { ReconstructionSums, type ReconstructionMetrics } from './reconstruction.js';
import type { Sae } from './types.js';

export interface SaeEvaluation extends ReconstructionMetrics {
  /** Tokens counted. */
  tokens: number;
  sequences: number;
  /** Mean firing features per token, and mean Σ f. */
  l0: number;
  l1: number;
  /** Mean L0 of the last logged steps of training, as the SAE's file says it; NaN where it says none. */
  l0Training: number;
  /** Mean next-token cross-entropy (nats): as is, with x̂ at the hook, with zeros there, with the mean activation there. */
  ceClean: number;
  ceSae: number;
  ceZero: number;
  ceMean: number;
  /** (ceZero − ceSae) / (ceZero − ceClean): 1 = nothing lost, 0 = as bad as zeros. NaN when zeros cost nothing. */
  ceLossRecovered: number;
  /** The same against the mean activation of the counted tokens, a harder bar: (ceMean − ceSae) / (ceMean − ceClean). */
  ceLossRecoveredMean: number;
  /** Mean KL(clean ‖ replaced) of the next-token distribution (nats), and (klZero − klSae) / klZero. */
  klSae: number;
  klZero: number;
  klMean: number;
  klScore: number;
  /** (klMean − klSae) / klMean. */
  klScoreMean: number;
  /** Features that fired on no token, and those that fired on more than a tenth of them. */
  dead: number;
  dense: number;
  /** [d_sae]: share of tokens on which each feature fires. */
  density: Float64Array;
  densityHistogram: DensityHistogram;
}

/** An evaluation with those of baselines, by kind, where they were asked for. */
export interface BesideEvaluation extends SaeEvaluation {
  baselines?: Record<string, SaeEvaluation>;
}

/** Alive features by log10 of their density; dead ones are in no bin. */
export interface DensityHistogram {
  /** bins + 1 edges, ascending, the last 0; a bin holds edge[i] ≤ log10(density) < edge[i + 1], the last one 0 too. */
  edges: Float64Array;
  counts: Uint32Array;
}

/** A feature that fires on a larger share of tokens is dense. */
const DENSE = 0.1;

/** Next-token sums of the runs that are the same for every SAE. */
export class SharedSums {
  readonly clean = new NextTokenSums();
  readonly withZero = new NextTokenSums();
  readonly withMean = new NextTokenSums();
}

/** Sums as JSON holds them. */
export interface EvaluationState {
  readonly sums: ReadonlyArray<ReadonlyArray<number | string>>;
  /** Features that fired, and how often. */
  readonly fired: ReadonlyArray<readonly [feature: number, times: number]>;
  readonly l1: number | string;
}

/** Sums over batches of one SAE, and the evaluation that they give. */
export class EvaluationSums {
  readonly reconstruction: ReconstructionSums;
  readonly withSae = new NextTokenSums();
  readonly firings: Float64Array;
  l1 = 0;

  /** @param shared sums of the runs without an SAE, which several SAEs may have in common */
  constructor(
    private readonly sae: Sae,
    readonly shared = new SharedSums(),
  ) {
    this.reconstruction = new ReconstructionSums(sae.config.dIn);
    this.firings = new Float64Array(sae.config.dSae);
  }

  private all(): Array<ReconstructionSums | NextTokenSums> {
    const { clean, withZero, withMean } = this.shared;
    return [this.reconstruction, clean, this.withSae, withZero, withMean];
  }

  state(): EvaluationState {
    const sums = this.all().map((of) => of.state().map(plainNumber));
    const fired: Array<[number, number]> = [];
    this.firings.forEach((times, feature) => times > 0 && fired.push([feature, times]));
    return { sums, fired, l1: plainNumber(this.l1) };
  }

  addState({ sums, fired, l1 }: EvaluationState): void {
    for (const [i, of] of this.all().entries()) of.addState(sums[i].map(Number));
    for (const [feature, times] of fired) this.firings[feature] += times;
    this.l1 += Number(l1);
  }

  result(sequences: number): SaeEvaluation {
    const { withSae, firings } = this;
    const { tokens } = this.reconstruction;
    const density = firings.map((n) => n / tokens);
    return {
      tokens,
      sequences,
      l0: firings.reduce((sum, n) => sum + n, 0) / tokens,
      l0Training: l0OfTraining(this.sae),
      l1: this.l1 / tokens,
      ...this.reconstruction.metrics(),
      ...recovered(this.shared, withSae),
      dead: firings.reduce((n, count) => n + (count === 0 ? 1 : 0), 0),
      dense: density.reduce((n, share) => n + (share > DENSE ? 1 : 0), 0),
      density,
      densityHistogram: histogramOfDensity(density, tokens),
    };
  }
}

function l0OfTraining({ config: { metadata } }: Sae): number {
  const { training } = metadata;
  const l0 = isJsonObject(training) ? training.finalL0 : undefined;
  return typeof l0 === 'number' ? l0 : NaN;
}

/** What the SAE costs the model, and the shares of what zeros and the mean cost that it wins back. */
function recovered({ clean, withZero, withMean }: SharedSums, withSae: NextTokenSums) {
  const [ceClean, ceSae, ceZero, ceMean] = [clean, withSae, withZero, withMean].map(
    (s) => s.crossEntropy / s.positions,
  );
  const [klSae, klZero, klMean] = [withSae, withZero, withMean].map((s) => s.divergence / s.positions);
  const share = (worst: number, sae: number, best: number): number =>
    worst === best ? NaN : (worst - sae) / (worst - best);
  return {
    ...{ ceClean, ceSae, ceZero, ceMean },
    ceLossRecovered: share(ceZero, ceSae, ceClean),
    ceLossRecoveredMean: share(ceMean, ceSae, ceClean),
    ...{ klSae, klZero, klMean },
    klScore: share(klZero, klSae, 0),
    klScoreMean: share(klMean, klSae, 0),
  };
}

/** Quarter-decade bins from below 1/tokens, the smallest density there can be, to 1. */
export function histogramOfDensity(density: Float64Array, tokens: number): DensityHistogram {
  const perDecade = 4;
  const bins = Math.max(1, Math.ceil(Math.log10(tokens) * perDecade));
  const edges = Float64Array.from({ length: bins + 1 }, (_, i) => (i - bins) / perDecade);
  const counts = new Uint32Array(bins);
  for (const share of density) {
    if (share === 0) continue;
    const bin = Math.floor(Math.log10(share) * perDecade) + bins;
    counts[Math.max(0, Math.min(bins - 1, bin))]++;
  }
  return { edges, counts };
}
