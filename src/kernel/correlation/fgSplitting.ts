/** fg.correlation.splitting: what a feature of a small SAE became in a large one. */
import { pairedBaselines } from '../activations/baselines.js';
import { keptLabels } from '../activations/kept.js';
import type { SparseActivations } from '../activations/types.js';
import { asParameters } from '../artifacts/parameters.js';
import { requireSame } from '../artifacts/store.js';
import type { Matrix } from '../compute/matrix.js';
import { matrixId } from '../io/hash.js';
import { splittingOutputs } from '../present/splitting.js';
import { baselinesForRows, saeOfRows, type SaeBaselines } from '../sae/baselines.js';
import { KEPT, rowsArg } from '../verb/common.js';
import type { Environment } from '../verb/environment.js';
import { value } from '../verb/option.js';
import { CLUSTER } from '../verb/split.js';
import { verb } from '../verb/verb.js';
import { comparedWarnings } from './oneSpace.js';
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

/** What fg.sae.baselines returned for the two SAEs of fg.correlation.splitting. */
export interface SplittingBaselines {
  readonly small?: SaeBaselines;
  readonly large?: SaeBaselines;
}

const baselines = value<true | SplittingBaselines>(
  'true, or { small, large }, what fg.sae.baselines returned for each',
  {
    doc: 'Baselines whose splitting stands beside: true: those that fg.sae.baselines made of the two SAEs in this session. Each kind that both have is compared with itself; where one side has none, it stands for all. With activations, theirs are needed too: fg.activations.save with { baselines: true }.',
    fallback: 'none',
    identity: false,
  },
  (v) => v === true || (typeof v === 'object' && v !== null),
);

/** Baselines of a side; of rows that no baselines were made of there are none. */
const ofSide = (env: Environment, rows: Matrix): SaeBaselines =>
  saeOfRows(env, rows) ? baselinesForRows(env, rows, true) : {};

/** Decoder rows by kind of baseline. */
const decoders = (of: SaeBaselines = {}): Record<string, Matrix> =>
  Object.fromEntries(Object.entries(of).map(([kind, { decoder }]) => [kind, decoder]));

/** Decoder rows of both sides by kind. @throws where there are none of either side */
function rowsBeside(env: Environment, [small, large]: readonly [Matrix, Matrix], given: true | SplittingBaselines) {
  const of = given === true ? { small: ofSide(env, small), large: ofSide(env, large) } : given;
  const paired = pairedBaselines([small, large], decoders(of.small), decoders(of.large));
  // Says how they are made.
  if (paired.length === 0) baselinesForRows(env, small, true);
  return paired;
}

/** Activations of a baseline: those that the store carries, or the store itself where its SAE stands for all. */
function storeOf(kind: string, store: SparseActivations, sae: Matrix, baseline: Matrix): SparseActivations {
  if (baseline === sae) return store;
  const carried = store.baselines?.[kind];
  if (carried) return carried;
  throw new Error(
    `the activations of ${store.meta.sae.name} carry none of its ${kind} baseline: fg.activations.save(model, sae, text, { baselines: true }) saves them too`,
  );
}

const ONE_SAE = {
  same: 'every feature is its own child, which says nothing of splitting; give SAEs of two widths',
  meant: 'another width',
  cosines: 'cosines of children and the test of absorption',
} as const;

export const splitting = verb({
  doc: 'Feature splitting: the features of a large SAE that belong to each feature of a small one of the same activations, by how they fire over the same tokens or by decoder rows alone (no model is needed). Of each parent its children with cosine and r, how far they cover it, the entropy of their shares, and a null; of both SAEs the mean coverage beside its null and with a bootstrap interval over parents; and, by activations, candidates of absorption with a functional test. One SAE against itself, and SAEs of two models or hooks, are warned of. Shown as a tree and tables.',
  args: [
    rowsArg('small', 'The small SAE, or its decoder rows.'),
    rowsArg('large', 'The large SAE, or its decoder rows.'),
  ],
  options: { ...SPLITTING, baselines, ...CLUSTER, ...KEPT },
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
  before({ env, options: { activations } }, small, large) {
    const both = Object.entries({ small, large }).map(([side, decoder]) => ({
      name: `the ${side} SAE`,
      decoder,
      activations: activations?.[side as 'small' | 'large'],
    }));
    for (const warning of comparedWarnings(both, ONE_SAE)) env.context.print(`Warning: ${warning}`);
    return Promise.resolve();
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
  beside({ env, options: { activations, baselines: asked } }, small, large) {
    const paired = asked === undefined ? [] : rowsBeside(env, [small, large], asked);
    return Object.fromEntries(
      paired.map(([kind, ofSmall, ofLarge]) => [
        kind,
        {
          args: [ofSmall, ofLarge] as const,
          options: activations && {
            activations: {
              small: storeOf(kind, activations.small, small, ofSmall),
              large: storeOf(kind, activations.large, large, ofLarge),
            },
          },
        },
      ]),
    );
  },
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
