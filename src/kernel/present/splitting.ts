/** How splitting between two widths is shown: a tree of the parents that split most, and tables. */
import type { OutputItem } from '../../protocol/notebook.js';
import { labelLine, shareText, type PointLabel } from '../../protocol/tokens.js';
import type { SplitParent, Splitting } from '../correlation/splittingTypes.js';
import { orNull, tooltipOf } from './charts.js';
import { ofFeatures } from './featureCells.js';
import { chartItems, count, scoreTable, tableItems, tableOf } from './items.js';

/** Labels by feature id, where there are activations. */
export interface SplittingLabels {
  small: readonly PointLabel[];
  large: readonly PointLabel[];
  /** Identities of the SAEs. */
  ids: { small: string; large: string };
}

/** Parents and children that the tree has: more cannot be read. */
const TREE = { parents: 12, children: 8 };
/**
 * The tree is as wide as its pane, `wide` pixels where there is none (a picture in a file): labels end at `left` of the
 * width and begin again at `right`, with the lines between them.
 */
const LAYOUT = { wide: 960, left: 0.42, right: 0.58 };
/** Rows of tables that are listed. */
const LISTED = 500;

const wholeLabel = (label: PointLabel | undefined): string => (label ? labelLine(label) : '');

/** The first words of a label, for a cell of a table; a long one is cut. */
function shortLabel(label: PointLabel | undefined): string {
  const line = wholeLabel(label);
  return line.length > 40 ? `${line.slice(0, 39)}…` : line;
}

interface Node {
  text: string;
  y: number;
  [more: string]: string | number | null;
}

/** Parents on the left, their children on the right, from top to bottom. */
function treeRows(parents: readonly SplitParent[], labels: SplittingLabels | undefined) {
  const left: Node[] = [];
  const right: Node[] = [];
  const lines: Array<Record<string, number>> = [];
  const said: string[] = [];
  let at = 0;
  for (const p of parents) {
    const shown = p.children.slice(0, TREE.children);
    const rows = shown.length + Number(shown.length < p.children.length);
    const middle = at + (rows - 1) / 2;
    const name = `#${p.parent} (${p.children.length}) ${wholeLabel(labels?.small[p.parent])}`.trim();
    left.push({ text: name, y: middle, coverage: p.coverage, p: p.p, children: p.children.length }); // prettier-ignore
    shown.forEach((c, i) => {
      const text = `#${c.child} ${wholeLabel(labels?.large[c.child])}`.trim();
      right.push({ text, y: at + i, share: c.share, cosine: orNull(c.cosine), r: orNull(c.r), outside: orNull(c.outside) }); // prettier-ignore
      lines.push({ x: LAYOUT.left, x2: LAYOUT.right, y: middle, y2: at + i, share: c.share });
    });
    said.push(`${name}: ${right.slice(-shown.length).map(({ text }) => text).join('; ')}`); // prettier-ignore
    if (rows > shown.length) right.push({ text: `and ${p.children.length - shown.length} more`, y: at + shown.length });
    at += rows + 0.6;
  }
  return { left, right, lines, said, height: at };
}

/** The tree as a Vega-Lite spec: as wide as its pane, labels cut to their half of it and whole under the pointer. */
export function splittingTree(found: Splitting, title: string, labels?: SplittingLabels): object {
  const parents = found.parents.slice(0, TREE.parents).filter((p) => p.children.length > 0);
  const { left, right, lines, said, height } = treeRows(parents, labels);
  const scale = { domain: [0, 1], nice: false };
  const y = { field: 'y', type: 'quantitative', axis: null, scale: { domain: [-0.5, height], reverse: true } };
  const words = (values: readonly Node[], at: number, align: 'left' | 'right') => ({
    data: { values },
    mark: {
      type: 'text',
      align,
      dx: align === 'left' ? 5 : -5,
      limit: { expr: `${LAYOUT.left} * width - 10` },
    },
    encoding: {
      x: { datum: at, type: 'quantitative', axis: null, scale },
      y,
      text: { field: 'text' },
      tooltip: tooltipOf(...Object.keys(values[0] ?? {}).filter((f) => f !== 'y')),
    },
  });
  return {
    title: {
      text: title,
      subtitle: 'A wider line is a larger share of the child.',
      anchor: 'start',
      frame: 'group',
      limit: { expr: 'width' },
    },
    description: `Parents, each with its children. ${said.join('. ')}`,
    width: 'container',
    height: Math.max(40, Math.round(18 * height)),
    padding: { left: 0, right: 0, top: 5, bottom: 5 },
    autosize: { type: 'fit-x', contains: 'padding' },
    config: { view: { stroke: null, continuousWidth: LAYOUT.wide } },
    layer: [
      {
        data: { values: lines },
        mark: { type: 'rule', opacity: 0.7 },
        encoding: {
          x: { field: 'x', type: 'quantitative', axis: null, scale },
          x2: { field: 'x2' },
          y,
          y2: { field: 'y2' },
          strokeWidth: { field: 'share', type: 'quantitative', scale: { domain: [0, 1], range: [0.5, 5] }, legend: null }, // prettier-ignore
        },
      },
      words(left, LAYOUT.left, 'right'),
      words(right, LAYOUT.right, 'left'),
    ],
  };
}

