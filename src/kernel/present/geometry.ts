/** How relations, rotations and stability are shown. */
import type { OutputItem } from '../../protocol/notebook.js';
import { shareText } from '../../protocol/tokens.js';
import type { RelatedWord, RelationGrams, Relations, WordCarrier } from '../correlation/relations.js';
import type { RotationTransfer } from '../correlation/rotation.js';
import type { Stability } from '../correlation/stability.js';
import { axisOf, heatmap, heatmapWidth, orNull, sideBySide, tooltipOf } from './charts.js';
import { chartItems, count, formatNumber, scoreTable, tableItems, tableOf } from './items.js';

const carrierText = (c: WordCarrier | undefined): string =>
  c
    ? `#${c.feature}: ${shareText(c.ofOccurrences)} of the word, ${shareText(c.ofMass)} of itself${c.own ? '' : ' (not its own)'}`
    : 'none';

function wordRows(words: readonly RelatedWord[]) {
  return words.map((w) => ({
    ...{ word: w.word, occurrences: w.occurrences },
    ...{ 'feature of A': carrierText(w.a), 'feature of B': carrierText(w.b), 'r of the two': orNull(w.r) },
    ...{ 'nearest in A': w.nearA.join(', '), 'nearest in B': w.nearB.join(', ') },
    'in both': w.nearA.filter((v) => w.nearB.includes(v)).join(', '),
    Jaccard: orNull(w.jaccard),
  }));
}

/** Relation against relation in both models. */
function gramChart({ vectors, pairs, a, b }: RelationGrams): OutputItem[][] {
  const names = pairs.map(([from, to]) => `${from} → ${to}`);
  if (names.length < 2 || names.length > 24) return [];
  const title = `Cosines between relations, ${vectors}`;
  const of = (gram: Float64Array, side: string): object =>
    heatmap(
      side,
      names.flatMap((y, i) =>
        names.map((x, j) => ({ relation: y, 'and relation': x, value: orNull(gram[i * names.length + j]) })),
      ),
      'and relation',
      'relation',
    );
  const wide = heatmapWidth(names.length, names);
  return [chartItems({ title, ...sideBySide([of(a, 'A'), of(b, 'B')], wide) }, title)];
}

/** The words, the relations as heat maps, and the scores. */
export function relationOutputs(found: Relations): OutputItem[][] {
  const note = found.notes.join('. ');
  const words = tableItems({ ...tableOf(wordRows(found.words), 'Words in both models'), ...(note ? { note } : {}) });
  if (found.scores.length === 0) return [words];
  return [
    words,
    ...found.grams.flatMap(gramChart),
    scoreTable(found.scores, 'Neighbours and relations of words, beside their nulls'),
  ];
}

/** Scores of a rotation beside their nulls, with its notes. */
export function transferItems({ scores, pairs, tokens, own, notes }: RotationTransfer): OutputItem[] {
  const of =
    tokens.held > 0 ? `; means and scale of ${count(tokens.train)} tokens, judged on ${count(tokens.held)}` : '';
  const title = `One rotation from B to A, fitted on ${count(pairs.train)} pairs and judged on ${count(pairs.held)} others${of}`;
  const known = Number.isNaN(own) ? [] : [`A's SAE explains ${formatNumber(own)} of A's own activations on the same tokens`]; // prettier-ignore
  return scoreTable(scores, title, { more: [...known, ...notes] });
}

const otherSaes = (n: number): string => `${count(n)} other ${n === 1 ? 'SAE' : 'SAEs'}`;

/** How many features are how stable. */
function stabilityChart({ columns, others, by, least }: Stability): object {
  const values = Array.from(columns.stability, (stability, f) => ({
    stability,
    likeness: orNull(columns.best[f]),
    subspace: orNull(columns.subspace[f]),
    feature: f,
  })).filter(({ stability }) => !Number.isNaN(stability));
  const x = {
    field: 'stability',
    type: 'ordinal',
    title: `share of ${otherSaes(others)} with a partner at ${by} ≥ ${least}`,
  };
  const shares = values.map((v) => ({ ...v, stability: Number(v.stability.toFixed(2)) }));
  return {
    title: 'Stability of features',
    ...sideBySide(
      [
        { width: 220, height: 200, data: { values: shares }, mark: 'bar', encoding: { x, y: { aggregate: 'count', title: 'features' } } }, // prettier-ignore
        {
          ...{ width: 220, height: 200, data: { values: shares.filter((v) => v.subspace !== null) } },
          mark: { type: 'point', filled: true, opacity: 0.5 },
          encoding: {
            x: axisOf({ field: 'likeness', title: `largest ${by}, mean of the others` }),
            y: axisOf({ field: 'subspace', title: 'match of surroundings', domain: [0, 1] }),
            tooltip: tooltipOf('feature', 'stability', 'likeness', 'subspace'),
          },
        },
      ],
      290,
    ),
  };
}

/** The charts of stability, and its scores beside their nulls. */
export function stabilityOutputs(found: Stability): OutputItem[][] {
  const { features, others, scores } = found;
  const chart = chartItems(stabilityChart(found), 'Stability of features');
  return [chart, scoreTable(scores, `Stability of ${count(features)} features over ${otherSaes(others)}`, { more: ['columns.stability, .best and .subspace hold a value for each feature'] })]; // prettier-ignore
}
