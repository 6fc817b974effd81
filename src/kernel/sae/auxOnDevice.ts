/** The auxiliary loss of auxK.ts as a graph. */
import type { AuxOptions } from './auxK.js';
import type { DeviceBatch, DeviceStep, StepBlock, StepFiring } from './architectures/trainingOnDevice.js';
import type { Value } from '../compute/graphs/graph.js';

/** Below every pre-activation. */
const LEAST = -3e38;

const wantedOf = (dIn: number): number => Math.max(1, Math.floor(dIn / 2));

/** A step whose loss is the squared error and this one. */
export function revivalStep({ dead, dIn, rows }: DeviceBatch, { auxLossCoefficient }: AuxOptions): DeviceStep {
  const count = dead && auxLossCoefficient > 0 ? dead.reduce((sum, one) => sum + one, 0) : 0;
  if (count === 0) return { dead: 'none', end: () => ({ added: 0, aux: 0 }) };
  const wanted = wantedOf(dIn);
  const weight = (auxLossCoefficient * Math.min(count / wanted, 1)) / rows;
  return {
    dead: count <= wanted ? 'few' : 'many',
    numbers: { toAux: 2 * weight },
    end: ({ rows: { aux } }) => ({ added: weight * aux, aux: weight * aux }),
  };
}

/** Its nodes; `order` [N, F] is what features are chosen by. Undefined while no feature is dead. */
export function revivalGraph(
  { g, z, dead, dIn, vector, number }: StepBlock,
  order: Value,
  { auxIncludesBDec }: AuxOptions,
  rescaled: boolean,
): StepFiring['again'] {
  if (dead === 'none') return undefined;
  const zero = g.number(0);
  const isDead = g.op('Greater', [vector('dead'), zero]);
  let mask = isDead;
  if (dead === 'many') {
    const { values, indices } = g.topK(g.where(isDead, order, g.number(LEAST)), g.whole(wantedOf(dIn)), 1);
    const ones = g.add(g.sub(values, values), g.number(1));
    const chosen = g.op('ScatterElements', [g.sub(z, z), indices, ones], { axis: 1 });
    mask = g.op('Greater', [chosen, zero]);
  }
  // A row of norm 0 has no direction: its pre-activation cannot be told from its selection.
  const values = rescaled ? g.where(g.op('Greater', [vector('norms'), zero]), z, zero) : z;
  const f = g.where(mask, values, zero);
  return ({ error, W_dec, b_dec }) => {
    const left = g.add(g.gemm(f, W_dec), error);
    const e = auxIncludesBDec ? g.add(left, b_dec) : left;
    return {
      f,
      toOut: g.mul(e, number('toAux')),
      back: (toF) => ({ toZ: g.where(mask, toF, zero), rows: { aux: g.sum(g.mul(e, e)) } }),
      withBDec: auxIncludesBDec,
    };
  };
}
