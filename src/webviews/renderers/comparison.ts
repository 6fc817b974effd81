/** Texts before and after an intervention, differing words marked, and the next-token probabilities that moved. */
import type { ComparisonDescriptor } from '../../protocol/display.js';
import { el } from '../ui/dom.js';
import { aligned, percent, visibleToken } from '../ui/format.js';
import { difference, type Piece } from '../ui/difference.js';

export const COMPARISON_CSS = `
.fg-comparison .what { font-family: var(--fg-mono); font-size: 0.95em; background: var(--fg-code-bg); padding: 3px 8px; border-radius: 3px; display: inline-block; margin: 0 0 8px; white-space: pre-wrap; overflow-wrap: anywhere; }
.fg-comparison .row { border: 1px solid var(--fg-border); border-radius: 4px; margin-bottom: 8px; background: var(--fg-surface); }
.fg-comparison .prompt { margin: 0; padding: 6px 12px; border-bottom: 1px solid var(--fg-border); white-space: pre-wrap; }
.fg-comparison .tag { color: var(--fg-muted); font-size: 0.88em; display: block; margin-bottom: 2px; }
.fg-comparison .texts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); }
.fg-comparison .texts > div { padding: 6px 12px 8px; white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.55; color: var(--fg-strong); }
.fg-comparison del { text-decoration: line-through; text-decoration-color: var(--fg-removed); background: color-mix(in srgb, var(--fg-removed) 18%, transparent); border-radius: 2px; }
.fg-comparison ins { text-decoration: underline; text-decoration-color: var(--fg-added); text-decoration-thickness: 2px; text-underline-offset: 3px; background: color-mix(in srgb, var(--fg-added) 20%, transparent); border-radius: 2px; }
.fg-comparison .tokens { display: grid; grid-template-columns: minmax(4em, max-content) minmax(60px, 320px) repeat(var(--columns), max-content); gap: 4px 14px; overflow-x: auto; align-items: center; margin-top: 10px; font-variant-numeric: tabular-nums; width: fit-content; max-width: 100%; }
.fg-comparison .tokens [role='row'] { display: contents; }
.fg-comparison .tokens [role='columnheader'] { color: var(--fg-muted); font-size: 0.88em; }
.fg-comparison .tokens .name { white-space: pre; font-weight: 600; color: var(--fg-strong); overflow: hidden; text-overflow: ellipsis; max-width: 14em; }
.fg-comparison .bars { display: grid; gap: 2px; }
.fg-comparison .bar { height: 7px; border-radius: 2px; min-width: 1px; }
.fg-comparison .bar.before { border: 1.5px solid var(--fg-muted); }
.fg-comparison .bar.after { background: var(--fg-a); border: 1.5px solid var(--fg-a); }
.fg-comparison .delta { text-align: right; }
.fg-comparison .key { display: inline-flex; gap: 6px; align-items: center; margin-right: 14px; }
.fg-comparison .key .bar { width: 22px; }
.fg-comparison .note { color: var(--fg-muted); margin: 8px 0 0; }
`;

function pieces(list: Piece[]): HTMLElement[] {
  return list.map((p) => el(p.kind === 'removed' ? 'del' : p.kind === 'added' ? 'ins' : 'span', {}, p.text));
}

function signedPoints(delta: number): string {
  const text = (Math.abs(delta) * 100).toPrecision(2);
  return `${delta < 0 ? '−' : '+'}${Number(text)} points`;
}

function signed(delta: number): string {
  return delta < 0 ? aligned(delta, 3) : `+${aligned(delta, 3)}`;
}

type NextToken = NonNullable<ComparisonDescriptor['tokens']>[number];

function tokenCells(t: NextToken, withLogits: boolean): HTMLElement[] {
  const cell = (text: string, more: object = {}): HTMLElement => el('span', { role: 'cell', ...more }, text);
  const { logit } = t;
  return [
    cell(`${percent(t.before)} → ${percent(t.after)}`),
    cell(signedPoints(t.after - t.before), { class: 'delta' }),
    ...(withLogits ? [cell(logit ? `${aligned(logit.before, 3)} → ${aligned(logit.after, 3)}` : '–')] : []),
    ...(withLogits ? [cell(logit ? signed(logit.delta) : '–', { class: 'delta' })] : []),
  ];
}

function tokenBars(tokens: NextToken[]): HTMLElement {
  const top = tokens.reduce((m, t) => Math.max(m, t.before, t.after), 0) || 1;
  const width = (p: number) => ({ width: `${(100 * p) / top}%` });
  const withLogits = tokens.some((t) => t.logit !== undefined);
  const headers = ['next token', '', 'probability', 'Δ', ...(withLogits ? ['logit', 'Δ logit'] : [])];
  return el(
    'div',
    {
      ...{ class: 'tokens', role: 'table', style: { '--columns': String(headers.length - 2) } },
      aria: { label: `Next-token probabilities${withLogits ? ' and logits' : ''}` },
    },
    el(
      'div',
      { role: 'row' },
      ...headers.map((text) =>
        el('span', { role: 'columnheader', class: text.startsWith('Δ') ? 'delta' : undefined }, text),
      ),
    ),
    ...tokens.map((t) =>
      el(
        'div',
        { role: 'row' },
        el(
          'span',
          { role: 'rowheader', class: 'name', title: visibleToken(t.token) },
          visibleToken(t.token).replace(/^ /, '␣'),
        ),
        el(
          'div',
          { class: 'bars', role: 'cell', aria: { hidden: 'true' } },
          el('div', { class: 'bar before', style: width(t.before) }),
          el('div', { class: 'bar after', style: width(t.after) }),
        ),
        ...tokenCells(t, withLogits),
      ),
    ),
  );
}

export function renderComparison(descriptor: ComparisonDescriptor): HTMLElement {
  const rows = descriptor.rows.map((row) => {
    // A continuation begins with the space after its prompt, which would stand as an empty mark at the start of the line.
    const parts = difference(row.before.trimStart(), row.after.trimStart());
    return el(
      'div',
      { class: 'row' },
      el('p', { class: 'prompt' }, el('span', { class: 'tag' }, 'prompt'), row.prompt),
      el(
        'div',
        { class: 'texts' },
        el('div', {}, el('span', { class: 'tag' }, 'before'), ...pieces(parts.before)),
        el(
          'div',
          {},
          el('span', { class: 'tag' }, row.before === row.after ? 'after: unchanged' : 'after'),
          ...pieces(parts.after),
        ),
      ),
    );
  });
  const { tokens } = descriptor;
  return el(
    'section',
    { class: 'fg-comparison', aria: { label: descriptor.title ?? 'Before and after an intervention' } },
    descriptor.title ? el('p', { class: 'fg-title' }, descriptor.title) : null,
    el('p', { class: 'what' }, descriptor.intervention),
    ...rows,
    tokens?.length
      ? el(
          'div',
          {},
          el('span', { class: 'key' }, el('span', { class: 'bar before' }), 'before'),
          el('span', { class: 'key' }, el('span', { class: 'bar after' }), 'after'),
          tokenBars(tokens),
        )
      : null,
    descriptor.note ? el('p', { class: 'note' }, descriptor.note) : null,
  );
}
