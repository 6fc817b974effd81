/** Tables, feature cards and comparisons as plain HTML, for viewers without our renderer. Everything in them is escaped. */
import type { ComparisonDescriptor, FeatureCard, FeatureCards, TableDescriptor } from '../../protocol/display.js';
import type { FeatureExample } from '../../protocol/bundle.js';
import { labelLine } from '../../protocol/tokens.js';
import { escapeHtml } from '../../protocol/webview.js';
import { count, formatNumber } from '../present/items.js';
import { own } from './jupyter.js';

/** Cells of one table: the whole of a longer one is in our own output beside it. */
const MAX_CELLS = 20_000;

const text = (value: unknown): string => escapeHtml(String(value));
const element = (tag: string, content: string, style = ''): string =>
  `<${tag}${style && ` style="${style}"`}>${content}</${tag}>`;
const paragraph = (content: string | undefined): string => (content ? `${element('p', content)}\n` : '');
const RIGHT = 'text-align: right';
const LEFT = 'text-align: left';

function grid(head: readonly string[], rows: readonly string[][], rightAligned: (column: number) => boolean): string {
  const side = (c: number): string => (rightAligned(c) ? RIGHT : LEFT);
  const line = (tag: string, cells: readonly string[]): string =>
    element('tr', cells.map((cell, c) => element(tag, cell, side(c))).join(''));
  const body = rows.map((row) => `    ${line('td', row)}\n`).join('');
  return `<table>\n  <thead>\n    ${line('th', head)}\n  </thead>\n  <tbody>\n${body}  </tbody>\n</table>\n`;
}

export function tableHtml({ title, columns, rows, totalRows, note }: TableDescriptor): string {
  const shown = rows.slice(0, Math.max(1, Math.floor(MAX_CELLS / Math.max(1, columns.length))));
  const cells = shown.map((row) =>
    columns.map(({ key, type, digits }) => {
      const value = own(row, key);
      if (value === null || value === undefined) return '–';
      return text(type !== 'text' ? formatNumber(Number(value), digits) : value);
    }),
  );
  const all = Math.max(totalRows ?? 0, rows.length);
  const cut = shown.length < all ? `first ${count(shown.length)} of ${count(all)} rows` : undefined;
  return (
    paragraph(title && element('strong', text(title))) +
    grid(
      columns.map((column) => text(column.title)),
      cells,
      (c) => columns[c].type !== 'text',
    ) +
    paragraph([cut, note && text(note)].filter((part) => part).join('. '))
  );
}

function exampleHtml({ value, tokens, peak }: FeatureExample): string {
  const words = tokens.map((token, i) => (i === peak ? element('strong', text(token)) : text(token))).join('');
  return element('li', `<code>${text(formatNumber(value, 3))}</code> ${words.replace(/\n/g, '↵')}`);
}

function cardHtml({ side, feature, label, firingRate, firings, examples }: FeatureCard): string {
  const words = labelLine(label);
  const rate =
    firings === 0
      ? 'dead: never fired'
      : `fires on ${formatNumber(100 * firingRate, 3)} % of tokens, ${count(firings)} times`;
  return (
    `${element('p', `${element('strong', `#${text(feature)}`)} ${text(side)}${words && `: ${text(words)}`} (${rate})`)}\n` +
    element('ul', examples.map(exampleHtml).join('\n')) +
    '\n'
  );
}

export function featuresHtml({ title, subject, groups }: FeatureCards): string {
  return (
    paragraph(title && element('strong', text(title))) +
    (subject ? cardHtml(subject) : '') +
    groups
      .map(({ heading, r, measure = 'r', cards }) => {
        const words = [heading && text(heading), r === undefined ? '' : `${text(measure)} ${text(formatNumber(r, 3))}`];
        return paragraph(words.filter((word) => word).join(' · ')) + cards.map(cardHtml).join('');
      })
      .join('<hr>\n')
  );
}

export function comparisonHtml({ title, intervention, rows, tokens = [], note }: ComparisonDescriptor): string {
  const percent = (p: number): string => `${formatNumber(100 * p, 3)} %`;
  const logits = tokens.some(({ logit }) => logit !== undefined);
  const head = ['next token', 'before', 'after', ...(logits ? ['logit before', 'logit after', 'Δ logit'] : [])];
  const moved = tokens.map(({ token, before, after, logit }) => [
    `<code>${text(JSON.stringify(token))}</code>`,
    text(percent(before)),
    text(percent(after)),
    ...(logits
      ? [logit?.before, logit?.after, logit?.delta].map((v) => (v === undefined ? '–' : text(formatNumber(v))))
      : []),
  ]);
  return (
    paragraph(title && element('strong', text(title))) +
    element('p', `<code>${text(intervention)}</code>`) +
    '\n' +
    grid(
      ['prompt', 'before', 'after'],
      rows.map(({ prompt, before, after }) => [prompt, before, after].map(text)),
      () => false,
    ) +
    (moved.length > 0 ? grid(head, moved, (c) => c > 0) : '') +
    paragraph(note && text(note))
  );
}
