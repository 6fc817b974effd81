/** What is done to the feature: kind, amount, where. The elements stay, so that a drag is never interrupted. */
import {
  INTERVENTION_KINDS,
  MAX_GENERATED_TOKENS,
  type InterventionKind,
  type InterventionsSetting,
} from '../../protocol/interventions.js';
import { el } from '../ui/dom.js';
import { button } from '../ui/toolkit.js';
import { nameOf, rangeOf, whyNoPin, type InterventionsAction } from './model.js';

type Send = (action: InterventionsAction) => void;

const KIND: Record<InterventionKind, { label: string; sign: string; says: string }> = {
  steer: { label: 'Steer', sign: 'α', says: 'Adds α × the decoder row of the feature.' },
  clamp: { label: 'Clamp', sign: 'c', says: 'Sets the activation to c; what the SAE does not explain is kept.' },
  scale: { label: 'Scale', sign: '×', says: 'Multiplies the activation where the feature fires.' },
  ablate: { label: 'Ablate', sign: '0', says: 'Sets the activation to 0; what the SAE does not explain is kept.' },
};

function numberField(o: {
  label: string;
  shown: string;
  min: number;
  max: number;
  step: string;
  onChange(v: number): void;
}) {
  const input = el('input', { aria: { label: o.label }, title: o.label });
  Object.assign(input, { type: 'number', min: String(o.min), max: String(o.max), step: o.step });
  input.addEventListener('change', () => {
    const value = Number(input.value);
    if (input.value.trim() !== '' && Number.isFinite(value)) o.onChange(Math.min(o.max, Math.max(o.min, value)));
  });
  return { input, field: el('label', { class: 'field' }, o.shown, input) };
}

export interface Controls {
  element: HTMLElement;
  update(setting: InterventionsSetting, largest: number | null, disabled: boolean): void;
}

/** A group of buttons of which one is chosen; arrow keys move the choice. */
function radios<T extends string>(
  label: string,
  choices: ReadonlyArray<[T, string, string]>,
  choose: (value: T) => void,
) {
  const nodes = choices.map(([value, text, title]) => {
    const node = el('button', { role: 'radio', title }, text);
    node.type = 'button';
    node.addEventListener('click', () => choose(value));
    return node;
  });
  const element = el('div', { class: 'kinds', role: 'radiogroup', aria: { label } }, ...nodes);
  element.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const at = nodes.indexOf(event.target as HTMLButtonElement);
    if (!step || at < 0) return;
    event.preventDefault();
    const next = (at + step + nodes.length) % nodes.length;
    nodes[next].focus();
    choose(choices[next][0]);
  });
  const update = (chosen: string, disabled: boolean): void =>
    nodes.forEach((node, i) => {
      const on = choices[i][0] === chosen;
      node.setAttribute('aria-checked', String(on));
      node.tabIndex = on ? 0 : -1;
      node.disabled = disabled;
    });
  return { element, update };
}

export function interventionControls(send: Send): Controls {
  let largest: number | null = null;
  const kinds = radios(
    'What is done to the feature',
    INTERVENTION_KINDS.map((kind) => [kind, KIND[kind].label, KIND[kind].says] as const) as never,
    (kind: InterventionKind) => send({ type: 'kind', kind, max: largest }),
  );
  const slider = el('input', { data: { role: 'amount' } });
  slider.type = 'range';
  slider.addEventListener('input', () => send({ type: 'value', value: Number(slider.value) }));
  const amount = el('input', { aria: { label: 'Amount' }, data: { role: 'amount-number' } });
  amount.type = 'number';
  amount.addEventListener(
    'change',
    () => amount.value.trim() !== '' && send({ type: 'value', value: Number(amount.value) }),
  );
  const sign = el('span', { class: 'sign', aria: { hidden: 'true' } });
  const line = el('div', { class: 'slider' }, sign, slider, amount);
  const says = el('p', { class: 'note' });
  const places = radios<'all' | 'last' | 'some'>(
    'Tokens that are changed',
    [
      ['all', 'All tokens', 'Every token, generated ones included'],
      ['last', 'Last', 'The newest token at every step'],
      ['some', 'Chosen', 'Tokens of the prompt: click them in the row “before”'],
    ],
    (place) => send({ type: 'positions', positions: place === 'some' ? [0] : place }),
  );
  const pin = button({ label: 'Pin', appearance: 'primary', onClick: () => send({ type: 'pin' }) });
  const element = el(
    'section',
    { class: 'box intervention', aria: { label: 'Intervention' } },
    el('div', { class: 'line' }, kinds.element, pin.element),
    line,
    el('div', { class: 'line' }, el('span', { class: 'what' }, 'at'), places.element),
    says,
  );
  const update = (setting: InterventionsSetting, max: number | null, disabled: boolean): void => {
    largest = max;
    const { kind, value, positions } = setting.current;
    const range = rangeOf(kind, max);
    line.hidden = kind === 'ablate';
    sign.textContent = KIND[kind].sign;
    for (const input of [slider, amount])
      Object.assign(input, { step: input === slider ? String(range.step) : 'any', disabled });
    // Bounds first: a value outside the old ones would be cut.
    Object.assign(slider, { min: String(Math.min(range.min, value)), max: String(Math.max(range.max, value)) });
    slider.value = String(value);
    if (Number(amount.value) !== value || amount.value === '') amount.value = String(value);
    slider.setAttribute('aria-label', `${KIND[kind].label}: ${KIND[kind].sign}`);
    slider.setAttribute('aria-valuetext', nameOf(setting.current));
    says.textContent = `${KIND[kind].says} ${typeof positions === 'string' ? '' : `Changed: ${positions.length} of the prompt’s tokens; click tokens to choose.`}`;
    kinds.update(kind, disabled);
    places.update(typeof positions === 'string' ? positions : 'some', disabled);
    const why = disabled ? 'The panel is not alive' : whyNoPin(setting);
    pin.element.toggleAttribute('disabled', why !== null);
    pin.element.title = why ?? 'Keep this intervention to compare others with it';
  };
  return { element, update };
}

export function samplingControls(send: Send): Controls {
  const change = (part: Partial<InterventionsSetting['sampling']>): void => send({ type: 'sampling', sampling: part });
  const tokens = numberField({
    ...{ label: 'New tokens', shown: 'tokens', min: 1, max: MAX_GENERATED_TOKENS, step: '1' },
    onChange: (v) => change({ tokens: Math.round(v) }),
  });
  const temperature = numberField({
    ...{ label: 'Temperature; 0 is greedy', shown: 'temperature', min: 0, max: 10, step: '0.1' },
    onChange: (v) => change({ temperature: v }),
  });
  const seed = numberField({
    ...{ label: 'Seed of sampling', shown: 'seed', min: 0, max: 2 ** 32 - 1, step: '1' },
    onChange: (v) => change({ seed: Math.round(v) }),
  });
  return {
    element: el('div', { class: 'line' }, tokens.field, temperature.field, seed.field),
    update({ sampling }, _, disabled) {
      tokens.input.value = String(sampling.tokens);
      temperature.input.value = String(sampling.temperature);
      seed.input.value = String(sampling.seed);
      for (const each of [tokens, temperature, seed]) each.input.disabled = disabled;
      // Greedy decoding draws nothing.
      seed.input.disabled = disabled || sampling.temperature === 0;
    },
  };
}
