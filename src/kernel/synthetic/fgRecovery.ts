/** fg.synthetic, measuring against truth: recovery, sweeps, mutual feature regularization. */
import { RECOVERY, type RecoveryParameters } from './recovery/options.js';
import { maxOf } from '../../protocol/lists.js';
import { canonicalJson, matrixId, sha256 } from '../io/hash.js';
import { mutualItems, recoveryItems, sweepItems } from '../present/synthetic.js';
import type { Sae } from '../sae/types.js';
import { anything, KEPT, type Arg } from '../verb/common.js';
import { nullsApart } from '../verb/nulls.js';
import { flag, group, numbers, only, type Given, type Parsed } from '../verb/option.js';
import { CLUSTER } from '../verb/split.js';
import { verb, type Call } from '../verb/verb.js';
import { isLearnedSae, learnedArg, worldArg } from './args.js';
import { MFR, mfrSettings } from './recovery/mfr.js';
import { mutualRuns, type MutualRegularization } from './recovery/mutual.js';
import {
  dictionaryRecovery,
  recoverySettings,
  RECOVERY_VERSION,
  saeRecovery,
  type Recovery,
} from './recovery/recovery.js';
import {
  planSweep,
  runSweep,
  SWEEP,
  sweepRunNames,
  sweepTable,
  type SweepPlan,
  type SweepRow,
} from './recovery/sweeps.js';
import type { World } from './types.js';

/** The options that a cell gave, as the functions of recovery/ take them. */
function recoveryParameters(given: Given<typeof RECOVERY>): RecoveryParameters {
  const how = nullsApart(only(RECOVERY, given));
  return { ...how, floors: how.floors ?? how.nulls };
}

export const recovery = verb({
  doc: 'How much of the truth an SAE or a dictionary has found. MMCS both ways, Hungarian-matched cosine, MCC and uniqueness stand beside the floor of random dictionaries; of an SAE also MCC of activations, precision, recall and F1 of firing beside shuffled samples, and shrinkage, dead share, absorption and splitting. fg.show({ wide: …, narrow: … }) draws several side by side. The same call again loads the result.',
  args: [worldArg, learnedArg],
  options: { ...RECOVERY, ...KEPT },
  errors: ['An SAE or dictionary of another width than the world is refused.'],
  run({ options, call }, world, learned) {
    const how = { ...recoveryParameters(options), ...call };
    if (isLearnedSae(learned)) return saeRecovery(world, learned, how);
    const name = `a dictionary of ${learned.rows} × ${learned.cols}`;
    return dictionaryRecovery(world, learned, { name, id: matrixId(learned) }, how);
  },
  keep: {
    kind: 'recovery',
    version: RECOVERY_VERSION,
    what: 'Recovery',
    title: (_, learned) =>
      `Recovery by ${isLearnedSae(learned) ? learned.name : `a dictionary of ${learned.rows} × ${learned.cols}`}`,
    inputs: (_, world, learned) => ({ world: world.id, of: isLearnedSae(learned) ? learned.id : matrixId(learned) }),
    parameters: ({ given }) => ({ ...recoverySettings(recoveryParameters(given)) }),
  },
  show: (found) => recoveryItems(found),
});

/** The world of each correlation: a function, or the worlds themselves in the order of the correlations. */
export type WorldOfCorrelation = ((correlation: number) => World | Promise<World>) | readonly World[];

const worldOf: Arg<WorldOfCorrelation> = {
  ...anything<WorldOfCorrelation>(
    'worldOf',
    'A function of the correlation, such as (correlation) => fg.synthetic.world({ …, correlations: … }), or an array with the world of each, which a call that is split needs.',
  ),
  parse(given, at) {
    if (Array.isArray(given)) return given.map((world, i) => worldArg.parse(world, `${at}[${i}]`) as World);
    if (typeof given !== 'function')
      throw new TypeError(
        `${at} is ${given === null ? 'null' : typeof given}; give a function of the correlation, such as (correlation) => fg.synthetic.world({ … }), or an array of worlds`,
      );
    return given as WorldOfCorrelation;
  },
};

function sweepPlan(options: Parsed<typeof SWEEP>, worlds: readonly World[]): SweepPlan {
  const { correlations = SWEEP.correlations.usual, recovery: how, ks, saes, widths, seeds, samples } = options;
  return {
    ...{ saes, widths, ks, seeds, samples },
    worlds: correlations.map((correlation, i) => ({ correlation, world: worlds[i] })),
    recovery: recoveryParameters(how as Given<typeof RECOVERY>),
  };
}

