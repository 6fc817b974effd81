/** fg.show.selection: what is selected in the views of the notebook, as data. */
import type { LinkedSelection } from '../../protocol/link.js';
import { labelLine } from '../../protocol/tokens.js';
import type { Environment } from '../verb/environment.js';
import { verb } from '../verb/verb.js';

/** Selected features of one SAE. */
export interface SelectedFeatures {
  /** Letter of the map's side, such as "A"; absent for a view without sides. */
  side?: string;
  /** Identity of the SAE. */
  sae: string;
  /** Name of the SAE; absent where no store of it was used in this session. */
  name?: string;
  /** Feature ids, in the order of the view. */
  features: number[];
  /** The label of each as tables show it; "" without one. */
  labels: string[];
}

/** What is selected. */
export interface ViewSelection {
  /** In words, such as "Royalty: 12 features"; "" where nothing is selected. */
  label: string;
  sets: SelectedFeatures[];
}

async function setOf(
  env: Environment,
  { side, sae, features }: LinkedSelection['sets'][number],
): Promise<SelectedFeatures> {
  // prettier-ignore
  const known = await env.features.of(sae);
  const labels = features.map((f) => labelLine(known?.cell(f, false)?.label ?? []));
  return { ...(side !== undefined && { side }), sae, ...(known && { name: known.name }), features: [...features], labels }; // prettier-ignore
}

export const selection = verb({
  doc: 'What is selected now in the maps and graphs of the notebook, whichever was touched last: by search, box, lasso, group or legend. The features of each side with their labels; none where nothing is selected, and in a run without a window. A result of it depends on what a person does: keep `features` in a cell (Copy as cell) where it should be the same again.',
  args: [],
  options: {},
  run: async ({ env }): Promise<ViewSelection> => {
    const selected = env.context.selection?.() ?? null;
    if (!selected) return { label: '', sets: [] };
    return { label: selected.label, sets: await Promise.all(selected.sets.map((set) => setOf(env, set))) };
  },
});
