/** How results of fg.interventions are shown: tables of figures with their tests and nulls, and circuits as charts. */
import type { OutputItem } from '../../protocol/notebook.js';
import { labelWords, type PointLabel } from '../../protocol/tokens.js';
import type { Circuit, CircuitNode } from '../interventions/circuits.js';
import type { DensityEffect, FeatureEffect } from '../interventions/effects.js';
import type { Attribution } from '../interventions/featureAttribution.js';
import type { LogitEffects } from '../interventions/logitEffects.js';
import type { BesideNulls } from '../interventions/nullDirections.js';
import type { NullKind } from '../interventions/options.js';
import type { RankAgreement } from '../interventions/statistics.js';
import type { Transfer } from '../interventions/transfer.js';
import type { CIRCUIT } from '../show/fgInterventions.js';
import type { Parsed } from '../verb/option.js';
import { ofFeatures, SAE_ID } from './featureCells.js';
import { count, formatNumber, tableItems, tableOf, type TableRow } from './items.js';

/** Null directions, as shown. */
const NULL_NAMES: Readonly<Record<NullKind, string>> = {
  isotropic: 'random directions',
  differences: "differences of two tokens' activations",
  decoder: 'other decoder rows',
};
export const nullName = ({ kind }: { readonly kind: NullKind }): string => NULL_NAMES[kind];

const OVER_SEQUENCES = 'since tokens of one sequence depend on each other, and two-sided';

/** The first row of each SAE: it holds the figures that all rows of the SAE share. */
function bySae<T extends { sae: string; hook: string }>(rows: readonly T[]): T[] {
  return rows.filter((row, i) => rows.findIndex((r) => r.sae === row.sae && r.hook === row.hook) === i);
}

/** The note below a table: what the tests are over, and what was left out. */
function testNote(rows: ReadonlyArray<{ n: number; untouched: number; sequences: number }>): string {
  const [{ n, untouched, sequences }] = rows;
  const left = untouched > 0 ? `; ${count(untouched)} untouched tokens left out` : '';
  return `means over ${count(n)} tokens${left}. Tests are paired over ${count(sequences)} sequences, ${OVER_SEQUENCES}`;
}

/**
 * "0.41 (beside random directions of the same norm (drawn from n = 128): mean 0.02, std …, largest …,
 * two-sided p = 0.048, 20 runs, seed 0; beside …)".
 */
export function besideText({ value, nulls }: BesideNulls): string {
  const f = (v: number): string => formatNumber(v, 3);
  if (nulls.length === 0) return `${f(value)} (no null run)`;
  const texts = nulls.map(
    (n) =>
      `${nullName(n)} of the same norm (drawn from n = ${count(n.from)}): mean ${f(n.mean)}, std ${f(n.std)}, largest ${f(n.max)}, two-sided p = ${f(n.p)}, ${n.runs} runs, seed ${n.seed}`,
  );
  return `${f(value)} (beside ${texts.join('; beside ')})`;
}

/** "Spearman 0.9, n = 40, one-sided p = 0.001 (999 shuffles, seed 0)", or why there is none. */
export function agreementText({ rho, n, p, runs, seed }: RankAgreement): string {
  if (Number.isNaN(rho))
    return `no rank correlation, Spearman and p are NaN: on one side all ${n} values are equal, so nothing orders them (where no removal moves the target there is no effect to rank)`;
  return `Spearman ${formatNumber(rho, 3)}, n = ${n}, one-sided p = ${formatNumber(p, 3)} (${runs} shuffles, seed ${seed})`;
}

const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);

