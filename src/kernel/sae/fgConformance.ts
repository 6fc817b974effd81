/** The option of every verb that meets an SAE and a model for the first time. */
import { flag } from '../verb/option.js';

export const conformance = flag({
  doc: "Look once whether each SAE fits the model's activations, and warn when it does not.",
  fallback: 'true',
  identity: false,
});
