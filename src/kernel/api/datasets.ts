/** For namespaces that are still bound by hand. */
export { Dataset, tokenSet, type Tokens } from '../datasets/dataset.js';
