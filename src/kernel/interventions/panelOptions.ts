/** What the interventions panel is asked for, by its verb and by the messages of its view: one declaration for both. */
import { filled, usually } from '../verb/filled.js';
import {
  INTERVENTION_KINDS,
  MAX_GENERATED_TOKENS,
  MAX_PINS,
  type InterventionSpec,
  type InterventionsSampling,
} from '../../protocol/interventions.js';
import { byType, listOf } from '../verb/kinds.js';
import { choice, parseOptions, real, required, text, whole, type Given } from '../verb/option.js';

/** What is done to a feature, at the start or in a pin. */
export const CHANGE = {
  kind: choice(INTERVENTION_KINDS, {
    doc: "'steer' adds value × decoder row, 'clamp' sets the activation, 'scale' multiplies it, 'ablate' makes it 0.",
    usual: 'steer',
  }),
  value: real({
    doc: "How much: α of 'steer', c of 'clamp', the factor of 'scale'; not taken by 'ablate'.",
    fallback: "the feature's largest activation, for 'scale' 2",
  }),
  positions: usually(
    byType(
      { texts: ['all', 'last'], array: listOf(whole({ doc: 'Index of a token.' }), 1) },
      {
        doc: "'all', 'last', or tokens of the prompt by index.",
        expected: "'all', 'last', or tokens of the prompt by index in an array",
      },
    ),
    'all',
  ),
};

export const PIN = {
  ...CHANGE,
  feature: required(whole({ doc: "Feature of the panel's SAE.", min: 0 })),
  kind: required(CHANGE.kind),
  name: text({ doc: 'Name of the pin.', fallback: 'what it does' }),
};

/** How continuations are sampled. */
export const SAMPLING = {
  tokens: whole({ doc: 'New tokens of the continuations.', min: 1, max: MAX_GENERATED_TOKENS, default: 25 }),
  temperature: real({ doc: '0 = greedy.', min: 0, max: 10, default: 0 }),
  seed: whole({ doc: 'Of sampling.', min: 0, max: 2 ** 32 - 1, default: 0 }),
};

const PROMPT = required(text({ doc: 'The prompt.' }));

/** The prompt of a message. */
export const promptIn = (given: unknown): string => PROMPT.parse(given, 'prompt');

/** The interventions of a message. */
export function interventionsIn(given: unknown): InterventionSpec[] {
  const list: unknown[] = Array.isArray(given) ? given : [];
  if (list.length < 1 || list.length > MAX_PINS + 1)
    throw new RangeError(`a run takes 1 to ${MAX_PINS + 1} interventions but got ${list.length}`);
  return list.map((each, i) => interventionIn(each, `interventions[${i}]`));
}

function interventionIn(given: unknown, at: string): InterventionSpec {
  const { value, ...spec } = (given ?? {}) as Given<typeof PIN>;
  const { feature, kind, positions } = filled(CHANGE, parseOptions(at, spec, PIN));
  return {
    feature,
    kind,
    value: kind === 'ablate' ? 0 : required(CHANGE.value).parse(value, `${at}: value`),
    positions: typeof positions === 'string' ? positions : [...positions],
  };
}

/** The sampling of a message. */
export const samplingIn = (given: unknown): InterventionsSampling => parseOptions('sampling', given, SAMPLING);
