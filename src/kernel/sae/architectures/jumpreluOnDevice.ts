/** Training of JumpReLU (jumprelu.ts) as a graph. */
import type { Value } from '../../compute/graphs/graph.js';
import { coefficientAt } from '../schedule.js';
import { sparsityOf, thresholds, type Settings } from './jumpreluLoss.js';
import { tanhSlope } from './sparsityOnDevice.js';
import type { DeviceBatch, DeviceStep, DeviceTraining, StepBlock, StepSums } from './trainingOnDevice.js';

export function jumpReluOnDevice(settings: Settings): DeviceTraining {
  const { jumpreluSparsityLossMode: mode, jumpreluTanhScale } = settings;
  return {
    key: `jumprelu ${mode === 'tanh' ? jumpreluTanhScale : ''}`,
    fire(block) {
      const { g, z, vector, number } = block;
      const zero = g.number(0);
      // z − z is 0, and NaN where z is not finite, which the loss then shows.
      const f = g.where(g.op('Greater', [z, vector('theta')]), z, g.sub(z, z));
      const isIn = g.op('Greater', [f, zero]);
      const revived = revive(block);
      return {
        f,
        back(given) {
          let toF = given;
          const columns: Record<string, Value> = { ...revived?.columns };
          const rows: Record<string, Value> = {};
          if (mode === 'tanh') {
            const { slope, of } = tanhSlope(g, g.mul(f, vector('norms')), jumpreluTanhScale);
            const weighed = g.mul(slope, number('weight'));
            toF = g.add(toF, g.mul(weighed, vector('norms')));
            Object.assign(columns, { toNorm: g.sum(g.mul(weighed, f), 0, false) });
            rows.tanhs = of;
          }
          const band = (value: Value): Value =>
            g.where(g.op('Greater', [z, vector('from')]), g.where(g.op('Less', [z, vector('to')]), value, zero), zero);
          Object.assign(columns, {
            throughJump: g.sum(band(toF), 0, false),
            inBand: g.sum(band(g.number(1)), 0, false),
          });
          const toZ = g.where(isIn, toF, zero);
          return { toZ: revived ? g.sub(toZ, revived.drawn) : toZ, columns, rows };
        },
      };
    },
    begin: (batch) => stepOf(batch, settings),
  };
}

/** The pre-activation loss of dead features: what draws their z up, Σ ReLU(θ − z) and the tokens below θ. */
function revive({ g, z, dead, vector }: StepBlock): (StepSums & { drawn: Value }) | undefined {
  if (dead === 'none') return undefined;
  const zero = g.number(0);
  const gap = g.mul(g.op('Relu', [g.sub(vector('theta'), z)]), vector('dead'));
  const isBelow = g.op('Greater', [gap, zero]);
  return {
    drawn: g.where(isBelow, vector('draw'), zero),
    columns: { below: g.sum(gap, 0, false), belowCount: g.sum(g.where(isBelow, g.number(1), zero), 0, false) },
  };
}

function stepOf({ rows, step, norms, dead, extra }: DeviceBatch, settings: Settings): DeviceStep {
  const { jumpreluSparsityLossMode: mode, jumpreluBandwidth: epsilon, preActLossCoefficient } = settings;
  const theta = thresholds(extra.threshold, settings);
  const lambda = coefficientAt(step, settings.l0Coefficient, settings.l0WarmUpSteps);
  const revives = preActLossCoefficient > 0 && dead?.some((one) => one === 1) === true;
  const draw = norms.map((norm) => (preActLossCoefficient / rows) * norm);
  return {
    dead: revives ? 'few' : 'none',
    numbers: { weight: lambda / rows },
    vectors: { theta, draw, from: theta.map((t) => t - epsilon / 2), to: theta.map((t) => t + epsilon / 2) },
    end({ columns, rows: totals, firing }) {
      const { value, slope } = sparsityOf(firing, totals.tanhs ?? 0, rows, settings);
      const toTheta = theta.map(
        (t, f) => -(t / epsilon) * columns.throughJump[f] - (columns.inBand[f] / epsilon) * lambda * slope,
      );
      let toNorm = columns.toNorm as Float64Array | undefined;
      let added = 0;
      if (revives) {
        const { below, belowCount } = columns;
        added = below.reduce((sum, gap, f) => sum + draw[f] * gap, 0);
        for (let f = 0; f < toTheta.length; f++) toTheta[f] += draw[f] * belowCount[f];
        toNorm = below.map((gap, f) => (preActLossCoefficient / rows) * gap + (toNorm?.[f] ?? 0));
      }
      const { threshold } = extra;
      const toTrained = toTheta.map(
        (gradient, f) => gradient * (settings.jumpreluThreshold === 'log' ? theta[f] : threshold[f] > 0 ? 1 : 0),
      );
      const tanh = mode === 'tanh' || revives;
      return {
        added: lambda * value + added,
        l1: value,
        aux: added,
        extra: { threshold: toTrained },
        ...(tanh ? { toNorm } : {}),
      };
    },
  };
}