/** `ids`: identities of the SAEs by name. */
export function effectTable(
  effects: readonly FeatureEffect[],
  what: string,
  ids: Readonly<Record<string, string>> = {},
): OutputItem[] {
  const title = `Features moved by: ${what}`;
  if (effects.length === 0)
    return tableItems({
      ...tableOf([], title),
      note: 'no feature moved: does the intervention act before the hook of the SAE?',
    });
  const saes = bySae(effects);
  const several = saes.length > 1;
  const rows = effects.map((e): TableRow => ({
    ...(several ? { hook: e.hook, SAE: e.sae } : {}),
    feature: e.feature,
    [SAE_ID]: ids[e.sae],
    'mean before': e.before,
    'mean after': e.after,
    'Δ mean': e.delta,
    'fires on, before': e.firingBefore,
    'fires on, after': e.firingAfter,
    'effect size d_z': orNull(e.effectSize),
    't-test p (adjusted)': orNull(e.pTAdjusted),
    'rank or sign p (adjusted)': orNull(e.pAdjusted),
  }));
  return tableItems({
    ...ofFeatures(tableOf(rows, title), { feature: { key: SAE_ID } }),
    note: saes
      .map(
        (e) =>
          `${several ? `${e.hook} (${e.sae}): ` : ''}${testNote([e])}; p adjusted by Benjamini-Hochberg over ${count(e.tested)} features that fire`,
      )
      .join('. '),
  });
}

export function densityTable(effects: readonly DensityEffect[], what: string): OutputItem[] {
  const rows = effects.map((e): TableRow => ({
    hook: e.hook,
    SAE: e.sae,
    'density before': orNull(e.densityBefore),
    'density after': orNull(e.densityAfter),
    'L0 before': orNull(e.l0Before),
    'L0 after': orNull(e.l0After),
    'Δ L0': orNull(e.delta),
    'effect size d_z': orNull(e.effectSize),
    't-test p': orNull(e.pT),
    'signed-rank p': orNull(e.p),
    tokens: e.n,
    'untouched, left out': e.untouched,
  }));
  return tableItems({
    ...tableOf(rows, `Firing density, before and after: ${what}`),
    note: `tests are paired over sequences, ${OVER_SEQUENCES}`,
  });
}

export function logitTable(result: LogitEffects, what: string): OutputItem[] {
  const rows = result.tokens.map((t): TableRow => ({
    token: t.token,
    id: t.id,
    'logit before': t.logitBefore,
    'logit after': t.logitAfter,
    'Δ logit': t.deltaLogit,
    'p before': t.probabilityBefore,
    'p after': t.probabilityAfter,
    'Δ p': t.deltaProbability,
    'effect size d_z': orNull(t.effectSize),
    't-test p (adjusted)': orNull(t.pTAdjusted),
    'signed-rank p (adjusted)': orNull(t.pAdjusted),
  }));
  const { loss, kl, chosen } = result;
  const lines = [
    `${testNote([result])}, adjusted by Benjamini-Hochberg over ${count(result.tested)} tokens`,
    chosen && `Σ Δ p of the chosen tokens ${besideText(chosen)}`,
    `KL(before ‖ after) ${besideText(kl)} nats`,
    loss.n > 0 &&
      `loss ${formatNumber(loss.before)} → ${formatNumber(loss.after)} nats over ${count(loss.n)} tokens, Δ ${besideText(loss.delta)}`,
  ];
  return tableItems({
    ...tableOf(rows, `Predictions moved by: ${what}`),
    note: result.n > 0 ? lines.filter(Boolean).join('. ') : 'no prediction moved: nothing was touched',
  });
}

export function attributionTable(result: Attribution, sae: { id: string }): OutputItem[] {
  const rows = result.features.map((f): TableRow => ({
    feature: f.feature,
    attribution: f.attribution,
    'true ablation': f.ablation ?? null,
    'fires at': f.positions,
    'mean activation there': f.activation,
    'most from token': f.token,
    ...(result.sequences > 1 ? { sequence: f.sequence } : {}),
    position: f.position,
  }));
  const method =
    result.method === 'gradient' ? 'activation × gradient' : `integrated gradients, ${result.steps} points`;
  return tableItems({
    ...ofFeatures(tableOf(rows, `Attribution of ${result.target} to features of ${result.sae} at ${result.hook}`), {
      feature: sae.id,
    }),
    note: [
      `${method}; the SAE's error is kept as it is. The target is ${formatNumber(result.value)}; attributions sum to ${formatNumber(result.total)}, removing all features takes ${formatNumber(result.allAblated)}`,
      result.agreement &&
        `attribution against true ablation, half of it features of largest attribution and half drawn from the rest: ${agreementText(result.agreement)}`,
      result.agreementOfDrawn &&
        `over the drawn half alone, which the choice does not flatter: ${agreementText(result.agreementOfDrawn)}`,
    ]
      .filter(Boolean)
      .join('. '),
  });
}

