/** The prompt box of a map: features are called as the map calls them. */
import { TryBox } from '../ui/tryBox.js';
import type { ViewHost } from '../ui/view.js';
import type { PromptMeta } from '../../protocol/prompt.js';
import { labelOf, type MapModel } from './model.js';
import type { MapViewState } from './state.js';

/** Null: the map has none. */
export function promptBox(
  model: MapModel,
  { prompt, live, link }: Pick<ViewHost, 'live' | 'link'> & { prompt: PromptMeta | null },
  state: Pick<MapViewState, 'prompt'>,
  save: () => void,
): TryBox | null {
  if (!prompt) return null;
  return new TryBox(prompt, {
    ...{ live, link, state: state.prompt },
    label: (sae, feature) => labelOf(model, sae, feature),
    onState: (kept) => {
      state.prompt = kept;
      save();
    },
  });
}
