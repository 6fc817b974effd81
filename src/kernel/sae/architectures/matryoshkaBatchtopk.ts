/** Matryoshka BatchTopK: its nested groups shape training alone; at inference it is a BatchTopK. */
import type { Architecture } from './architecture.js';
import { asJumpRelu, batchtopk } from './batchtopk.js';

export const matryoshkaBatchtopk: Architecture<'matryoshka_batchtopk'> = {
  ...batchtopk,
  name: 'matryoshka_batchtopk',
  formula: 'as batchtopk; the nested groups shape training alone',
  saved: { saelensForm: asJumpRelu },
};