export const sweep = verb({
  doc: 'Trains and measures every SAE × width × k × correlation × seed, each cell an artifact: a run that was stopped goes on with what is missing. A cell that fails says why and stops no other. fg.show(rows, { score }) draws a heatmap.',
  args: [worldOf],
  options: {
    ...SWEEP,
    run: flag({
      doc: 'False gives the table as it stands, with what is missing, and trains nothing.',
      default: true,
      identity: false,
    }),
    ...CLUSTER,
    ...KEPT,
  },
  errors: [
    'Two kinds of SAE of one name, and TopK SAEs without `ks`, are refused.',
    'An array of worlds of another length than `correlations`, and a function in a call that is split, are refused.',
  ],
  kinds: ['sweep', 'sweep-cell'],
  check({ correlations = SWEEP.correlations.usual, cluster }, make) {
    if (cluster && typeof make === 'function')
      throw new TypeError(
        'fg.synthetic.sweep: worldOf is a function, which another process does not have; with { cluster } give an array with the world of each correlation',
      );
    if (typeof make !== 'function' && make.length !== correlations.length)
      throw new RangeError(
        `fg.synthetic.sweep: worldOf has ${make.length} worlds but there are ${correlations.length} correlations`,
      );
  },
  async run({ env, options, call, remember }, make): Promise<SweepRow[]> {
    const { correlations = SWEEP.correlations.usual, run, fresh } = options;
    const worlds: World[] = [];
    for (const [i, correlation] of correlations.entries())
      worlds.push(typeof make === 'function' ? await make(correlation) : make[i]);
    const plan = sweepPlan(options, worlds);
    return run ? runSweep(plan, env.store, { fresh, remember, ...call }) : sweepTable(plan, env.store);
  },
  split: {
    unit: 'cells',
    version: 1,
    pieces(options, make) {
      // A function cannot be sent, and a table alone computes nothing: neither splits.
      const split = typeof make !== 'function' && options.run;
      const names = split ? sweepRunNames(sweepPlan(options, make)) : [];
      const dim = split ? maxOf(make.map((world) => world.dim)) : 0;
      return {
        pieces: names,
        work: { amount: names.length, unit: 'SAEs trained and measured' },
        // Weights, gradients and Adam's moments of both matrices; samples of a batch and of recovery.
        memory: 32 * maxOf(options.widths) * dim + 2 ** 28,
        disk: 4096 * names.length,
      };
    },
    // Cells are kept each for itself; the table is made of them.
    key: (options, make) => ({
      kind: 'sweep',
      parameters: {
        cells: typeof make === 'function' ? '' : sha256(planSweep(sweepPlan(options, make)).map(({ key }) => canonicalJson(key))), // prettier-ignore
      },
      inputs: {},
      codeVersion: 1,
    }),
  },
  show: (rows) => sweepItems(rows),
});

export const mutualRegularization = verb({
  doc: "Mutual feature regularization: tied TopK SAEs side by side, with and without a term that pulls them together, and what each recovers of the truth. fg.show(mutual, { as: 'agreement' }) draws their latents. The same call again loads the SAEs and what they recovered.",
  args: [worldArg],
  options: {
    ...MFR,
    couplings: numbers({
      doc: 'Weights of the coupling term; the runs differ by it alone.',
      min: 0,
      default: [0, 0.01],
    }),
    recovery: group(RECOVERY, { doc: 'How recovery is measured.' }),
    ...KEPT,
  },
  errors: ['More latents kept than there are, batches larger than the samples, and a coupling of one SAE are refused.'],
  check(options, world) {
    for (const coupling of options.couplings) mfrSettings(world, { ...only(MFR, options), coupling });
  },
  kinds: ['mfr'],
  run({ env, options, call }, world): Promise<MutualRegularization> {
    const { couplings, fresh, recovery: how } = options;
    const measureBy = recovery.bind(env, 'fg.synthetic.recovery') as Call<typeof recovery>;
    const measure = (sae: Sae): Promise<Recovery> =>
      measureBy(world, sae, { ...(only(RECOVERY, how) as Given<typeof RECOVERY>), fresh, ...call });
    return mutualRuns(env, world, { ...only(MFR, options), couplings, fresh }, measure, call);
  },
  show: ({ runs }) => mutualItems(runs),
});
