/** Whether an SAE and a model belong together, by what the SAE says of its model. */
import { requireSame } from '../artifacts/store.js';
import type { LanguageModel } from '../models/types.js';
import type { Sae } from './types.js';

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
