/** Options of dataset examples, for every verb that shows some. */
import { choice, featureIds, flag, group, whole, type Given } from '../verb/option.js';

/** Options of windows around peaks. */
export const WINDOW = {
  before: whole({ doc: 'Tokens shown before the peak; fewer at the start of a sequence.', min: 0, usual: 5 }),
  after: whole({ doc: 'Tokens shown after the peak; fewer at the end of a sequence.', min: 0, usual: 4 }),
} as const;

/** Tokens shown before and after a peak. */
export type Window = Required<Given<typeof WINDOW>>;

export const EXAMPLES = {
  features: featureIds({ doc: 'Features asked for.', fallback: 'all' }),
  top: whole({ doc: 'Examples of each feature.', min: 0, usual: 5 }),
  ...WINDOW,
  dedupe: flag({ doc: 'Identical contexts, the same tokens around the same peak, are shown once.', usual: true }),
} as const;

export const BAND = {
  count: whole({ doc: "Bands of each feature's activations; 0: none.", min: 0, max: 100, usual: 4 }),
  by: choice(['quantile', 'range'], {
    doc: "'quantile': each holds as many of the firings; 'range': each is as wide, from 0 to the largest activation.",
    usual: 'quantile',
  }),
  perBand: whole({ doc: 'Examples drawn from each.', min: 0, usual: 1 }),
  seed: whole({ doc: 'Of the draws: uniform among the different contexts in the band.', usual: 0 }),
} as const;

export type BandOptions = Required<Given<typeof BAND>>;

export const BANDS = {
  bands: group(BAND, {
    doc: 'Bands of the activations from which examples are drawn, besides the largest; a context is shown once.',
    short: 'count',
  }),
} as const;

/** The bands of a call, as far as they were given. */
export function bandsGiven({ bands }: Given<typeof BANDS>): Partial<BandOptions> {
  const given = typeof bands === 'number' ? { count: bands } : bands;
  return Object.fromEntries(Object.entries(given ?? {}).filter(([, v]) => v !== undefined));
}
