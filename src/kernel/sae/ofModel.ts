/** The model and the SAE that verbs take, and whether they belong together by what the SAE says of its model. */
import { requireSame } from '../artifacts/store.js';
import type { LanguageModel } from '../models/types.js';
import { thing } from '../verb/common.js';
import { flag } from '../verb/option.js';
import type { Sae } from './types.js';

export const modelArg = thing<LanguageModel>('model', 'What fg.models.load returned.');
export const saeArg = thing<Sae>('sae', 'What fg.sae.train or fg.sae.load returned.');

export const allowOtherModel = flag({
  doc: 'Take an SAE that was trained on another model, such as a fine-tuned sibling; refused otherwise.',
  usual: false,
});

/**
 * Refuses an SAE that is known to come from another model.
 * @throws MismatchError with both identities.
 */
export function requireModelOfSae(sae: Sae, model: Pick<LanguageModel, 'name' | 'id'>, allowOtherModel = false): void {
  if (!sae.config.modelId || allowOtherModel) return;
  requireSame(
    'this SAE was trained on another model ({ allowOtherModel: true } overrides)',
    { name: `SAE ${sae.name}`, id: sae.config.modelId },
    { name: `model ${model.name}`, id: model.id },
  );
}
