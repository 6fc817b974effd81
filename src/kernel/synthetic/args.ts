/** What the verbs of fg.synthetic take. */
import { asMatrix, type MatrixInput } from '../io/matrixInput.js';
import type { Matrix } from '../compute/matrix.js';
import type { Sae } from '../sae/types.js';
import { requireThing, thing, type Arg } from '../verb/common.js';
import { form } from '../verb/kinds.js';
import { required, value, type Option } from '../verb/option.js';
import type { Twins } from './twins/twins.js';
import type { World } from './types.js';
import type { GeneratedWorld } from './world/world.js';
import { isObject } from '../../protocol/objects.js';

function requireWorld(world: object, at: string): void {
  if (!('dictionary' in world && 'sample' in world))
    throw new TypeError(`${at} is no world: pass what fg.synthetic.world or preset returned, or twins.a or twins.b`);
}

/** A world, or one of two twins: it gives samples, and what was learned can be measured against it. */
export const worldArg: Arg<World> = thing<World>(
  'world',
  'A world that fg.synthetic.world or fg.synthetic.preset returned, or one of two twins.',
  (world, at) => {
    requireWorld(world, at);
    return world;
  },
);

/** A world with its own law of firing, which a report compares samples with; twins have none. */
export const generatedArg: Arg<GeneratedWorld> = thing<GeneratedWorld>(
  'world',
  'A world that fg.synthetic.world or fg.synthetic.preset returned.',
  (world, at) => {
    requireWorld(world, at);
    if (!('law' in world))
      throw new TypeError(`${at} has no law of its own: pass a world that fg.synthetic.world or preset returned`);
    return world;
  },
);

/** Whether a value is what fg.synthetic.twins returned. */
export const isTwins = (of: object): of is Twins => 'events' in of && 'truth' in of;

export const twinsArg: Arg<Twins> = thing<Twins>('twins', 'What fg.synthetic.twins returned.', (twins, at) => {
  if (!isTwins(twins)) throw new TypeError(`${at} is no pair of twins: pass what fg.synthetic.twins returned`);
  return twins;
});

const isSae = (of: object): of is Sae => 'encode' in of && 'decoder' in of;

/** What is measured against a world: an SAE, which also runs on samples, or directions alone. */
export const learnedArg: Arg<Sae | MatrixInput, Sae | Matrix> = {
  name: 'learned',
  doc: 'An SAE, or a dictionary of latents × dim numbers in any form that holds a matrix.',
  parse(given, at) {
    const learned = requireThing(given, at);
    return isSae(learned) ? learned : asMatrix(learned as MatrixInput, at);
  },
};

/** Narrows what learnedArg gives. */
export const isLearnedSae = (learned: Sae | Matrix): learned is Sae => isSae(learned);

/** An SAE for each twin. */
export interface TwinSaes {
  readonly a: Sae;
  readonly b: Sae;
}

const twinSae = (name: string) =>
  required(value<Sae>('an SAE', { doc: `Trained on twins.${name}.` }, (sae) => isObject(sae) && isSae(sae)));

// The identities of the SAEs are inputs of a result instead.
export const twinSaes: Option<TwinSaes> = {
  ...form(
    { a: twinSae('a'), b: twinSae('b') },
    { doc: 'SAEs trained on twins.a and twins.b, whose activations are taken.', fallback: 'the true codes' },
  ),
  identity: false,
};