export function transferTable(result: Transfer, a: { id: string }, b: { id: string }): OutputItem[] {
  const rows = result.pairs.map((pair): TableRow => ({
    'feature of A': pair.a,
    'feature of B': pair.b,
    r: pair.r,
    [result.measure]: pair.similarity,
    'with other pairs': orNull(pair.others),
    'sequences A': pair.sequencesA,
    'sequences B': pair.sequencesB,
  }));
  const { score, null: n, p, seed, watched, choose } = result;
  const f = (v: number): string => formatNumber(v, 3);
  const which = choose === 'random' ? `drawn at random (seed ${seed})` : 'of highest r';
  const where = watched === 'downstream' ? 'watched downstream, through the model' : 'encoded again at the same hook';
  return tableItems({
    ...ofFeatures(
      tableOf(rows, `Do ablations move the same counterparts? ${result.pairs.length} matched pairs ${which}, ${where}`),
      { 'feature of A': a.id, 'feature of B': b.id },
    ),
    note: `${result.warnings.map((w) => `Warning: ${w}. `).join('')}transfer score (mean ${result.measure}, ${where}) ${f(score)}; ${n.kind}: mean ${f(n.mean)}, std ${f(n.std)}, largest ${f(n.max)}; one-sided p = ${f(p)} (${count(n.runs)} runs, seed ${n.seed ?? seed}). Δ of ${count(result.coordinates)} matched features, each in its own standard deviations${result.withoutEffect > 0 ? `; ${count(result.withoutEffect)} pairs without effect left out` : ''}`,
  });
}

/** `ids`: identities of the two SAEs, where they are known. */
export function circuitTable(result: Circuit, ids: { upstream?: string; downstream?: string } = {}): OutputItem[] {
  const rows = result.edges.map((e): TableRow => ({
    upstream: e.source,
    downstream: e.target,
    'Δ verified': e.verified,
    attribution: e.attribution,
  }));
  return tableItems({
    ...ofFeatures(tableOf(rows, `Circuit at token ${result.position} of ${JSON.stringify(result.prompt)}`), {
      ...(ids.upstream !== undefined && { upstream: ids.upstream }),
      ...(ids.downstream !== undefined && { downstream: ids.downstream }),
    }),
    note: `${result.upstream.hook} → ${result.downstream.hook}. Δ verified: what removing the upstream feature takes from the downstream one; attribution: its estimate by the gradient. All edges of the sources shown, which are those of largest attribution: ${agreementText(result.agreement)}`,
  });
}

/** Height of a feature's line, and room left for labels on either side. */
const LINE = 26;

interface Placed {
  x: number;
  y: number;
  feature: number;
  label: string;
  tokens: string;
  activation: number;
  layer: string;
}

/** Nodes of a layer from top to bottom, spread over the same height. */
function placed(
  nodes: readonly CircuitNode[],
  x: 0 | 1,
  hook: string,
  height: number,
  labels: readonly PointLabel[] | undefined,
): Placed[] {
  return nodes.map((node, i) => {
    const tokens = labelWords(labels?.[node.feature] ?? [])
      .map((t) => t.trim())
      .filter(Boolean);
    const words = [...new Set(tokens)].slice(0, 3).join(', ') || node.token.replace(/\n/g, '↵');
    return {
      x,
      y: ((i + 0.5) * height) / nodes.length,
      feature: node.feature,
      label: x === 0 ? `${words}  #${node.feature}` : `#${node.feature}  ${words}`,
      tokens: tokens.join(', ') || `fires most on ${JSON.stringify(node.token)}, token ${node.position}`,
      activation: node.activation,
      layer: hook,
    };
  });
}

