/** Results that cells show richly, and the plain text that goes with every output. */
import { maxOf, pushAll } from '../../protocol/lists.js';
import {
  formatNumber,
  type ChartDescriptor,
  type ComparisonDescriptor,
  type FeatureCard,
  type FeatureCards,
  type TableDescriptor,
} from '../../protocol/display.js';
import { MIME } from '../../protocol/mime.js';
import { splitLines } from '../../protocol/notebookCodec.js';
import type { Json, JsonObject, OutputItem } from '../../protocol/notebook.js';
import { fromPlainJson, isJsonObject, isTypedArray } from '../../protocol/objects.js';
import { labelLine, labelTokens, sharesText } from '../../protocol/tokens.js';
import { inspect } from 'node:util';
import type { Spec as VegaSpec } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import type { SimilarityScore } from '../correlation/types.js';

export { formatNumber };

export const DISPLAY = Symbol.for('fgnb.display');

/** A value that a cell shows by these items when it is the last expression. */
export type Displayed<T> = T & {
  /** The items. */
  readonly [DISPLAY]: () => OutputItem[];
};

/** Gives a value its way of being shown; the value is otherwise unchanged. */
export function setDisplay(value: object, items: () => OutputItem[] | Promise<OutputItem[]>): void {
  Object.defineProperty(value, DISPLAY, { value: items, enumerable: false, configurable: true });
}

/** setDisplay() with a type for callers that ask the value for its items. */
export function withDisplay<T extends object>(value: T, items: () => OutputItem[]): Displayed<T> {
  setDisplay(value, items);
  return value as Displayed<T>;
}

/** Plain text as an output item. */
export function textItem(text: string): OutputItem {
  return { mime: MIME.text, text: splitLines(text) };
}

/** A value that a cell shows by one line of text instead of its fields, inside arrays, objects and prints too. */
export function withSummary<T extends object>(value: T, summary: () => string): T {
  Object.defineProperty(value, inspect.custom, { value: summary, enumerable: false, configurable: true });
  return withDisplay(value, () => [textItem(summary())]);
}

/** JSON of a value; typed arrays become arrays of numbers. */
const asJson = (value: object): Json =>
  JSON.parse(JSON.stringify(value, (_, v: unknown) => (isTypedArray(v) ? Array.from(v as Float64Array) : v))) as Json;

/** 12,345 */
export const count = (n: number): string => n.toLocaleString('en');

/** A table, with the same table as aligned plain text for viewers without it. */
export function tableItems(table: TableDescriptor): OutputItem[] {
  const cells = table.rows.map((row) =>
    table.columns.map(({ key, type, digits }) => {
      const value = row[key];
      return value === null || value === undefined
        ? ''
        : type !== 'text'
          ? formatNumber(Number(value), digits)
          : String(value);
    }),
  );
  const widths = table.columns.map((column, c) =>
    maxOf(
      [column.title.length],
      cells.map((row) => row[c].length),
    ),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, c) => (table.columns[c].type !== 'text' ? cell.padStart(widths[c]) : cell.padEnd(widths[c])))
      .join('  ')
      .trimEnd();
  const lines = [
    line(table.columns.map((c) => c.title)),
    widths.map((w) => '─'.repeat(w)).join('  '),
    ...cells.map(line),
  ];
  const more = (table.totalRows ?? 0) > table.rows.length;
  const cut = more ? `first ${count(table.rows.length)} of ${count(table.totalRows!)} rows` : undefined;
  const text = [table.title, ...lines, cut, table.note].filter((s) => s !== undefined).join('\n');
  return [{ mime: MIME.table, json: asJson(table) }, textItem(text)];
}

/** What a cell of a table may be. */
export type TableRow = Record<string, string | number | boolean | null | undefined>;

/** Rows of plain objects as a table: columns in the order in which their keys first appear; `limit` rows at most. */
export function tableOf(all: readonly TableRow[], title?: string, limit = Infinity): TableDescriptor {
  const rows = all.slice(0, limit);
  const keys = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return {
    version: 1,
    ...(title ? { title } : {}),
    ...(rows.length < all.length ? { totalRows: all.length } : {}),
    columns: keys.map((key) => ({
      key,
      title: key,
      type: rows.every((row) => row[key] === null || row[key] === undefined || typeof row[key] === 'number')
        ? 'number'
        : 'text',
    })),
    rows: rows.map((row) =>
      Object.fromEntries(
        keys.map((key) => [
          key,
          typeof row[key] === 'boolean' ? String(row[key]) : ((row[key] ?? null) as string | number | null),
        ]),
      ),
    ),
  };
}

