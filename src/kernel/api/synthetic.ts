/** fg.synthetic.train: an SAE of a world's samples. */
import { worldSource } from '../synthetic/recovery/activations.js';
import type { World } from '../synthetic/types.js';
import type { Environment } from '../verb/environment.js';
import { requireGiven, requireOptions, type OptionNames } from './given.js';
import { TRAIN_OPTIONS, trainOn, type TrainedSae, type TrainSaeOptions } from './sae.js';

export interface TrainOnWorldOptions extends Omit<TrainSaeOptions, 'hook'> {
  /** Samples of the world's stream that training goes over; default 100,000. They are made again for every pass. */
  samples?: number;
}

/** Trains on worlds. */
export interface TrainOnWorldApi {
  /**
   * Trains an SAE on a world's samples, or loads the one that the same call trained before; a run that was stopped goes
   * on. Options are those of fg.sae.train without a hook.
   */
  train(world: World, options?: TrainOnWorldOptions): Promise<TrainedSae>;
}

const TRAIN_ON_WORLD: OptionNames<TrainOnWorldOptions> = (({ hook: _, ...rest }) => ({
  ...rest,
  samples: true as const,
}))(TRAIN_OPTIONS);

export function trainOnWorldApi(env: Environment): TrainOnWorldApi {
  return {
    async train(world, options = {}) {
      requireGiven({ world });
      requireOptions('fg.synthetic.train', options, TRAIN_ON_WORLD);
      const { samples = 100_000, ...rest } = options;
      const inputs = { world: world.id, samples: String(samples) };
      const source = () => worldSource(world, samples);
      return trainOn(env, { title: `SAE of ${world.description}`, inputs, source }, rest);
    },
  };
}
