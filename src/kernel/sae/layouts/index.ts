/** Every layout, one line each, in the order in which they are tried: those with a config or names of their own first. */
import type { Layout } from './layout.js';
import { decoderAlone } from './decoderAlone.js';
import { dictionaryLearning } from './dictionaryLearning.js';
import { gemmaScope } from './gemmaScope.js';
import { gemmaScope2 } from './gemmaScope2.js';
import { linearNames } from './linearNames.js';
import { llamaScope } from './llamaScope.js';
import { preBias } from './preBias.js';
import { qwenScope } from './qwenScope.js';
import { saelens } from './saelens.js';
import { sparsify } from './sparsify.js';
import { stateDict } from './stateDict.js';

export const LAYOUTS: readonly Layout[] = [
  saelens,
  sparsify,
  llamaScope,
  dictionaryLearning,
  gemmaScope,
  gemmaScope2,
  qwenScope,
  preBias,
  linearNames,
  stateDict,
  decoderAlone,
];
