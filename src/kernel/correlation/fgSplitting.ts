/** fg.correlation.splitting: what a feature of a small SAE became in a large one. */
import { keptLabels } from '../activations/kept.js';
import type { SparseActivations } from '../activations/types.js';
import { requireSame } from '../artifacts/store.js';
import type { Matrix } from '../compute/matrix.js';
import { matrixId } from '../io/hash.js';
import { splittingOutputs } from '../present/splitting.js';
import { KEPT, nulls, rowsArg } from '../verb/common.js';
import { group, membersGiven, real, value, whole, type Given } from '../verb/option.js';
import { CLUSTER } from '../verb/split.js';
import { verb } from '../verb/verb.js';
import { splitting as split, SPLITTING_VERSION, splittingRunNames } from './splitting.js';
import type { SplittingSettings } from './splittingTypes.js';

const isStore = (v: unknown): boolean => typeof v === 'object' && v !== null && 'shards' in v && 'statistics' in v;

const SPLITTING = {
  activations: value<{ readonly small: SparseActivations; readonly large: SparseActivations }>(
    '{ small, large }, what fg.activations.save returned for each',
    {
      doc: 'Activations of both over the same tokens: children are then chosen by r on the even sequences and judged on the odd ones, and absorption is looked for. Without them all is by decoder rows.',
      fallback: 'none',
    },
    (v) => typeof v === 'object' && v !== null && isStore((v as { small?: unknown }).small) && isStore((v as { large?: unknown }).large), // prettier-ignore
  ),
  least: real({
    doc: 'Least r, or cosine where there are no activations, of a child with its parent.',
    min: -1,
    max: 1,
    fallback: '0.2 by activations, 0.5 by decoder rows',
  }),
  minFirings: real({
    doc: 'Features that fire on fewer tokens of the half that chooses take no part.',
    min: 1,
    fallback: '10',
  }),
  absorption: group(
    {
      minTokens: whole({
        doc: 'Least number of tokens on which parent and absorber fire and the main feature is silent.',
        min: 1,
        fallback: '10',
      }),
      least: real({
        doc: "Least share of the parent's direction that is lost without the absorber: SAEBench's.",
        min: 0,
        max: 1,
        fallback: '0.4',
      }),
    },
    { doc: 'What counts as absorption.' },
  ),
  nulls: nulls({
    doc: 'Null runs. By activations: as many other large features that fire as often in the place of the children. By decoder rows: the large decoder turned at random and its children chosen again.',
    runs: 99,
    draws: 'Draws the runs.',
  }),
} as const;

function settingsOf({
  least,
  minFirings,
  absorption,
  nulls: given,
}: Given<typeof SPLITTING>): Partial<SplittingSettings> {
  // prettier-ignore
  const { runs, seed } = membersGiven(given, 'runs');
  const { minTokens, least: leastLost } = absorption ?? {};
  const all = { least, minFirings, minTokens, leastLost, runs, seed };
  return Object.fromEntries(Object.entries(all).filter(([, v]) => v !== undefined));
}

function requireDecoderOf({ meta: { sae } }: SparseActivations, decoder: Matrix, side: string): void {
  if (sae.decoder)
    requireSame(
      `the ${side} activations were made with another decoder`,
      { name: `activations of ${sae.name}`, id: sae.decoder },
      { name: `the ${side} decoder`, id: matrixId(decoder) },
    );
}

export const splitting = verb({
  doc: 'Feature splitting: the features of a large SAE that belong to each feature of a small one of the same activations, by how they fire over the same tokens or by decoder rows alone (no model is needed). Of each parent its children with cosine and r, how far they cover it, the entropy of their shares, and a null; of both SAEs the mean coverage beside its null and with a bootstrap interval over parents; and, by activations, candidates of absorption with a functional test. Shown as a tree and tables.',
  args: [
    rowsArg('small', 'The small SAE, or its decoder rows.'),
    rowsArg('large', 'The large SAE, or its decoder rows.'),
  ],
  options: { ...SPLITTING, ...CLUSTER, ...KEPT },
  errors: [
    'Activations of other tokens, or of other decoders than the two, are refused.',
    'Decoders of different widths are refused where there are no activations; with them cosines are NaN, which is said.',
    'minFirings and absorption without activations are refused.',
  ],
  check({ activations, minFirings, absorption }, small, large) {
    if (activations) {
      requireDecoderOf(activations.small, small, 'small');
      requireDecoderOf(activations.large, large, 'large');
      return;
    }
    const given = Object.entries({ minFirings, ...absorption }).find(([, v]) => v !== undefined);
    if (given)
      throw new TypeError(
        `fg.correlation.splitting: ${given[0]} is read with activations alone; give { activations: { small, large } }`,
      );
  },
  run: ({ options, call, remember }, small, large) =>
    split({ small, large, ...(options.activations ? { activations: options.activations } : {}) }, settingsOf(options), {
      ...call,
      remember,
    }),
  keep: {
    kind: 'splitting',
    version: SPLITTING_VERSION,
    what: 'Splitting',
    resume: true,
    inputs: ({ activations }, small, large) => ({
      small: matrixId(small),
      large: matrixId(large),
      activationsSmall: activations?.small.id,
      activationsLarge: activations?.large.id,
    }),
    parameters: ({ parsed }) => ({ ...settingsOf(parsed) }),
  },
  split: {
    unit: 'null runs',
    version: 1,
    pieces(options, small, large) {
      const names = splittingRunNames(settingsOf(options));
      const stores = options.activations ? [options.activations.small, options.activations.large] : [];
      return {
        pieces: names,
        work: { amount: names.length, unit: `null runs of ${small.rows} × ${large.rows} features` },
        memory: 32 * stores.reduce((sum, { meta }) => sum + meta.nonZeros + meta.tokens, 0) + 12 * (small.data.length + 2 * large.data.length), // prettier-ignore
        disk: 20 * small.rows * names.length,
      };
    },
  },
  show: async (found, { env, options: { activations } }) =>
    env.displayButLast(
      await Promise.all(
        splittingOutputs(
          found,
          activations && {
            small: await keptLabels(env, activations.small),
            large: await keptLabels(env, activations.large),
            ids: { small: activations.small.meta.sae.id, large: activations.large.meta.sae.id },
          },
        ).map((items) => env.features.name(items)),
      ),
    ),
});
