/** ReLU SAEs with the penalties of sparsity.ts, as a graph. */
import type { Value } from '../../compute/graphs/graph.js';
import type { Given } from '../../verb/option.js';
import { coefficientAt } from '../schedule.js';
import { penaltyOf, type Penalty, type SPARSITY_OPTIONS } from './sparsity.js';
import type { DeviceBatch, DeviceStep, DeviceTraining, StepBlock, StepSums } from './trainingOnDevice.js';

/** The run of a ReLU SAE on a device. */
export function sparseOnDevice(given: Given<typeof SPARSITY_OPTIONS>): DeviceTraining {
  const penalty = penaltyOf(given);
  return {
    key: `relu ${JSON.stringify(penalty)}`,
    tied: given.tied,
    fire(block) {
      const { g, z } = block;
      const f = g.op('Relu', [z]);
      const { slope, ...sums } = penalized(block, f, penalty);
      const zero = g.number(0);
      return { f, back: (toF) => ({ toZ: g.where(g.op('Greater', [f, zero]), g.add(toF, slope), zero), ...sums }) };
    },
    begin: (batch) => stepOf(batch, coefficientAt(batch.step, penalty.l1Coefficient, penalty.l1WarmUpSteps), penalty),
  };
}

/** dL/df of the penalty where a feature fires, and what the host sums. */
function penalized({ g, vector, number }: StepBlock, f: Value, penalty: Penalty): StepSums & { slope: Value } {
  if (penalty.sparsityPenalty === 'lp' && penalty.lpNorm === 1)
    return { slope: vector('penalty'), columns: { features: g.sum(f, 0, false) } };
  const norms = vector('norms');
  const scaled = g.mul(f, norms);
  const isIn = g.op('Greater', [f, g.number(0)]);
  const inside = (value: Value): Value => g.where(isIn, value, g.number(0));
  const { slope, of } =
    penalty.sparsityPenalty === 'tanh' ? tanhSlope(g, scaled, penalty.tanhScale) : lpSlope(g, scaled, inside, penalty.lpNorm); // prettier-ignore
  // dL/d(f·‖W_dec row‖)
  const weighed = inside(g.mul(slope, number('weight')));
  return {
    slope: g.mul(weighed, norms),
    columns: { toNorm: g.sum(g.mul(weighed, f), 0, false) },
    rows: { penalty: of },
  };
}

type Sloped = { slope: Value; /** [N, 1]: the penalty of each row. */ of: Value };

/** c (1 − tanh²(c u)), and Σ tanh(c u). */
export function tanhSlope(g: StepBlock['g'], scaled: Value, scale: number): Sloped {
  const t = g.op('Tanh', [g.mul(scaled, g.number(scale))]);
  return { slope: g.mul(g.sub(g.number(1), g.mul(t, t)), g.number(scale)), of: g.sum(t) };
}

/** (u / ‖u‖_p)^(p − 1), and ‖u‖_p. */
function lpSlope(g: StepBlock['g'], scaled: Value, inside: (value: Value) => Value, p: number): Sloped {
  const power = (x: Value, exponent: number): Value => g.op('Pow', [x, g.number(exponent)]);
  const norm = power(g.sum(inside(power(scaled, p))), 1 / p);
  return { slope: power(g.div(scaled, norm), p - 1), of: norm };
}

function stepOf({ rows, summedNorms }: DeviceBatch, lambda: number, penalty: Penalty): DeviceStep {
  const weight = lambda / rows;
  if (penalty.sparsityPenalty === 'lp' && penalty.lpNorm === 1)
    return {
      dead: 'none',
      vectors: { penalty: summedNorms.map((norm) => weight * norm) },
      end({ columns: { features } }) {
        const l1 = features.reduce((sum, value, f) => sum + value * summedNorms[f], 0) / rows;
        return { added: lambda * l1, l1, toNorm: features.map((sum) => weight * sum) };
      },
    };
  return {
    dead: 'none',
    numbers: { weight },
    end: ({ columns: { toNorm }, rows: { penalty: total } }) => ({ added: weight * total, l1: total / rows, toNorm }),
  };
}
