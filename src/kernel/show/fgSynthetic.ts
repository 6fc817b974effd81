/** fg.show of what fg.synthetic returned: recoveries side by side, and the charts behind its tables. */
import { chartItems } from '../present/items.js';
import {
  calibrationItems,
  comparisonTable,
  conceptItems,
  mutualItems,
  responseItems,
  sweepItems,
} from '../present/synthetic.js';
import {
  agreementChart,
  confusionChart,
  reliabilityChart,
  responseChart,
  sweepChart,
  thresholdChart,
} from '../present/syntheticCharts.js';
import type { Calibration } from '../synthetic/calibration/pipeline.js';
import type { ScoreResponse } from '../synthetic/calibration/response.js';
import type { ConceptResult } from '../synthetic/fgConcepts.js';
import type { MutualRegularization } from '../synthetic/recovery/mutual.js';
import type { Recovery } from '../synthetic/recovery/recovery.js';
import type { SweepRow } from '../synthetic/recovery/sweeps.js';
import { form } from '../verb/called.js';
import { requireThing, thing } from '../verb/common.js';
import { choice, text } from '../verb/option.js';
import { syncVerb } from '../verb/verb.js';
import { each, has, showsItself } from './forms.js';
import { isObject } from '../../protocol/objects.js';

const TITLE = 'Over the chart; a table has its own.';
const title = (fallback: string) => text({ doc: TITLE, fallback });

/** Titles of charts that have one of their own. */
const OVER = {
  response: text({ doc: TITLE, usual: 'Scores by shared fraction' }),
  mutual: text({ doc: TITLE, usual: 'Agreement between SAEs against truth' }),
  concepts: text({ doc: TITLE, usual: 'Concepts: best features by tokens' }),
};

/** Tables name themselves. @throws TypeError for a title that was given, which would not be shown */
function requireNoTitle(of: { readonly title?: string }, toChart: string): void {
  if (of.title !== undefined)
    throw new TypeError(`fg.show: title is over a chart, but the table was asked for; add ${toChart}`);
}

const isRecovery = has('of', 'world', 'latents', 'scores');
const recoveries = syncVerb({
  doc: 'Recoveries side by side, each beside its floor, by the names given.',
  args: [
    thing<Readonly<Record<string, Recovery>>>(
      'x',
      'What fg.synthetic.recovery returned, by name: { wide: …, narrow: … }.',
      (given, at) => {
        for (const [name, one] of Object.entries(given))
          if (!isRecovery(requireThing(one, `${at}.${name}`)))
            throw new TypeError(`${at}.${name} is no recovery: pass what fg.synthetic.recovery returned`);
        return given;
      },
    ),
  ],
  run: ({ env }, given) => env.context.display(comparisonTable(given)),
});

const calibration = syncVerb({
  doc: "What an r is worth between twins: the table of matchers, or a chart of it. 'reliability': share of true pairs by r, with 95 % intervals. 'thresholds': precision and recall of pairs as the threshold on r rises. One panel per matcher.",
  args: [thing<Calibration>('x', 'What fg.synthetic.calibrate returned.')],
  options: {
    as: choice(['table', 'reliability', 'thresholds'], { doc: 'Which of them.', default: 'table' }),
    title: title('What an r is worth, or Pairs by threshold'),
  },
  run({ env, options }, found) {
    if (options.as === 'table') requireNoTitle(options, "{ as: 'reliability' }");
    env.context.display(
      options.as === 'table'
        ? calibrationItems(found)
        : options.as === 'reliability'
          ? chartItems(reliabilityChart(found), options.title ?? 'What an r is worth')
          : chartItems(thresholdChart(found), options.title ?? 'Pairs by threshold'),
    );
  },
});

const response = syncVerb({
  doc: 'Scores at several shared fractions of twins: the table, or every score against the shared fraction beside the range of its null, one panel per score.',
  args: [thing<ScoreResponse>('x', 'What fg.synthetic.scoreResponse returned.')],
  options: {
    as: choice(['table', 'chart'], { doc: 'Which of the two.', default: 'table' }),
    title: OVER.response,
  },
  run({ env, options }, found) {
    if (options.as === 'table') requireNoTitle(options, "{ as: 'chart' }");
    env.context.display(
      options.as === 'table'
        ? responseItems(found)
        : chartItems(responseChart(found), options.title ?? OVER.response.usual),
    );
  },
});

const sweep = syncVerb({
  doc: 'A sweep: the table of its cells, or with `score` a heatmap of that score or figure, width by k.',
  args: [thing<readonly SweepRow[]>('x', 'What fg.synthetic.sweep returned.')],
  options: {
    score: text({
      doc: "A score such as 'MCC (dictionary)', or a figure such as 'deadShare'.",
      fallback: 'none: the table',
    }),
    title: title('the score'),
  },
  run({ env, options: { score, title: over } }, rows) {
    if (score === undefined) requireNoTitle({ title: over }, "{ score: 'MCC (dictionary)' }");
    env.context.display(score === undefined ? sweepItems(rows) : chartItems(sweepChart(rows, score), over ?? score));
  },
});

const mutual = syncVerb({
  doc: 'Mutual regularization: the table of its runs, or the cosine of latents to the truth by their cosine to the other SAE, one panel per coupling.',
  args: [thing<MutualRegularization>('x', 'What fg.synthetic.mutualRegularization returned.')],
  options: {
    as: choice(['table', 'agreement'], { doc: 'Which of the two.', default: 'table' }),
    title: OVER.mutual,
  },
  run({ env, options }, { runs }) {
    if (options.as === 'table') requireNoTitle(options, "{ as: 'agreement' }");
    env.context.display(
      options.as === 'table' ? mutualItems(runs) : chartItems(agreementChart(runs), options.title ?? OVER.mutual.usual),
    );
  },
});

const concepts = syncVerb({
  doc: 'Features against concepts: the tables, or where the best feature of each concept fires, as its share of the tokens of every concept.',
  args: [thing<ConceptResult>('x', 'What fg.synthetic.concepts returned.')],
  options: {
    as: choice(['table', 'confusion'], { doc: 'Which of the two.', default: 'table' }),
    title: OVER.concepts,
  },
  run({ env, options }, found) {
    if (options.as === 'table') requireNoTitle(options, "{ as: 'confusion' }");
    env.context.display(
      options.as === 'table'
        ? conceptItems(found, found.labels)
        : chartItems(confusionChart(found), options.title ?? OVER.concepts.usual),
    );
  },
});

export const SYNTHETIC_FORMS = [
  form('calibration', has('reliability', 'thresholds', 'summaries'), calibration),
  form('response', has('pairing', 'rows', 'world'), response),
  form('mutual', (x) => 'runs' in x && each(has('coupling', 'recoveries'))(x.runs), mutual),
  form('concepts', has('confusion', 'concepts'), concepts),
  form('sweep', each(has('sae', 'features', 'correlation', 'seed', 'status')), sweep),
  form(
    'recoveries',
    (x) => !showsItself(x) && Object.values(x).some((one) => isObject(one) && isRecovery(one)),
    recoveries,
  ),
] as const;