/** An interval as "−0.31 to 0.36", with the minus sign that the columns of numbers have. */
const intervalText = ({ interval }: SimilarityScore): string =>
  interval && !Number.isNaN(interval.low)
    ? [interval.low, interval.high].map((v) => formatNumber(v, 3).replace(/^-/, '−')).join(' to ')
    : '';

interface ScoreTableOptions {
  more?: readonly string[];
  /** Scores of baselines by kind. */
  baselines?: Readonly<Record<string, readonly SimilarityScore[]>>;
}

/** Scores beside their nulls, and those of baselines under them; `more` are sentences for the note. */
export function scoreTable(
  own: readonly SimilarityScore[],
  title: string,
  { more = [], baselines = {} }: ScoreTableOptions = {},
): OutputItem[] {
  const beside = Object.entries(baselines);
  const all = [['SAE', own] as const, ...beside].flatMap(([of, each]) => each.map((score) => ({ of, score })));
  const scores = all.map(({ score }) => score);
  const level = scores.find((s) => s.interval)?.interval?.level;
  const between = level === undefined ? undefined : `${formatNumber(100 * level)} % interval`;
  // Scores of one metric, such as relations of decoder rows and of means, may warn alike.
  const warnings = new Set(own.filter((s) => s.warning).map((s) => `${s.metric}: ${s.warning}`));
  const column = (key: string, type: 'number' | 'text' = 'number') => ({ key, title: key, type });
  return tableItems({
    version: 1,
    title,
    columns: [
      ...(beside.length > 0 ? [column('of', 'text')] : []),
      column('score', 'text'),
      column('value'),
      ...(between ? [column(between, 'text')] : []),
      column('null mean'),
      column('null std'),
      column('null max'),
      column('p'),
      column('n'),
      column('runs'),
      column('seed'),
      column('variant', 'text'),
    ],
    rows: all.map(({ of, score: s }) => ({
      ...(beside.length > 0 ? { of } : {}),
      score: s.metric,
      value: s.value,
      ...(between ? { [between]: intervalText(s) } : {}),
      'null mean': s.null.mean,
      'null std': s.null.std,
      'null max': s.null.max,
      p: s.p,
      n: s.n,
      runs: s.null.runs,
      seed: s.seed,
      variant: `${s.variant}; null: ${s.null.kind}`,
    })),
    note: ['p = (k + 1)/(R + 1), k = null runs at or above the value', ...more, ...warnings].join('. '),
  });
}

/** Where a spec asks for a URL, such as "data.url"; rows of inline data may have a column of that name. */
function urlIn(spec: Json, path: string): string | undefined {
  if (typeof spec !== 'object' || spec === null) return undefined;
  for (const [key, value] of Object.entries(spec)) {
    const at = path ? `${path}.${key}` : key;
    if (key === 'url') return at;
    const found = key === 'values' || key === 'datasets' ? undefined : urlIn(value as Json, at);
    if (found) return found;
  }
  return undefined;
}

/** Charts side by side go on in the next row where the pane ends: Vega can follow it, Vega-Lite has no words for it. */
function inRows(spec: VegaSpec, { columns, usermeta }: JsonObject): VegaSpec {
  const wide = isJsonObject(usermeta) ? usermeta.columnWidth : undefined;
  if (typeof columns !== 'number' || typeof wide !== 'number' || !isJsonObject(spec.layout as Json)) return spec;
  const fit = `isFinite(containerSize()[0]) ? clamp(floor(containerSize()[0] / ${wide}), 1, ${columns}) : ${columns}`;
  const on = ['window:resize', 'container:resize'].map((events) => ({ events, update: fit }));
  const signals = [...(spec.signals ?? []), { name: 'columnsThatFit', init: fit, on }];
  // Vega would size the picture once; it grows with its rows.
  const autosize = { type: 'pad', resize: true };
  return {
    ...spec,
    autosize,
    signals,
    layout: { ...(spec.layout as object), columns: { signal: 'columnsThatFit' } },
  } as VegaSpec;
}

