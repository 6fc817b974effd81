/** The boxes of a feature page: figures as small charts and lists of tokens and features. */
import type { AboutFeature } from '../../protocol/feature.js';
import { loneToken, shareText } from '../../protocol/tokens.js';
import { el, type Child } from '../ui/dom.js';
import { aligned, correlation, count, number, plural } from '../ui/format.js';

/** A titled box; null without content. */
export function box(title: string, note: string, ...children: Child[]): HTMLElement {
  return el(
    'section',
    { class: 'box', aria: { label: title } },
    el('h3', {}, title, note ? el('span', { class: 'note' }, note) : null),
    ...children,
  );
}

export const none = (text: string): HTMLElement => el('p', { class: 'fg-none' }, text);

/** Firings by activation as bars; the height is the root of the count, so that rare large activations are seen. */
export function histogram({ histogram: bars }: AboutFeature, max: number): HTMLElement {
  const highest = bars.reduce((m, n) => Math.max(m, n), 1);
  const width = max / Math.max(1, bars.length);
  const bar = (n: number, i: number): HTMLElement =>
    el('span', {
      class: 'tower',
      title: `${number(i * width, 3)} to ${number((i + 1) * width, 3)}: ${plural(n, 'firing')}`,
      style: { height: `${n > 0 ? Math.max(3, 100 * Math.sqrt(n / highest)) : 0}%` },
    });
  const total = bars.reduce((sum, n) => sum + n, 0);
  return el(
    'div',
    {},
    el(
      'div',
      {
        class: 'histogram',
        role: 'img',
        aria: { label: `${count(total)} firings, activations up to ${number(max, 3)}` },
      },
      ...bars.map(bar),
    ),
    el(
      'div',
      { class: 'axis' },
      el('span', {}, '0'),
      el('span', {}, 'activation (heights: √ firings)'),
      el('span', {}, aligned(max, 3)),
    ),
  );
}

/** A row of a list: a name, a bar of `share` (0 to 1), and figures. */
function line(name: Child, share: number, figures: string, title = ''): HTMLElement {
  const width = Math.max(0, Math.min(1, Number.isFinite(share) ? share : 0));
  return el(
    'li',
    { class: 'line', title },
    el('span', { class: 'name' }, name),
    el('span', { class: 'track' }, el('span', { class: 'share', style: { width: `${100 * width}%` } })),
    el('span', { class: 'figures' }, figures),
  );
}

const chip = (token: string): HTMLElement => el('span', { class: 'fg-chip' }, loneToken(token));

export function tokenLines({ tokens }: AboutFeature): HTMLElement {
  const rows = tokens.map((t) =>
    line(
      chip(t.token),
      t.share,
      `${shareText(t.share)} · ${count(t.firings)} of ${count(t.occurrences)}`,
      `fires on ${count(t.firings)} of ${count(t.occurrences)} occurrences, mean ${number(t.mean, 3)}`,
    ),
  );
  return el('ul', { class: 'lines' }, ...rows);
}

export function positionLines({ positions }: AboutFeature): HTMLElement {
  const rows = positions.map((p) => line(`position ${count(p.position)}`, p.share, shareText(p.share)));
  return el('ul', { class: 'lines' }, ...rows);
}

/** Logits of tokens; `largest`: the size that fills a bar. */
export function logitLines(tokens: ReadonlyArray<{ token: string; logit: number }>, largest: number): HTMLElement {
  const rows = tokens.map(({ token, logit }) =>
    line(chip(token), Math.abs(logit) / largest, `${logit > 0 ? '+' : ''}${aligned(logit, 3)}`),
  );
  return el('ul', { class: 'lines' }, ...rows);
}

type Name = (feature: number) => HTMLElement;

export function nearestLines(nearest: NonNullable<AboutFeature['nearest']>, name: Name): HTMLElement {
  return el(
    'ul',
    { class: 'lines features' },
    ...nearest.map((n) => line(name(n.feature), n.cosine, correlation(n.cosine))),
  );
}

export function togetherLines({ together }: AboutFeature, name: Name): HTMLElement {
  const rows = together.map((t) =>
    line(
      name(t.feature),
      t.phi,
      `${correlation(t.phi)} · ${count(t.both)} for ${number(t.expected, 2)}`,
      `both fire on ${count(t.both)} tokens; by chance on ${number(t.expected, 3)}`,
    ),
  );
  return el('ul', { class: 'lines features' }, ...rows);
}
