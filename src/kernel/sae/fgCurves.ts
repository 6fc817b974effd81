/** fg.sae.curves: trainings in one chart. */
import { trainingsItems } from '../present/training.js';
import { argOf } from '../verb/common.js';
import { value } from '../verb/option.js';
import { syncVerb } from '../verb/verb.js';
import { describe } from './compare.js';
import type { TrainedSae } from './keptTraining.js';
import type { HistoryRow } from './train.js';

const trainedArg = argOf(
  'saes',
  value<readonly TrainedSae[]>(
    'an array of what fg.sae.train returned',
    { doc: 'SAEs that were trained here, in one call or several; at least one.' },
    (v) => Array.isArray(v) && v.length > 0 && v.every((one) => Array.isArray((one as TrainedSae | null)?.history)),
  ),
);

/** The logged steps of one training. */
export interface TrainingCurve {
  /** Identity of the SAE. */
  id: string;
  history: readonly HistoryRow[];
}

export const curves = syncVerb({
  doc: 'The curves of trainings of one call or several in one chart: loss, explained variance, L0, dead features and learning rate by step, with the last logged steps in a table.',
  args: [trainedArg],
  run: (_, saes): TrainingCurve[] => saes.map(({ id, history }) => ({ id, history })),
  show(_, { env }, saes) {
    const rows = saes.map((sae) => {
      const { settings, seed } = describe(sae);
      return { sae, history: sae.history, given: { ...settings, seed } };
    });
    return env.displayButLast(trainingsItems(rows, ''));
  },
});