/**
 * A Vega-Lite spec, compiled here so that the renderer ships Vega alone. Data must be inline: URLs are refused. Typed
 * arrays in the data are taken as arrays.
 */
export function chartItems(spec: object, title?: string): OutputItem[] {
  const vegaLite = asJson(spec) as JsonObject;
  const url = urlIn(vegaLite, '');
  if (url)
    throw new Error(
      `charts take inline data ({ values: [...] }); this spec names a URL at ${url}, which is never loaded`,
    );
  // Vega-Lite itself refuses what is no spec.
  const compiled = inRows(compile(fromPlainJson<TopLevelSpec>(vegaLite)).spec, vegaLite);
  const chart: ChartDescriptor = {
    version: 1,
    ...(title ? { title } : {}),
    spec: asJson(compiled) as JsonObject,
    vegaLite,
  };
  return [{ mime: MIME.chart, json: asJson(chart) }, textItem(title ?? 'Chart')];
}

/** A card in words. */
function cardLines({ side, feature, label, firingRate, alone, examples }: FeatureCard): string[] {
  const rate = `${(100 * firingRate).toFixed(3)} % of tokens`;
  const peaks = 'peaks' in label && label.peaks.length > 0 ? labelTokens(label.peaks) : [];
  return [
    `  ${side} #${feature}: ${labelLine(label) || '(dead)'} — ${rate}`,
    ...(peaks.length > 0 ? [`    highest on ${peaks.join(', ')}`] : []),
    ...(alone && alone.length > 0 ? [`    this one alone: ${alone.join(', ')}`] : []),
    ...examples.map(({ value, tokens, peak }) => {
      const words = tokens.map((t, i) => (i === peak ? ` **${t.trim()}**` : t)).join('');
      return `    ${value.toFixed(2).padStart(7)}  ${words.replace(/\n/g, '↵')}`;
    }),
  ];
}

/** Cards of features, with the same in plain text. */
export function featureItems(cards: FeatureCards): OutputItem[] {
  const lines: string[] = cards.title ? [cards.title] : [];
  if (cards.subject) pushAll(lines, cardLines(cards.subject));
  for (const group of cards.groups) {
    if (group.heading) lines.push('', group.heading);
    if (group.judgement)
      lines.push(`  verdict: ${[group.judgement.verdict, group.judgement.note].filter(Boolean).join(', ')}`);
    if (group.together) lines.push(`  together: ${sharesText(group.together) || 'never'}`);
    if (group.sharedTokens && cards.subject) lines.push(`  shared: ${group.sharedTokens.join(', ') || 'no token'}`);
    if (group.subjectAlone?.length) lines.push(`  #${cards.subject?.feature} alone: ${group.subjectAlone.join(', ')}`);
    for (const card of group.cards) pushAll(lines, cardLines(card));
  }
  return [{ mime: MIME.features, json: asJson(cards) }, textItem(lines.join('\n'))];
}

/** Continuations and next tokens before and after, with the same in plain text. */
export function comparisonItems(comparison: ComparisonDescriptor): OutputItem[] {
  const lines = [comparison.title, comparison.intervention, comparison.note].filter((s) => s !== undefined) as string[];
  for (const row of comparison.rows)
    lines.push('', `prompt  ${row.prompt}`, `before  ${row.before.trim()}`, `after   ${row.after.trim()}`);
  if (comparison.tokens) {
    const logits = comparison.tokens.some((t) => t.logit !== undefined);
    lines.push('', `next token: probability before → after${logits ? ', logit before → after (Δ)' : ''}`);
    for (const { token, before, after, logit } of comparison.tokens) {
      const delta = logit && `${logit.delta < 0 ? '' : '+'}${logit.delta.toFixed(3)}`;
      const raw = logit ? `  ${logit.before.toFixed(3)} → ${logit.after.toFixed(3)} (${delta})` : '';
      lines.push(`  ${JSON.stringify(token).padEnd(16)} ${before.toFixed(4)} → ${after.toFixed(4)}${raw}`);
    }
  }
  return [{ mime: MIME.comparison, json: asJson(comparison) }, textItem(lines.join('\n'))];
}
