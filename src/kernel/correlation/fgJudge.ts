/** fg.correlation: what a person thinks of pairs of features. */
import { judgementItems } from '../present/correlation.js';
import { CALL, thing } from '../verb/common.js';
import { choice, required, text, whole } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { judgementsOf, keepJudgement, VERDICTS } from './judgements.js';
import type { PairedMap } from './types.js';

const mapArg = thing<PairedMap>('map', 'What fg.correlation.map returned.');

const JUDGE = {
  a: required(whole({ doc: 'Feature of A.', min: 0 })),
  b: required(whole({ doc: 'Feature of B.', min: 0 })),
  verdict: required(choice(VERDICTS, { doc: 'What you think of the pair.' })),
  note: text({ doc: 'Why, in your words.', fallback: 'none' }),
} as const;

export const judge = verb({
  doc: "Keeps your verdict and note on a pair of features beside the results, an artifact of kind 'judgement': fg.show of any map between the same two stores shows it with the pair (`fg.show(map, { analogues: feature })`), and judgements lists all. A later one of the same pair takes its place.",
  args: [mapArg],
  options: { ...JUDGE, ...CALL },
  errors: ['A feature that there is not is refused.'],
  kinds: ['judgement'],
  run: ({ env, options: { a, b, verdict, note = '' } }, map) => keepJudgement(env.store, map, { a, b, verdict, note }),
  show: (judgement, _, map) => judgementItems([judgement], map),
});

export const judgements = verb({
  doc: 'The verdicts and notes that judge kept on pairs of the two stores of a map, as a table.',
  args: [mapArg],
  options: CALL,
  run: ({ env }, map) => judgementsOf(env.store, map),
  show: (found, _, map) => judgementItems(found, map),
});
