/** fg.correlation.splitting: what a feature of a small SAE became in a large one. */
import { keptLabels } from '../activations/kept.js';
import type { SparseActivations } from '../activations/types.js';
import { asParameters } from '../artifacts/parameters.js';
import { requireSame } from '../artifacts/store.js';
import type { Matrix } from '../compute/matrix.js';
import { matrixId } from '../io/hash.js';
import { splittingOutputs } from '../present/splitting.js';
import { KEPT, rowsArg } from '../verb/common.js';
import { CLUSTER } from '../verb/split.js';
import { verb } from '../verb/verb.js';
import { splitting as split, SPLITTING_VERSION, splittingRunNames } from './splitting.js';
import { SPLITTING, splittingSettings } from './splittingTypes.js';

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
    split(
      { small, large, ...(options.activations ? { activations: options.activations } : {}) },
      splittingSettings(options),
      {
        ...call,
        remember,
      },
    ),
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
    parameters: ({ parsed }) => asParameters(splittingSettings(parsed)),
  },
  split: {
    unit: 'null runs',
    version: 1,
    pieces(options, small, large) {
      const names = splittingRunNames(splittingSettings(options));
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
