/** How probes of an SAE are shown. */
import type { OutputItem } from '../../protocol/notebook.js';
import type { SaeProbes } from '../sae/probeSae.js';
import type { Sae } from '../sae/types.js';
import { orNull } from './charts.js';
import { ofFeatures } from './featureCells.js';
import { count, formatNumber, tableItems, tableOf } from './items.js';

/** A label a row: probes by k, splitting, absorption; the means below. */
function probeItems(sae: Sae, found: SaeProbes): OutputItem[] {
  const rows = found.labels.map(({ label, tested, activation, sparse, split, features, absorption }) => ({
    label,
    feature: features[0],
    ...Object.fromEntries(sparse.map(({ k, accuracy }) => [`accuracy, k ${k}`, accuracy])),
    'accuracy, activation': activation.accuracy,
    [`F1, k ${sparse[0].k}`]: sparse[0].f1,
    'split among': split.length,
    absorbed: Number.isNaN(absorption.rate) ? null : absorption.rate,
    absorber: absorption.absorber < 0 ? null : absorption.absorber,
    'tokens judged': 2 * tested,
  }));
  const of = (v: number): string => formatNumber(v, 3);
  const note = [
    `means over ${found.labels.length} labels: accuracy ${found.sparse.map(({ k, accuracy }) => `${of(accuracy)} (k ${k})`).join(', ')}, ${of(found.activation)} of the whole activation; ${of(100 * found.split)} % of labels split; absorption ${of(found.absorption)}`,
    'half of the tokens judged have the label: .5 is chance',
    `${count(found.tokens)} tokens read`,
    ...(found.leftOut.length > 0 ? [`too few tokens: ${found.leftOut.join(', ')}`] : []),
  ];
  const table = tableOf(rows, `Sparse probes of ${sae.name}`);
  return tableItems({ ...ofFeatures(table, { feature: sae.id, absorber: sae.id }), note: note.join('. ') });
}

/** The means of an SAE beside those of its baselines. */
function besideTable(found: SaeProbes): OutputItem[] {
  const rows = Object.entries({ SAE: found, ...found.baselines }).map(([directions, of]) => ({
    directions,
    ...Object.fromEntries(of.sparse.map(({ k, accuracy }) => [`accuracy, k ${k}`, accuracy])),
    'accuracy, activation': of.activation,
    'labels split %': 100 * of.split,
    absorption: orNull(of.absorption),
  }));
  return tableItems({
    ...tableOf(rows, 'Sparse probes beside the baselines'),
    note: `means over ${found.labels.length} labels; .5 is chance`,
  });
}

/** The probes of an SAE, last; where there are baselines, the means of all before them. */
export const probeOutputs = (sae: Sae, found: SaeProbes): OutputItem[][] => [
  ...(found.baselines ? [besideTable(found)] : []),
  probeItems(sae, found),
];
