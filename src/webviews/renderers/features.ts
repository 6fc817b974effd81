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
.fg-cards:has(> .beside) { container-type: inline-size; }
.fg-cards .beside { display: grid; gap: 12px; align-items: start; }
.fg-cards .subject { border-width: 2px; }
@container (min-width: 660px) {
  .fg-cards .beside { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }
  .fg-cards .subject { position: sticky; top: 12px; }
}
.fg-group .likeness { margin: 0 0 6px; color: var(--fg-text); overflow-wrap: anywhere; }
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

function heading(group: Group, shared: ReadonlySet<string>): HTMLElement | null {
  const { heading: name, r, measure = 'r', judgement, together } = group;
  if (name === undefined && r === undefined && shared.size === 0) return null;
  const { verdict, note } = judgement ?? {};
  return el(
    'div',
    { class: 'heading' },
    name === undefined ? null : el('strong', {}, name),
    r === undefined ? null : el('span', { class: 'r' }, `${measure} ${correlation(r)}`),
    shared.size > 0 ? el('span', { class: 'same' }, plural(shared.size, 'shared token')) : null,
    verdict ? el('span', { class: 'verdict' }, `verdict: ${verdict}${note ? `, ${note}` : ''}`) : null,
    together ? el('span', { class: 'together' }, togetherText(together)) : null,
  );
}

type Group = FeatureCards['groups'][number];

const sharedOf = ({ sharedTokens = [] }: Group): Set<string> =>
  new Set(sharedTokens.map((t) => t.trim().toLowerCase()));

/** What a counterpart shares with the feature that it stands beside, and what that one has alone. */
function likeness({ sharedTokens = [], subjectAlone = [] }: Group, subject: FeatureCard): HTMLElement {
  const parts = [
    `both: ${sharedTokens.join(', ') || 'no token'}`,
    ...(subjectAlone.length > 0 ? [`#${subject.feature} alone: ${subjectAlone.join(', ')}`] : []),
  ];
  return el('p', { class: 'likeness' }, parts.join(' · '));
}

export function renderFeatures({ title, subject, groups }: FeatureCards): HTMLElement {
  const shown = groups.map((group) => {
    const shared = sharedOf(group);
    const name = group.heading ?? group.cards.map(({ side, feature }) => `${side} #${feature}`).join(' ↔ ');
    return el(
      'div',
      { class: 'fg-group', role: 'group', aria: { label: name } },
      heading(group, shared),
      subject ? likeness(group, subject) : null,
      el('div', { class: 'cards' }, ...group.cards.map((c) => card(c, shared))),
    );
  });
  const shared = new Set(groups.flatMap((group) => [...sharedOf(group)]));
  return el(
    'section',
    { class: 'fg-cards', aria: { label: title ?? 'Features' } },
    title ? el('p', { class: 'fg-title' }, title) : null,
    ...(groups.length === 0
      ? [el('p', { class: 'fg-none' }, 'No feature to show.')]
      : subject
        ? [el('div', { class: 'beside' }, el('div', { class: 'fg-group subject' }, card(subject, shared)), el('div', { class: 'fg-cards' }, ...shown))] // prettier-ignore
        : shown),
  );
}
