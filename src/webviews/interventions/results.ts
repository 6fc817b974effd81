/** What an intervention did: tokens, texts, tables, and the same in model B. */
import type {
  InterventionsMeta,
  InterventionPositions,
  InterventionsRun,
  InterventionsSnapshot,
} from '../../protocol/interventions.js';
import { maxOf } from '../../protocol/lists.js';
import { el, fill } from '../ui/dom.js';
import { number } from '../ui/format.js';
import { chips, continuation, featureTable, nextTable } from './parts.js';

/** The prompt's tokens before and after; the row before has buttons that choose tokens. */
export function drawTokens(
  box: HTMLElement,
  run: InterventionsRun,
  { result, card }: InterventionsSnapshot,
  positions: InterventionPositions,
  on: { toggle(index: number): void; disabled: boolean },
): void {
  const max = maxOf([card.feature === run.feature ? (card.max ?? 0) : 0], run.before, run.after);
  const chosen = new Set(typeof positions === 'string' ? [] : positions);
  const focused = (box.getRootNode() as Document | ShadowRoot).activeElement;
  const back = focused instanceof HTMLElement && box.contains(focused) ? focused.dataset.token : undefined;
  const common = { tokens: result.tokens, max };
  const before = chips({
    ...common,
    label: `Activation of feature ${run.feature} before; buttons choose tokens`,
    values: run.before,
    other: { name: 'after', values: run.after },
    chosen,
    onToggle: (index) => on.toggle(index),
    disabled: on.disabled,
  });
  const after = chips({
    ...common,
    label: `Activation of feature ${run.feature} after`,
    values: run.after,
    other: { name: 'before', values: run.before },
  });
  const tag = (text: string): HTMLElement => el('span', { class: 'tag' }, text);
  fill(
    box,
    el('div', { class: 'rows' }, tag('before'), before, tag('after'), after),
    el(
      'span',
      { class: 'scale' },
      `activation of #${run.feature}`,
      el('span', {}, '0'),
      el('span', { class: 'ramp', aria: { hidden: 'true' } }),
      number(max, 3),
    ),
  );
  if (back !== undefined) box.querySelector<HTMLElement>(`[data-token="${back}"]`)?.focus();
}

export function drawTexts(box: HTMLElement, { generation }: InterventionsSnapshot): void {
  const { prompt, before } = generation;
  const after = generation.after.at(-1) ?? before;
  fill(
    box,
    continuation('before', prompt, before, after, 'before'),
    continuation('after', prompt, before, after, 'after'),
  );
}

export function drawTables(
  box: HTMLElement,
  run: InterventionsRun,
  meta: InterventionsMeta,
  pick?: (feature: number) => void,
): void {
  fill(
    box,
    el('div', { class: 'tables' }, nextTable(run), featureTable(run, meta, pick)),
    el('p', { class: 'note' }, `KL(before ‖ after) of the next token: ${number(run.kl, 3)} nats · ${run.description}`),
  );
}

/** The counterpart in model B; hidden where there is no model B. */
export function drawSecond(box: HTMLElement, { second }: InterventionsRun, meta: InterventionsMeta): void {
  box.hidden = !second;
  if (!second) return;
  const heading = el('h3', {}, `Model B: ${meta.second?.model.name ?? ''}`);
  if ('missing' in second) return void fill(box, heading, el('p', { class: 'fg-none' }, second.missing));
  const { effect, tokens, r } = second;
  const max = maxOf(effect.before, effect.after);
  const tag = (text: string): HTMLElement => el('span', { class: 'tag' }, text);
  fill(
    box,
    heading,
    el(
      'p',
      { class: 'note' },
      `the same on its counterpart #${effect.feature}, r ${number(r, 2)} · KL ${number(effect.kl, 3)} nats`,
    ),
    el(
      'div',
      { class: 'rows' },
      tag('before'),
      chips({ label: 'Model B before', tokens, values: effect.before, max }),
      tag('after'),
      chips({ label: 'Model B after', tokens, values: effect.after, max }),
    ),
    nextTable(effect),
  );
}
