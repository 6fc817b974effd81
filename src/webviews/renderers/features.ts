/** Feature cards and pair cards with their dataset examples. */
import type { FeatureCard, FeatureCards } from '../../protocol/display.js';
import { el } from '../ui/dom.js';
import { exampleList, labelChips, peaksLine, togetherText } from '../ui/examples.js';
import { correlation, percent, plural } from '../ui/format.js';

export const FEATURES_CSS = `
.fg-cards { display: grid; gap: 12px; }
.fg-group { border: 1px solid var(--fg-border); border-radius: 4px; padding: 8px 12px 10px; background: var(--fg-surface); min-width: 0; }
.fg-group > .heading { display: flex; flex-wrap: wrap; gap: 4px 12px; align-items: baseline; margin-bottom: 6px; }
.fg-group .heading strong { color: var(--fg-strong); }
.fg-group .heading .r { font-variant-numeric: tabular-nums; font-weight: 700; color: var(--fg-strong); }
.fg-group .heading .same { color: var(--fg-hit); }
.fg-group .heading .verdict { border: 1px solid var(--fg-border); border-radius: 3px; padding: 0 6px; color: var(--fg-strong); overflow-wrap: anywhere; }
.fg-group .heading .together { color: var(--fg-text); }
.fg-group .cards { display: grid; gap: 12px 24px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 320px), 1fr)); }
.fg-card { min-width: 0; }
.fg-card h4 { margin: 0 0 4px; font-size: 1em; font-weight: 600; color: var(--fg-strong); overflow-wrap: break-word; }
.fg-card h4 .side { color: var(--fg-muted); font-weight: 400; margin-left: 8px; }
.fg-card .stats { margin: 4px 0 0; color: var(--fg-muted); font-size: 0.92em; font-variant-numeric: tabular-nums; }
`;

function card(feature: FeatureCard, shared: ReadonlySet<string>): HTMLElement {
  return el(
    'article',
    { class: 'fg-card', aria: { label: `${feature.side}, feature ${feature.feature}` } },
    el('h4', {}, `#${feature.feature}`, el('span', { class: 'side' }, feature.side)),
    labelChips(feature.label, shared),
    peaksLine(feature.label),
    el(
      'p',
      { class: 'stats' },
      feature.firings === 0
        ? 'dead: never fired'
        : `fires on ${percent(feature.firingRate)} of tokens · ${plural(feature.firings, 'firing')}`,
    ),
    feature.alone && feature.alone.length > 0
      ? el('p', { class: 'stats alone' }, `this one alone: ${feature.alone.join(', ')}`)
      : null,
    exampleList(feature.examples),
  );
}

export function renderFeatures(descriptor: FeatureCards): HTMLElement {
  const groups = descriptor.groups.map((group) => {
    const shared = new Set((group.sharedTokens ?? []).map((t) => t.trim().toLowerCase()));
    const heading =
      group.heading !== undefined || group.r !== undefined || shared.size > 0
        ? el(
            'div',
            { class: 'heading' },
            group.heading !== undefined ? el('strong', {}, group.heading) : null,
            group.r !== undefined ? el('span', { class: 'r' }, `r ${correlation(group.r)}`) : null,
            shared.size > 0 ? el('span', { class: 'same' }, plural(shared.size, 'shared token')) : null,
            group.judgement
              ? el(
                  'span',
                  { class: 'verdict' },
                  `${group.judgement.verdict}${group.judgement.note ? `: ${group.judgement.note}` : ''}`,
                )
              : null,
            group.together ? el('span', { class: 'together' }, togetherText(group.together)) : null,
          )
        : null;
    return el(
      'div',
      { class: 'fg-group' },
      heading,
      el('div', { class: 'cards' }, ...group.cards.map((c) => card(c, shared))),
    );
  });
  return el(
    'section',
    { class: 'fg-cards', aria: { label: descriptor.title ?? 'Features' } },
    descriptor.title ? el('p', { class: 'fg-title' }, descriptor.title) : null,
    ...(groups.length > 0 ? groups : [el('p', { class: 'fg-none' }, 'No feature to show.')]),
  );
}
