/** What a result of an SAE is called, so that lists tell runs apart. */
import { isJsonObject } from '../../protocol/objects.js';
import type { Sae } from './types.js';

/**
 * A model, a hook and an SAE in a line: "tiny-stories-1L blocks.0.hook_mlp_out topk 1024, k 16, 600 steps". Of an SAE whose
 * name says neither: "model hook × name, topk, k 16, 1024 features".
 */
export function pairTitle(model: { readonly name: string }, hook: string, sae: Pick<Sae, 'name' | 'config'>): string {
  const { architecture, k, dSae, metadata } = sae.config;
  const own = `${model.name} ${hook}`;
  const said = sae.name.endsWith(` ${architecture} ${dSae}`);
  const steps = isJsonObject(metadata.training) ? metadata.training.steps : undefined;
  return [
    sae.name.startsWith(`${own} `) ? sae.name : `${own} × ${sae.name}`,
    ...(said ? [] : [architecture]),
    ...(k === undefined ? [] : [`k ${k}`]),
    ...(said ? [] : [`${dSae} features`]),
    ...(typeof steps === 'number' ? [`${steps} steps`] : []),
  ].join(', ');
}
