/** The box that the prompt is typed into. Text being typed is newer than the setting, so drawing does not replace it. */
import { el } from '../ui/dom.js';

export interface PromptBox {
  element: HTMLTextAreaElement;
  update(prompt: string, disabled: boolean): void;
  /** What was typed since the last call, or null. */
  take(): string | null;
}

export function promptBox(typed: () => void): PromptBox {
  const element = el('textarea', { aria: { label: 'Prompt' } });
  let draft: string | null = null;
  element.addEventListener('input', () => {
    draft = element.value;
    typed();
  });
  return {
    element,
    update(prompt, disabled) {
      const { activeElement } = element.getRootNode() as Document | ShadowRoot;
      const typing = activeElement === element || draft !== null;
      if (!typing) element.value = prompt;
      // A disabled box loses the focus, and the keys that are typed with it.
      element.disabled = disabled && !typing;
    },
    take() {
      const text = draft;
      draft = null;
      return text;
    },
  };
}