const EFFECTS = ['makes it fire more', 'makes it fire less'];
const NODE_TOOLTIP = [
  { field: 'feature', title: 'feature' },
  { field: 'layer', title: 'hook' },
  { field: 'tokens', title: 'label' },
  { field: 'activation', title: 'activation', format: '.4~g' },
];
/** How edges look: width by size, colour and dash by sign. */
const EDGE_ENCODING = {
  x2: { field: 'x2' },
  y2: { field: 'y2' },
  strokeWidth: {
    field: 'size',
    type: 'quantitative',
    scale: { range: [0.5, 7], zero: true },
    title: '|Δ| verified',
    legend: { format: '.2~g', tickCount: 3, orient: 'bottom' },
  },
  color: {
    field: 'effect',
    type: 'nominal',
    title: 'upstream feature',
    scale: { domain: EFFECTS },
    legend: { orient: 'bottom' },
  },
  strokeDash: {
    field: 'effect',
    type: 'nominal',
    title: 'upstream feature',
    legend: { orient: 'bottom' },
    scale: {
      domain: EFFECTS,
      range: [
        [1, 0],
        [5, 4],
      ],
    },
  },
  tooltip: [
    { field: 'source', title: 'upstream' },
    { field: 'target', title: 'downstream' },
    { field: 'verified', title: 'Δ verified by ablation', format: '.4~g' },
    { field: 'attribution', title: 'attribution', format: '.4~g' },
  ],
};

/** Rows of the edges drawn, thin ones last, so that none is hidden. */
function edgeRows(found: Circuit, up: readonly Placed[], down: readonly Placed[], edges: number): object[] {
  const at = (nodes: readonly Placed[], feature: number): Placed => nodes.find((n) => n.feature === feature)!;
  return found.edges
    .filter((e) => e.verified !== 0)
    .slice(0, edges)
    .map((e) => {
      const [from, to] = [at(up, e.source), at(down, e.target)];
      return {
        ...{ x: 0, y: from.y, x2: 1, y2: to.y, source: from.label, target: to.label },
        ...{ verified: e.verified, attribution: e.attribution, size: Math.abs(e.verified) },
        effect: EFFECTS[e.verified > 0 ? 0 : 1],
      };
    });
}

/** A circuit as a Vega-Lite chart: two columns of features, and edges as wide as what was verified. */
export function circuitSpec(found: Circuit, options: Omit<Parsed<typeof CIRCUIT>, 'title'>): object {
  const height = LINE * Math.max(found.upstream.nodes.length, found.downstream.nodes.length, 3);
  const up = placed(found.upstream.nodes, 0, found.upstream.hook, height, options.labels);
  const down = placed(found.downstream.nodes, 1, found.downstream.hook, height, options.downstreamLabels);
  const axis = { axis: null, type: 'quantitative' };
  const x = { field: 'x', ...axis, scale: { domain: [-0.8, 1.8], nice: false, zero: false } };
  const y = { field: 'y', ...axis, scale: { domain: [height, 0], nice: false, zero: false } };
  const text = (nodes: Placed[], align: 'right' | 'left', dx: number) => ({
    data: { values: nodes },
    mark: { type: 'text', align, dx, baseline: 'middle', limit: 220 },
    encoding: { x, y, text: { field: 'label' }, tooltip: NODE_TOOLTIP },
  });
  return {
    width: 'container',
    height,
    autosize: { type: 'fit-x', contains: 'padding' },
    view: { stroke: null },
    layer: [
      {
        data: { values: edgeRows(found, up, down, options.edges) },
        mark: { type: 'rule', opacity: 0.6, strokeCap: 'round' },
        encoding: { x, y, ...EDGE_ENCODING },
      },
      {
        data: { values: [...up, ...down] },
        mark: { type: 'point', filled: true, size: 60, opacity: 1 },
        encoding: { x, y, color: { value: 'gray' }, tooltip: NODE_TOOLTIP },
      },
      text(up, 'right', -10),
      text(down, 'left', 10),
    ],
  };
}