const name = (feature: number, labels: readonly PointLabel[] | undefined): Record<string, string> =>
  labels ? { label: shortLabel(labels[feature]) || `#${feature}` } : {};

function parentRows(found: Splitting, labels: SplittingLabels | undefined) {
  return found.parents.map((p) => ({
    parent: p.parent,
    ...name(p.parent, labels?.small),
    children: p.children.length,
    'coverage %': 100 * p.coverage,
    'null %': 100 * p.nullCoverage,
    p: p.p,
    'entropy, bits': p.entropy,
    'the largest': p.children
      .slice(0, 3)
      .map((c) => `#${c.child} ${shareText(c.share)}`)
      .join(', '),
  }));
}

function absorptionRows(found: Splitting, labels: SplittingLabels | undefined) {
  return found.absorption.map((c) => ({
    parent: c.parent,
    ...name(c.parent, labels?.small),
    main: c.main,
    absorber: c.absorber,
    ...(labels ? { 'absorber is': shortLabel(labels.large[c.absorber]) } : {}),
    tokens: c.tokens,
    '% of silent': 100 * c.ofSilent,
    cosine: orNull(c.cosine),
    'lost %': orNull(100 * c.lost),
    'null %': orNull(100 * c.nullLost),
    p: orNull(c.p),
    absorbs: c.absorbs ? 'yes' : 'no',
  }));
}

function summary({ parents, large, parentOf, by, least, tokens, notes }: Splitting): string {
  const children = parentOf.reduce((n, p) => n + Number(p >= 0), 0);
  const split = parents.filter((p) => p.children.length > 1).length;
  const how =
    by === 'activations'
      ? `r ≥ ${least}, chosen on ${count(tokens.chose)} tokens and judged on ${count(tokens.judged)} others`
      : `cosine ≥ ${least} of decoder rows`;
  const said = `${count(split)} of ${count(parents.length)} parents have more than one child; ${count(children)} of ${count(large)} large features have a parent (${how})`;
  return [said, ...notes].join('. ');
}

/** How much splits in an SAE and in its baselines. */
function besideTable(found: Splitting): OutputItem[] {
  const rows = Object.entries({ SAE: found, ...found.baselines }).map(([of, each]) => ({
    of,
    parents: each.parents.length,
    'with more than one child': each.parents.filter(({ children }) => children.length > 1).length,
    'with p ≤ .05': each.parents.filter(({ p }) => p <= 0.05).length,
    'large features with a parent': each.parentOf.reduce((n, parent) => n + Number(parent >= 0), 0),
    ...(each.by === 'activations' ? { 'features that absorb': each.absorption.filter(({ absorbs }) => absorbs).length } : {}), // prettier-ignore
  }));
  return tableItems(tableOf(rows, 'Splitting beside that of the baselines'));
}

/** The tree, the parents, the scores, and the candidates of absorption; where there are baselines, those of all. */
export function splittingOutputs(found: Splitting, labels?: SplittingLabels): OutputItem[][] {
  const beside = Object.entries(found.baselines ?? {}).map(([kind, of]) => [kind, of.scores] as const);
  const table = scoreTable(found.scores, 'Splitting beside its null', { baselines: Object.fromEntries(beside) });
  const last = beside.length > 0 ? [besideTable(found), table] : [table];
  const { small, large } = labels?.ids ?? {};
  const listed = tableOf(parentRows(found, labels), 'Parents and their children', LISTED);
  const parents = tableItems({ ...(small === undefined ? listed : ofFeatures(listed, { parent: small })), note: summary(found) }); // prettier-ignore
  const title = 'Parents of most children';
  const tree = found.parents.some((p) => p.children.length > 0)
    ? [chartItems(splittingTree(found, title, labels), title)]
    : [];
  if (found.absorption.length === 0) return [...tree, parents, ...last];
  const note = `the parent fires and its main feature in the large SAE is silent; lost: of the parent's direction in the reconstruction, without the absorber; null: without another feature that fires there; ${count(found.absorption.length)} candidates were tested`;
  const candidates = tableOf(absorptionRows(found, labels), 'Candidates of absorption', LISTED);
  const of: Record<string, string> =
    small === undefined || large === undefined ? {} : { parent: small, main: large, absorber: large };
  const absorbed = tableItems({ ...ofFeatures(candidates, of), note });
  return [...tree, parents, absorbed, ...last];
}
