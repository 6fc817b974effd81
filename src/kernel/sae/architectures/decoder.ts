/** A decoder alone: directions for maps, matching and Mapper; nothing can be encoded. */
import type { Architecture } from './architecture.js';

export const decoder: Architecture<'decoder'> = {
  name: 'decoder',
  formula: 'W_dec alone; encode is refused',
  tensors: {},
  fields: {},
  firesAbove0: true,
  slope: () => undefined,
  cannotEncode: ({ dSae, dOut, dIn }) =>
    `this is a decoder alone, [${dSae}, ${dOut ?? dIn}]: it has no encoder, so nothing can be encoded; load the whole SAE for that`,
  saved: {},
  encode: () => ({ indices: new Int32Array(0), values: new Float32Array(0) }),
};
