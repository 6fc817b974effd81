/** The architectures that are trained here, and all their options as one schema. */
import type { Option, Schema } from '../../verb/option.js';
import { ARCHITECTURES } from './index.js';
import type { Training } from './training.js';

type Trained = Extract<(typeof ARCHITECTURES)[number], { readonly training: Training }>;
type OptionsOf<A> = A extends { readonly training: Training<infer S> } ? S : never;
type AllOf<U> = (U extends unknown ? (each: U) => void : never) extends (all: infer I) => void ? I : never;

export type TrainedName = Trained['name'];

const isTrained = (a: (typeof ARCHITECTURES)[number]): a is Trained => 'training' in a && a.training !== undefined;
const TRAINED = ARCHITECTURES.filter(isTrained);

export const TRAINED_NAMES: readonly TrainedName[] = TRAINED.map(({ name }) => name);

/** Those that read one activation and predict another. */
export const TRANSCODERS: readonly TrainedName[] = TRAINED.filter(
  ({ fields }) => 'transcoder' in fields && fields.transcoder === 'needed',
).map(({ name }) => name);

/** Which architectures take an option. */
export const takersOf = (option: string): TrainedName[] =>
  TRAINED.filter(({ training }) => Object.hasOwn(training.options, option)).map(({ name }) => name);

const uncapitalized = (text: string): string =>
  /^[A-Z][a-z]/.test(text) ? text[0].toLowerCase() + text.slice(1) : text;

/** Options of single architectures, their names before the documentation: what several share, the first declares. */
export const ARCHITECTURE_OPTIONS = merged() as AllOf<OptionsOf<Trained>>;

function merged(): Schema {
  const all: Record<string, Option<unknown, unknown>> = {};
  for (const { training } of TRAINED)
    for (const [name, option] of Object.entries<Option<unknown, unknown>>(training.options))
      all[name] ??= { ...option, doc: `Of ${takersOf(name).join(', ')}: ${uncapitalized(option.doc)}` };
  return all;
}

/** How an architecture is trained. @throws RangeError when it is not trained here, saying which are. */
export function trainingOf(architecture: string): Training {
  const found = TRAINED.find(({ name }) => name === architecture);
  if (found) return found.training;
  throw new RangeError(
    `SAEs of architecture "${architecture}" are not trained here; trained are ${TRAINED_NAMES.join(', ')}`,
  );
}
