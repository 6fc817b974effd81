/** fg.synthetic.train: SAEs of worlds. */
import { trainKept } from '../sae/keptTraining.js';
import { TRAIN, withFeatures } from '../sae/trainOptions.js';
import { KEPT, thing } from '../verb/common.js';
import { only, whole } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { worldSource } from './recovery/activations.js';
import type { World } from './types.js';

export const train = verb({
  doc: "Trains an SAE on a world's samples, or loads the one that the same call trained before; a run that was stopped goes on. Options are those of fg.sae.train without a hook.",
  args: [thing<World>('world', 'What fg.synthetic.world or fg.synthetic.preset returned, or one of two twins.')],
  options: {
    samples: whole({
      doc: "Samples of the world's stream that training goes over; they are made again for every pass.",
      min: 1,
      default: 100_000,
    }),
    ...TRAIN,
    ...KEPT,
  },
  kinds: ['sae'],
  run({ env, options, call }, world) {
    const { samples, fresh } = options;
    const inputs = { world: world.id, samples: String(samples) };
    const source = () => worldSource(world, samples);
    return trainKept(
      env,
      { title: `SAE of ${world.description}`, inputs, source },
      { ...withFeatures(only(TRAIN, options), world.dim), fresh },
      call,
    );
  },
});
