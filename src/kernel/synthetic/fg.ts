/** fg.synthetic: ground truth, worlds with known features and how much of them is found. */
import { namespace } from '../verb/namespace.js';
import { concepts } from './fgConcepts.js';
import { mutualRegularization, recovery, sweep } from './fgRecovery.js';
import { calibrate, scoreResponse, twinActivations, twins } from './fgTwins.js';
import { train } from './fgTrain.js';
import { activations, load, preset, presets, report, sample, world } from './fgWorlds.js';

export const synthetic = namespace({
  name: 'synthetic',
  doc: 'Ground truth: worlds with known features, and how much of them is found. docs/synthetic.md has the formulas.',
  example: `// Two models that share half of their features: what is an r worth?
const world = await fg.synthetic.world({ features: 64, dim: 24, l0: 4, seed: 0 })
const twins = await fg.synthetic.twins(world, { features: 32, shared: 0.5 })
const found = await fg.synthetic.calibrate(twins, { samples: 4000, nulls: 20 })
fg.show(found, { as: 'reliability' })`,
  verbs: {
    world,
    preset,
    presets,
    load,
    report,
    sample,
    activations,
    recovery,
    twins,
    twinActivations,
    calibrate,
    scoreResponse,
    sweep,
    mutualRegularization,
    concepts,
    train,
  },
});
