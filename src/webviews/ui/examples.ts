/** Dataset examples of a feature: tokens with activation as background intensity and the peak token marked. */
import type { ExampleBand, FeatureExample } from '../../protocol/bundle.js';
import {
  labelTokens,
  loneToken,
  shareText,
  sharesText,
  type PointLabel,
  type TokenShare,
} from '../../protocol/tokens.js';
import { el } from './dom.js';
import { aligned, number, plural, visibleToken } from './format.js';

export const EXAMPLE_CSS = `
.fg-examples { list-style: none; margin: 4px 0 0; padding: 0; display: grid; gap: 2px; }
.fg-example { display: grid; grid-template-columns: 3.6em 1fr; gap: 8px; align-items: baseline; }
.fg-example .value { color: var(--fg-muted); font-variant-numeric: tabular-nums; text-align: right; font-size: 0.9em; }
.fg-example .text { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.5; color: var(--fg-strong); }
.fg-example .token { border-radius: 2px; padding: 1px 0; }
.fg-example .peak { font-weight: 700; text-decoration: underline; text-decoration-thickness: 2px; text-underline-offset: 3px; text-decoration-color: var(--fg-hover); }
.fg-root[data-theme^="hc"] .fg-example .peak { outline: 1px solid var(--fg-border); }
@media (forced-colors: active) { .fg-example .token { forced-color-adjust: none; color: CanvasText; } }
.fg-none { color: var(--fg-muted); font-style: italic; margin: 4px 0 0; }
.fg-label { display: inline-flex; flex-wrap: wrap; gap: 4px; }
.fg-chip { background: var(--fg-code-bg); border: 1px solid var(--fg-border); border-radius: 3px; padding: 0 5px; color: var(--fg-strong); white-space: pre; font-size: 0.95em; max-width: 22em; overflow: hidden; text-overflow: ellipsis; }
.fg-chip .share { color: var(--fg-muted); font-variant-numeric: tabular-nums; margin-left: 5px; }
.fg-peaks { color: var(--fg-muted); font-size: 0.92em; margin: 3px 0 0; overflow-wrap: anywhere; }
.fg-band { color: var(--fg-muted); font-size: 0.9em; margin-top: 5px; font-variant-numeric: tabular-nums; }
.fg-chip.shared { border-color: var(--fg-hit); border-style: dashed; }
`;

/** Background of a token at `value` of the feature's largest activation `max`: none at 0, at most 75 % opaque. */
export function heat(value: number, max: number): string {
  if (!(value > 0) || !(max > 0)) return 'transparent';
  const share = Math.round(15 + 60 * Math.min(1, value / max));
  return `color-mix(in srgb, var(--fg-heat) ${share}%, transparent)`;
}

/** The largest activations, `top` at most, and unless `bands` is false those that were drawn from bands of activations. */
export function exampleList(examples: readonly FeatureExample[], top = Infinity, bands = true): HTMLElement {
  if (examples.length === 0)
    return el('p', { class: 'fg-none' }, 'No dataset example: the feature fired on no token of the sample.');
  const max = examples.reduce((m, e) => Math.max(m, e.value), 0);
  const highest = examples.filter((e) => !e.band).slice(0, top);
  const drawn = bands ? examples.filter((e) => e.band) : [];
  const rows = drawn.flatMap((e, i) =>
    sameBand(e, drawn[i - 1]) ? [exampleRow(e, max)] : [bandRow(e.band!), exampleRow(e, max)],
  );
  return el('ul', { class: 'fg-examples' }, ...highest.map((e) => exampleRow(e, max)), ...rows);
}

const sameBand = ({ band }: FeatureExample, other: FeatureExample | undefined): boolean =>
  band?.from === other?.band?.from && band?.to === other?.band?.to;

function bandRow({ from, to, firings }: ExampleBand): HTMLElement {
  const text = `drawn from ${aligned(from, 3)} to ${aligned(to, 3)} · ${plural(firings, 'firing')}`;
  return el('li', { class: 'fg-band' }, text);
}

/** One example; its tokens are shaded against the feature's largest activation `max`. */
export function exampleRow(example: FeatureExample, max: number): HTMLElement {
  const tokens = example.tokens.map((token, i) => {
    const value = example.activations[i] ?? 0;
    const peak = i === example.peak;
    return el(
      peak ? 'strong' : 'span',
      {
        class: peak ? 'token peak' : 'token',
        title: `${number(value, 3)}`,
        style: { 'background-color': heat(value, max) },
      },
      // The space before the first token would indent the line.
      visibleToken(i === 0 ? token.replace(/^ +(?=.)/s, '') : token),
    );
  });
  return el(
    'li',
    { class: 'fg-example' },
    el(
      'span',
      { class: 'value', title: `sequence ${example.sequence}, position ${example.position}` },
      aligned(example.value, 3),
    ),
    el('span', { class: 'text' }, ...tokens),
  );
}

/**
 * A label as chips, each with its share where it has one; those in `shared` (trimmed, lower case) are marked as common to
 * both features.
 */
export function labelChips(label: PointLabel, shared?: ReadonlySet<string>): HTMLElement {
  const both = new Set([...(shared ?? [])].map((token) => loneToken(token).toLowerCase()));
  const chip = (text: string, share?: number): HTMLElement => {
    const common = both.has(text.toLowerCase());
    const means = share === undefined ? text : `${shareText(share)} of the activation mass lies on ${text}`;
    return el(
      'span',
      { class: common ? 'fg-chip shared' : 'fg-chip', title: common ? `${means}; in both labels` : means },
      text,
      share === undefined ? null : el('span', { class: 'share' }, shareText(share)),
    );
  };
  const chips =
    'tokens' in label
      ? label.tokens.map(({ token, share }) => chip(loneToken(token), share))
      : labelTokens(label).map((text) => chip(text));
  if (chips.length === 0) chips.push(el('span', { class: 'fg-none' }, 'no label'));
  return el('span', { class: 'fg-label' }, ...chips);
}

/** The tokens of the highest activations, where they are known besides the label. */
export function peaksLine(label: PointLabel): HTMLElement | null {
  if (!('tokens' in label) || label.peaks.length === 0) return null;
  return el('p', { class: 'fg-peaks' }, `highest on ${labelTokens(label.peaks).join(', ')}`);
}

/** What a pair does together, in words. */
export function togetherText(together: readonly TokenShare[]): string {
  return together.length === 0 ? 'never fire together' : `fire together on ${sharesText(together)}`;
}
