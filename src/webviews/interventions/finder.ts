/** Finds a feature: a search box with its list, and the card of the one that is chosen. */
import type { InterventionsCard, InterventionsHit, InterventionsMeta } from '../../protocol/interventions.js';
import { loneToken } from '../../protocol/tokens.js';
import { el, fill } from '../ui/dom.js';
import { exampleList, labelChips } from '../ui/examples.js';
import { labelLine, number, percent } from '../ui/format.js';
import { textField } from '../ui/toolkit.js';

export interface Finder {
  element: HTMLElement;
  query(): string;
  update(hits: readonly InterventionsHit[], card: InterventionsCard, disabled: boolean): void;
}

const EXAMPLES = 5;

export function createFinder(
  meta: InterventionsMeta,
  on: { search(text: string): void; choose(feature: number): void },
): Finder {
  const list = el('ul', { class: 'hits', role: 'listbox', tabIndex: 0, aria: { label: 'Features found' } });
  const cardBox = el('div', { class: 'card', aria: { live: 'polite' } });
  const placeholder = meta.examples ? 'Find a feature: a word or an id' : 'Find a feature by its id';
  const box = textField({ label: 'Find a feature', placeholder, onInput: (text) => on.search(text) });
  box.element.style.width = '100%';
  const caption = el('p', { class: 'note' });
  let shown: readonly InterventionsHit[] = [];
  let chosen = -1;
  let off = false;
  const move = (step: number): void => {
    const at = shown.findIndex((hit) => hit.feature === chosen);
    const next = shown[Math.min(shown.length - 1, Math.max(0, at + step))];
    if (next && !off) on.choose(next.feature);
  };
  const keys = (event: KeyboardEvent): void => {
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') {
      if (event.key === 'Enter' && event.currentTarget === box.element && shown[0] && !off) on.choose(shown[0].feature);
      return;
    }
    event.preventDefault();
    move(event.key === 'ArrowDown' ? 1 : -1);
  };
  list.addEventListener('keydown', keys);
  box.element.addEventListener('keydown', keys);

  return {
    element: el(
      'section',
      { class: 'box finder', aria: { label: 'Feature' } },
      el('h3', {}, 'Feature'),
      box.element,
      caption,
      list,
      cardBox,
    ),
    query: () => box.value,
    update(hits, card, disabled) {
      off = disabled;
      box.element.toggleAttribute('disabled', disabled);
      const scrolled = list.scrollTop;
      const fresh = hits !== shown;
      shown = hits;
      chosen = card.feature;
      fill(list, ...hits.map((hit) => hitRow(hit, hit.feature === chosen, meta, () => !off && on.choose(hit.feature))));
      list.scrollTop = fresh ? 0 : scrolled;
      list.hidden = hits.length === 0;
      const found = box.value.trim() === '' ? 'Most active on the prompt' : `${hits.length} found`;
      caption.textContent = hits.length === 0 && box.value.trim() !== '' ? 'No feature has this word or id.' : found;
      fill(cardBox, ...cardOf(card, meta));
    },
  };
}

function cardOf(card: InterventionsCard, meta: InterventionsMeta): HTMLElement[] {
  const facts = [
    card.firingRate === null ? null : `fires on ${percent(card.firingRate)} of tokens`,
    card.max === null ? 'does not fire' : `largest activation ${number(card.max, 3)}`,
    card.here > 0 ? `${number(card.here, 3)} on this prompt` : 'silent on this prompt',
    card.counterpart && meta.second
      ? `counterpart in B: #${card.counterpart.feature}, r ${number(card.counterpart.r, 2)}`
      : null,
    card.counterpart === null ? 'no counterpart in B' : null,
  ];
  const promotes = card.promotes.map(loneToken).join(', ');
  return [
    el('p', { class: 'name' }, el('span', { class: 'number' }, `#${card.feature}`), labelChips(card.label)),
    el('p', { class: 'facts' }, facts.filter((f) => f !== null).join(' · ')),
    ...(promotes ? [el('p', { class: 'facts' }, `promotes ${promotes}`)] : []),
    ...(meta.examples ? [exampleList(card.examples, EXAMPLES)] : []),
  ];
}

function hitRow(hit: InterventionsHit, chosen: boolean, meta: InterventionsMeta, choose: () => void): HTMLElement {
  const rate = hit.firingRate === null ? '' : percent(hit.firingRate);
  const here = hit.here > 0 ? `${number(hit.here, 3)} here` : '';
  const words = labelLine(hit.label) || (meta.examples ? '(dead in the text)' : '');
  return el(
    'li',
    {
      class: 'hit',
      role: 'option',
      aria: { selected: String(chosen) },
      data: { feature: String(hit.feature) },
      on: { click: choose },
    },
    el('span', { class: 'id' }, `#${hit.feature}`),
    el('span', { class: 'words', title: words }, words),
    el('span', { class: 'rate' }, [here, rate].filter(Boolean).join(' · ')),
  );
}
