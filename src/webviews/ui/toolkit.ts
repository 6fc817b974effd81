/**
 * The one place that imports @vscode/webview-ui-toolkit: a successor is a change of this file alone.
 * Elements are registered under our own prefix, so that another extension's toolkit in the shared page of notebook
 * outputs cannot clash with it.
 */
import {
  provideVSCodeDesignSystem,
  vsCodeButton,
  vsCodeCheckbox,
  vsCodeDropdown,
  vsCodeOption,
  vsCodeTextField,
} from '@vscode/webview-ui-toolkit';
import { append, fill, type Child } from './dom.js';

const PREFIX = 'fgnb';
let registered = false;

function make<T extends HTMLElement>(tag: string): T {
  if (!registered) {
    registered = true;
    if (!customElements.get(`${PREFIX}-button`))
      provideVSCodeDesignSystem()
        .withPrefix(PREFIX)
        .register(vsCodeButton(), vsCodeCheckbox(), vsCodeDropdown(), vsCodeOption(), vsCodeTextField());
  }
  return document.createElement(`${PREFIX}-${tag}`) as T;
}

export interface ButtonOptions {
  /** What it does: the accessible name, and the tooltip of icon buttons. */
  label: string;
  /** Shown instead of the label. */
  content?: Child;
  appearance?: 'primary' | 'secondary' | 'icon';
  /** A toggle's state. */
  pressed?: boolean;
  onClick(): void;
}

export interface Button {
  element: HTMLElement;
  setPressed(pressed: boolean): void;
  /** What it opens is open. */
  setExpanded(open: boolean): void;
}

export function button(o: ButtonOptions): Button {
  const element = make<HTMLElement>('button');
  element.setAttribute('appearance', o.appearance ?? 'secondary');
  element.setAttribute('aria-label', o.label);
  if (o.content) element.title = o.label;
  append(element, [o.content ?? o.label]);
  const setPressed = (pressed: boolean) => {
    // The attribute is for styles; the toolkit hands the property to its inner button, which is what screen readers see.
    element.setAttribute('aria-pressed', String(pressed));
    element.ariaPressed = String(pressed);
    element.classList.toggle('pressed', pressed);
  };
  const setExpanded = (open: boolean) => {
    element.setAttribute('aria-expanded', String(open));
    element.ariaExpanded = String(open);
  };
  if (o.pressed !== undefined) setPressed(o.pressed);
  element.addEventListener('click', () => o.onClick());
  return { element, setPressed, setExpanded };
}

export interface TextField {
  element: HTMLElement;
  value: string;
  focus(): void;
}

export function textField(o: { label: string; placeholder: string; onInput(value: string): void }): TextField {
  const element = make<HTMLElement & { value: string; placeholder: string }>('text-field');
  element.setAttribute('placeholder', o.placeholder);
  element.setAttribute('aria-label', o.label);
  element.title = o.label;
  // Each time it is put into a page, the toolkit calls a field without text of its own "Text field".
  new MutationObserver(() => {
    if (element.getAttribute('aria-label') !== o.label) element.setAttribute('aria-label', o.label);
  }).observe(element, { attributeFilter: ['aria-label'] });
  element.addEventListener('input', () => o.onInput(element.value));
  return {
    element,
    get value() {
      return element.value ?? '';
    },
    set value(text: string) {
      element.value = text;
    },
    focus: () => element.focus(),
  };
}

export interface Choice {
  value: string;
  label: string;
}

export interface Dropdown {
  element: HTMLElement;
  setChoices(choices: Choice[], value: string): void;
}

export function dropdown(o: {
  label: string;
  choices: Choice[];
  value: string;
  onChange(value: string): void;
}): Dropdown {
  const element = make<HTMLElement & { value: string }>('dropdown');
  element.setAttribute('aria-label', o.label);
  element.title = o.label;
  const setChoices = (choices: Choice[], value: string) => {
    fill(
      element,
      ...choices.map((choice) => {
        const option = make<HTMLElement & { value: string; selected: boolean }>('option');
        option.setAttribute('value', choice.value);
        if (choice.value === value) option.setAttribute('selected', '');
        option.textContent = choice.label;
        return option;
      }),
    );
    // The listbox learns its options in a microtask after they are slotted; before that a value would be dropped.
    requestAnimationFrame(() => {
      element.value = value;
    });
  };
  setChoices(o.choices, o.value);
  element.addEventListener('change', () => o.onChange(element.value));
  return { element, setChoices };
}

export interface Checkbox {
  element: HTMLElement;
  checked: boolean;
  setLabel(text: string): void;
}

export function checkbox(o: { label: string; checked: boolean; onChange(checked: boolean): void }): Checkbox {
  const element = make<HTMLElement & { checked: boolean }>('checkbox');
  if (o.checked) element.setAttribute('checked', '');
  element.textContent = o.label;
  element.addEventListener('change', () => o.onChange(element.checked));
  return {
    element,
    get checked() {
      return element.checked;
    },
    set checked(value: boolean) {
      element.checked = value;
    },
    setLabel: (text) => {
      element.textContent = text;
    },
  };
}
