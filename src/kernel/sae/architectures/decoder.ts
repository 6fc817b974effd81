/** A decoder alone: directions for maps, matching and Mapper; nothing can be encoded. */
import type { Architecture } from './architecture.js';

export const decoder: Architecture = {
  name: 'decoder',
  formula: 'W_dec alone; encode is refused',
  tensors: {},
  fields: {},
  firesAbove0: true,
  slope: () => undefined,
  encode({ config }) {
    throw new Error(
      `this is a decoder alone, [${config.dSae}, ${config.dOut ?? config.dIn}]: it has no encoder, so nothing can be encoded; load the whole SAE for that`,
    );
  },
};
