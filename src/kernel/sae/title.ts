/** What a result of an SAE is called, so that lists tell runs apart. */
import { isJsonObject } from '../../protocol/objects.js';
import type { Sae } from './types.js';

type Named = Pick<Sae, 'name' | 'config'>;

/** The architecture as people know it: a BatchTopK SAE that is saved as a JumpReLU one was trained as the former. */
export const shownArchitecture = ({ architecture, metadata }: Sae['config']): string =>
  typeof metadata.trained_as === 'string' ? metadata.trained_as : architecture;

/** What the name of an SAE does not say of it: "k 16, 600 steps". */
function more({ name, config }: Named): string[] {
  const { k, dSae, metadata } = config;
  const architecture = shownArchitecture(config);
  const said = ` ${name}`.endsWith(` ${architecture} ${dSae}`);
  const steps = isJsonObject(metadata.training) ? metadata.training.steps : undefined;
  return [
    ...(said ? [] : [architecture]),
    ...(k === undefined ? [] : [`k ${k}`]),
    ...(said ? [] : [`${dSae} features`]),
    ...(typeof steps === 'number' ? [`${steps} steps`] : []),
  ];
}

/** An SAE in a line: "tiny-stories-1L blocks.0.hook_mlp_out topk 1024, k 16, 600 steps". */
export const saeTitle = (sae: Named): string => [sae.name, ...more(sae)].join(', ');

/** The same with the model and hook that it encodes, where its name says neither: "model hook × name, topk, k 16, 1024 features". */
export function pairTitle(model: { readonly name: string }, hook: string, sae: Named): string {
  const own = `${model.name} ${hook}`;
  return [sae.name.startsWith(`${own} `) ? sae.name : `${own} × ${sae.name}`, ...more(sae)].join(', ');
}
