/** Pinned interventions and the current one, side by side. */
import type { InterventionsMeta, InterventionsSnapshot } from '../../protocol/interventions.js';
import { maxOf } from '../../protocol/lists.js';
import { el, fill, icon } from '../ui/dom.js';
import { number, percent } from '../ui/format.js';
import { button } from '../ui/toolkit.js';
import type { InterventionsAction } from './model.js';
import { chips, continuation, nextToken } from './parts.js';

const MOVED = 5;

/** Inputs that a newer drawing took the place of: losing the focus by that is not the end of typing. */
const replaced = new WeakSet<HTMLInputElement>();

const names = (box: HTMLElement): HTMLInputElement[] => [...box.querySelectorAll<HTMLInputElement>('.title input')];

/** Draws `content` into `box`; a name that is being typed keeps its text, caret and focus. */
function fillAround(box: HTMLElement, ...content: Node[]): void {
  const { activeElement } = box.getRootNode() as Document | ShadowRoot;
  const before = names(box);
  const typed = before.find((input) => input === activeElement);
  for (const input of before) replaced.add(input);
  fill(box, ...content);
  const input = typed && names(box)[before.indexOf(typed)];
  if (!input) return;
  input.value = typed.value;
  input.focus();
  input.setSelectionRange(typed.selectionStart, typed.selectionEnd);
}

function title(
  snapshot: InterventionsSnapshot,
  index: number,
  disabled: boolean,
  send: (action: InterventionsAction) => void,
): HTMLElement {
  const pin = snapshot.setting.pins[index];
  if (!pin) return el('div', { class: 'title' }, el('strong', {}, 'Current'));
  const input = el('input', { aria: { label: `Name of pinned intervention ${index + 1}` }, title: 'Rename' });
  Object.assign(input, { type: 'text', value: pin.name, disabled });
  const rename = (): void => {
    if (!replaced.has(input) && input.value !== pin.name) send({ type: 'rename', index, name: input.value });
  };
  input.addEventListener('blur', rename);
  input.addEventListener('keydown', ({ key }) => {
    if (key === 'Escape') input.value = pin.name;
    if (key === 'Enter') rename();
  });
  const buttons = [
    button({
      label: 'Make current',
      content: icon('target'),
      appearance: 'icon',
      onClick: () => send({ type: 'use', index }),
    }),
    button({
      label: 'Remove',
      content: icon('close'),
      appearance: 'icon',
      onClick: () => send({ type: 'unpin', index }),
    }),
  ];
  for (const { element } of buttons) element.toggleAttribute('disabled', disabled);
  return el('div', { class: 'title' }, input, ...buttons.map((b) => b.element));
}

/** Draws into `box`, which is hidden without pins. */
export function drawPins(
  box: HTMLElement,
  meta: InterventionsMeta,
  snapshot: InterventionsSnapshot,
  disabled: boolean,
  send: (action: InterventionsAction) => void,
): void {
  const { setting, result, generation } = snapshot;
  box.hidden = setting.pins.length === 0;
  if (box.hidden) return void fill(box);
  const max = result.runs.reduce((m, run) => maxOf([m], run.before, run.after), 0);
  const cards = result.runs.map((run, i) => {
    const isCurrent = i === result.runs.length - 1;
    const after = generation.after[i];
    const moved = run.next
      .slice(0, MOVED)
      .flatMap((t) => [
        el('span', {}, nextToken(t.token)),
        el('span', {}, `${percent(t.before)} → ${percent(t.after)}`),
      ]);
    return el(
      'article',
      {
        class: isCurrent ? 'pin current' : 'pin',
        aria: { label: isCurrent ? 'Current intervention' : setting.pins[i]?.name },
      },
      title(snapshot, isCurrent ? -1 : i, disabled, send),
      el('span', { class: 'what' }, `${run.description.replace(` of ${meta.sae.name}`, '')} · KL ${number(run.kl, 3)}`),
      chips({
        label: 'Activation after',
        tokens: result.tokens,
        values: run.after,
        max,
        other: { name: 'before', values: run.before },
      }),
      after === undefined ? null : continuation('after', '', generation.before, after, 'after'),
      el('div', { class: 'moved' }, ...moved),
    );
  });
  const heading = el('h3', {}, `Pinned, ${setting.pins.length} of 4, and current`);
  fillAround(box, heading, el('div', { class: 'pins' }, ...cards));
}
