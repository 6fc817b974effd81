/** How crosscoders are shown: curves, the histogram of decoder shares, what is exclusive. */
import type { OutputItem } from '../../protocol/notebook.js';
import type { CrosscoderEvaluation } from '../crosscoder/evaluate.js';
import type { CrosscoderRecovery } from '../crosscoder/recovery.js';
import type { Crosscoder } from '../crosscoder/types.js';
import { axisOf, tooltipOf } from './charts.js';
import { chartItems, count, tableItems, tableOf } from './items.js';
import { trainingItems } from './training.js';

const BINS = 40;

/** Features by the share that the last side has of their decoder norms: the peaks at both ends are exclusive. */
function shareHistogram({ shares, sides, features }: Crosscoder): object {
  const last = sides.length - 1;
  const counts = new Array<number>(BINS).fill(0);
  for (let f = 0; f < features; f++) {
    const share = shares.data[f * sides.length + last];
    if (!Number.isNaN(share)) counts[Math.min(BINS - 1, Math.floor(share * BINS))]++;
  }
  const values = counts.map((n, bin) => ({ from: bin / BINS, to: (bin + 1) / BINS, features: n }));
  return {
    width: 460,
    height: 140,
    data: { values },
    mark: { type: 'bar', tooltip: true },
    encoding: {
      x: {
        ...axisOf({ field: 'from', title: `share of side ${sides[last].name} in the decoder norm`, domain: [0, 1] }),
        bin: 'binned',
      },
      x2: { field: 'to' },
      y: axisOf({ field: 'features', title: 'features' }),
      tooltip: tooltipOf('from', 'to', 'features'),
    },
  };
}

/** What a cell keeps of a crosscoder's training. */
export function crosscoderTrainingItems({ joined, sides, features }: Crosscoder): OutputItem[][] {
  const dedicated = sides.map(({ dedicated: n }) => n);
  const of = dedicated.some((n) => n > 0) ? { dedicated: dedicated.join(' + ') } : {};
  return trainingItems(joined, joined.history, { features, ...of });
}

/** A crosscoder: the histogram of its decoder shares. */
export const crosscoderItems = (crosscoder: Crosscoder): OutputItem[] =>
  chartItems(shareHistogram(crosscoder), `Decoder norms of ${crosscoder.name}`);

/** An evaluation: sides, and the features that look exclusive and are not. */
export function evaluationItems(found: CrosscoderEvaluation): OutputItem[][] {
  const { sides, settings, tokens, l0, dead, shared, home, homeAfter, errorRatio, reconstructionRatio } = found;
  const { sharedFrom, errorFrom, reconstructionFrom, direction, runs, seed } = settings;
  const table = tableOf(
    sides.map(({ name, explainedVariance, exclusive, exclusiveAfter }) => ({
      side: name,
      'explained variance': explainedVariance,
      'exclusive by decoder norms': exclusive,
      'exclusive after latent scaling': exclusiveAfter,
    })),
    `Sides of ${found.crosscoder.name}`,
  );
  const note = `${count(tokens)} tokens, L0 ${l0.toFixed(1)}, ${count(shared)} features shared, ${count(dead)} never fired. Exclusive by decoder norms: every other side has less than ${sharedFrom} of them; after latent scaling: νε < ${errorFrom} and νr < ${reconstructionFrom} (${direction === 'free' ? 'lengths of slopes' : "along the feature's own decoder"}), less what ${runs} shifts of the tokens give, seed ${seed}.`;
  const undone = Array.from(home.keys())
    .filter((f) => home[f] >= 0 && homeAfter[f] < 0)
    .sort((a, b) => found.firings[b] - found.firings[a]);
  const rows = undone.map((feature) => ({
    feature,
    'looked exclusive to': sides[home[feature]].name,
    νε: errorRatio[feature],
    'p of νε': found.pError[feature],
    νr: reconstructionRatio[feature],
    'p of νr': found.pReconstruction[feature],
    firings: found.firings[feature],
  }));
  const first = tableItems({ ...table, note });
  if (rows.length === 0) return [first];
  const list = tableOf(rows, 'Not exclusive after all, most frequent first', 200);
  return [
    first,
    tableItems({ ...list, note: `p = (k + 1)/(R + 1), k = shifts at or above the length, R = ${runs}, seed ${seed}` }),
  ];
}

/** Exclusive features against truth. */
export function recoveryItems(found: CrosscoderRecovery): OutputItem[] {
  const rows = found.found.map((each) => ({
    'called exclusive by': each.by,
    features: each.exclusive,
    'shared in truth': each.falseExclusive,
    'false rate': Number.isNaN(each.rate) ? null : each.rate,
    'rate at random': Number.isNaN(each.null.mean) ? null : each.null.mean,
    p: each.p,
    'exclusive features found': each.recovered,
  }));
  const { exclusiveFeatures: alone, sharedFeatures, sharedRecovered, holding, unmatched, minCosine } = found;
  const [{ null: chance }] = found.found;
  return tableItems({
    ...tableOf(rows, 'Exclusive features against truth'),
    note: `${count(holding)} features hold a true one at cosine ${minCosine} or more, ${count(unmatched)} that fire hold none. In truth ${count(sharedFeatures)} pairs are shared (${(100 * sharedRecovered).toFixed(0)} % held by one shared feature), ${count(alone.a)} are A's alone and ${count(alone.b)} B's. At random: ${chance.runs} draws of as many features, seed ${chance.seed}; p = (k + 1)/(R + 1), k = draws with as few false ones.`,
  });
}
