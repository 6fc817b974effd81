/** What recovery is measured by. */
import type { NullsApart } from '../../verb/nulls.js';
import { group, whole, type Given } from '../../verb/option.js';
import { ABSORPTION, share } from './absorption.js';

export const RECOVERY = {
  samples: whole({
    doc: 'Samples on which an SAE is held against the world; not those of training, see `sampleSeed`.',
    min: 2,
    usual: 20_000,
  }),
  sampleSeed: whole({ doc: "Of these samples: others than the world's own stream.", usual: 1_000_003 }),
  nulls: group(
    {
      runs: whole({
        doc: 'Random dictionaries of the same size, which scores of directions are held against, and shuffles of the samples, which scores of firing are; the least p is 1/(runs + 1).',
        min: 0,
        usual: 20,
      }),
      floors: whole({
        doc: 'Random dictionaries, where they are not as many as the shuffles.',
        min: 0,
        fallback: 'runs',
      }),
      seed: whole({ doc: 'Of both.', usual: 0 }),
    },
    { doc: 'How often chance is asked.', short: 'runs' },
  ),
  recoveredAt: share('A feature counts as recovered when its assigned latent has at least this |cosine|.', 0.9),
  absorbedAt: share('A feature counts as absorbed when at least this share of its firings is.', 0.1),
  ...ABSORPTION,
};
export interface RecoveryParameters extends NullsApart<Given<typeof RECOVERY>> {}
