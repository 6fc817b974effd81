/** Options that several verbs of fg.interventions share, and the types that the functions of the room take for them. */
import { usually } from '../verb/filled.js';
import type { CallOptions } from '../compute/call.js';
import type { Sae } from '../sae/types.js';
import { oneOrSeveral } from '../verb/kinds.js';
import { renamed, type Renamed } from '../verb/nulls.js';
import { choice, flag, group, membersGiven, text, value, whole, type Given, type Option } from '../verb/option.js';
import { placesOption } from './positions.js';

/** A text, or its token ids. */
export const textOrIds = (words: { doc: string; fallback?: string }): Option<string | Int32Array> =>
  value('a text or an Int32Array of token ids', words, (v) => typeof v === 'string' || v instanceof Int32Array);

/** Options: where an intervention acts, and whether the SAE's error term stays. */
export const PLACE = {
  positions: usually(
    placesOption({
      doc: 'Tokens that are changed: indices count from the end where they are negative, { token } takes a text or id or several, { regex } matches the decoded text.',
    }),
    'all',
  ),
  errorTerm: choice(['keep', 'drop'], {
    doc: "'keep': what the SAE does not reconstruct, x − x̂, stays. 'drop': the activation at the positions becomes the SAE's reconstruction with the change.",
    usual: 'keep',
  }),
};
export interface PlaceOptions extends Given<typeof PLACE> {}

export const allowOtherModel = flag({
  doc: 'Take an SAE that was trained on another model, such as a fine-tuned sibling, which is refused otherwise.',
  usual: false,
});
export const hook = (doc: string) => text({ doc, fallback: "the SAE's own" });
/** Which hook an SAE reads or changes, and whether it may be another model's. */
export type AtHook = Pick<FeatureOptions, 'hook' | 'allowOtherModel'>;

/** Options of interventions on features. */
export const FEATURE = { ...PLACE, hook: hook('Hook to change.'), allowOtherModel };
export interface FeatureOptions extends Given<typeof FEATURE> {}

/** Options of interventions that need an SAE only to drop its error term. */
export const ERROR = {
  ...PLACE,
  sae: value<Sae>('an SAE', { doc: "The SAE whose error term errorTerm: 'drop' drops." }),
};
export interface ErrorOptions extends Given<typeof ERROR> {}

/** Sequences taken by most verbs. */
export const SAMPLES = 64;
export const samples = (usual = SAMPLES) =>
  whole({ doc: 'Sequences taken, from the first; fewer where there are fewer.', min: 1, usual });
export const batchTokens = whole({
  doc: 'Tokens of one forward pass, rounded down to whole sequences (at least one).',
  min: 1,
  usual: 2048,
  identity: false,
});
export const untouched = flag({
  doc: 'Count tokens that the interventions cannot have touched as well.',
  usual: false,
});
export const top = (doc: string) => whole({ doc, min: 1, usual: 20 });

/** Kinds of null directions. */
const NULL_KINDS = ['isotropic', 'differences', 'decoder'] as const;
export type NullKind = (typeof NULL_KINDS)[number];

export const NULL_RUNS = { doc: 'Runs of each kind; the least p is 1/(runs + 1).', usual: 20 };
export const NULL_SEED = { doc: 'Draws the directions.', usual: 0 };

/** Null directions of the same norm as the change itself. */
export const directions = (min: 0 | 1, seed?: string) =>
  group(
    {
      kind: oneOrSeveral<NullKind>(
        choice(NULL_KINDS, {
          doc: "'isotropic': random directions, a low bar; 'differences' of two tokens' activations at the hook; 'decoder': other decoder rows, where features of an SAE are changed.",
          fallback: 'all that there are',
        }),
      ),
      runs: whole({ ...NULL_RUNS, min }),
      seed: seed === undefined ? whole(NULL_SEED) : whole({ doc: NULL_SEED.doc, fallback: seed }),
    },
    {
      doc: `Null directions of the same norm as the change, which mean nothing${min === 0 ? '; 0 = none' : ''}.`,
      short: 'runs',
    },
  );

/** What the members of `nulls` are called in nullDirections(). */
const DIRECTIONS = { runs: 'nulls', kind: 'nullKinds' } as const;

/** Null directions that a cell asked for, as nullDirections() takes them. */
export const directionOptions = (given: Given<{ nulls: ReturnType<typeof directions> }>['nulls']) =>
  renamed(membersGiven(given, 'runs'), DIRECTIONS);
export interface NullOptions extends ReturnType<typeof directionOptions> {}

/** How many sequences a call looks at, and how many tokens a pass holds. */
type Runs = Given<{ samples: ReturnType<typeof samples>; batchTokens: typeof batchTokens }>;
export interface RunOptions extends Renamed<Runs, typeof SEQUENCES>, CallOptions {}

/** What `samples` are called in the functions of this room. */
export const SEQUENCES = { samples: 'sequences' } as const;
