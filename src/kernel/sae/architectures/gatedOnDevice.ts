/** Training of gated SAEs (gated.ts) as a graph: z is π, with b_gate as its bias; the gate reconstructs beside the magnitudes. */
import type { Given } from '../../verb/option.js';
import { coefficientAt } from '../schedule.js';
import { L1_OPTIONS } from './sparsity.js';
import type { DeviceBatch, DeviceStep, DeviceTraining } from './trainingOnDevice.js';

export function gatedOnDevice({
  l1Coefficient = L1_OPTIONS.l1Coefficient.usual,
  l1WarmUpSteps = L1_OPTIONS.l1WarmUpSteps.usual,
}: Given<typeof L1_OPTIONS>): DeviceTraining {
  return {
    key: 'gated',
    fire({ g, z, vector, number }) {
      const zero = g.number(0);
      const weighed = g.mul(g.sub(z, vector('gate')), vector('growth'));
      const magnitude = g.op('Relu', [g.add(weighed, vector('b_mag'))]);
      // z − z is 0, and NaN where z is not finite, which the loss then shows.
      const f = g.where(g.op('Greater', [z, zero]), magnitude, g.sub(z, z));
      const isIn = g.op('Greater', [f, zero]);
      const gate = g.op('Relu', [z]);
      return {
        f,
        back(toF) {
          const through = g.where(isIn, toF, zero);
          return {
            toZ: g.mul(through, vector('growth')),
            columns: {
              to_b_mag: g.sum(through, 0, false),
              to_r_mag: g.sum(g.mul(through, weighed), 0, false),
            },
          };
        },
        again({ target, W_dec, b_dec }) {
          const error = g.sub(g.gemm(gate, W_dec, { c: b_dec }), target);
          return {
            f: gate,
            toOut: g.mul(error, number('toAux')),
            withBDec: true,
            back(toF) {
              const toZ = g.where(g.op('Greater', [gate, zero]), g.add(toF, vector('penalty')), zero);
              const columns = { to_b_gate: g.sum(toZ, 0, false), gates: g.sum(gate, 0, false) };
              return { toZ, columns, rows: { aux: g.sum(g.mul(error, error)) } };
            },
          };
        },
      };
    },
    begin: (batch) => stepOf(batch, coefficientAt(batch.step, l1Coefficient, l1WarmUpSteps)),
  };
}

function stepOf({ rows, norms, b_enc, extra }: DeviceBatch, lambda: number): DeviceStep {
  const weight = lambda / rows;
  return {
    dead: 'none',
    numbers: { toAux: 2 / rows },
    vectors: {
      gate: Float64Array.from(b_enc),
      growth: Float64Array.from(extra.r_mag, Math.exp),
      b_mag: Float64Array.from(extra.b_mag),
      penalty: norms.map((norm) => weight * norm),
    },
    end({ columns: { gates, to_b_gate, to_b_mag, to_r_mag }, rows: totals }) {
      const l1 = gates.reduce((sum, value, f) => sum + value * norms[f], 0) / rows;
      const aux = totals.aux / rows;
      return {
        added: lambda * l1 + aux,
        l1,
        aux,
        toNorm: gates.map((sum) => weight * sum),
        // Magnitudes read z without b_gate.
        b_enc: to_b_gate,
        extra: { r_mag: to_r_mag, b_mag: to_b_mag },
      };
    },
  };
}
