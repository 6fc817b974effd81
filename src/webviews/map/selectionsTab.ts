/** Kept selections beside the map: named, with a note, reopened, forgotten. */
import type { KeywordGroup } from '../../protocol/keywordGroups.js';
import { MAX_NAME, MAX_NOTE } from '../../protocol/keywordGroups.js';
import { el, fill, icon } from '../ui/dom.js';
import { count } from '../ui/format.js';
import { button } from '../ui/toolkit.js';
import type { MapModel } from './model.js';

export interface SelectionsHooks {
  /** Lights a kept selection alone, in place of all that is asked for. */
  reopen(group: KeywordGroup): void;
  /** The reader's groups changed. */
  kept(groups: KeywordGroup[]): void;
  say(text: string): void;
}

/** A group of the reader's that is a selection, not words. */
export const isSelection = ({ features }: KeywordGroup): boolean => Array.isArray(features);

export class SelectionsTab {
  private readonly list = el('div', { class: 'kept-list' });
  private readonly none = el('p', { class: 'fg-none' }, 'Select points by search, box, lasso or group, and press Keep: the selection stands here, also after a reload.'); // prettier-ignore

  constructor(
    body: HTMLElement,
    private readonly model: MapModel,
    private groups: KeywordGroup[],
    private readonly hooks: SelectionsHooks,
  ) {
    body.append(this.none, this.list);
    this.draw();
  }

  /** The reader's groups are others now. */
  set(groups: KeywordGroup[]): void {
    this.groups = groups;
    this.draw();
  }

  /** Puts the cursor into the name of a selection that was just kept. */
  rename(name: string): void {
    const at = this.groups.filter(isSelection).findIndex((group) => group.name === name);
    const field = this.list.querySelectorAll<HTMLInputElement>('input.name')[at];
    field?.focus();
    field?.select();
  }

  private draw(): void {
    const kept = this.groups.filter(isSelection);
    this.none.hidden = kept.length > 0;
    fill(this.list, ...kept.map((group) => this.entry(group)));
  }

  private change(group: KeywordGroup, change: Partial<KeywordGroup>): void {
    this.hooks.kept(this.groups.map((each) => (each === group ? { ...group, ...change } : each)));
  }

  private entry(group: KeywordGroup): HTMLElement {
    const { name, features = [], note = '' } = group;
    const counts = this.model.sets.map((set, s) => `${set.name} ${count(features[s]?.length ?? 0)}`).join(' · ');
    const tool = (label: string, of: 'target' | 'close', onClick: () => void) =>
      button({ label, content: icon(of), appearance: 'icon', onClick }).element;
    const forget = (): void => {
      this.hooks.kept(this.groups.filter((each) => each !== group));
      this.hooks.say(`Forgot ${name}; Undo brings it back`);
    };
    return el(
      'article',
      { class: 'kept', aria: { label: `Kept selection ${name}` } },
      el(
        'header',
        {},
        field({ name: 'name', label: `Name of ${name}`, value: name, most: MAX_NAME }, (text, input) => {
          const wrong = text === '' ? 'A name has at least one character' : this.taken(text, group) ? `“${text}” is a group already` : ''; // prettier-ignore
          if (wrong === '') return this.change(group, { name: text });
          input.value = name;
          this.hooks.say(wrong);
        }),
        el('span', { class: 'counts' }, counts),
        tool(`Show ${name} on the maps`, 'target', () => this.hooks.reopen(group)),
        tool(`Forget ${name}`, 'close', forget),
      ),
      field({ name: 'note', label: `Note on ${name}`, value: note, most: MAX_NOTE, hint: 'Note' }, (text) => {
        const { note: _, ...rest } = group;
        this.hooks.kept(this.groups.map((each) => (each === group ? { ...rest, ...(text && { note: text }) } : each)));
      }),
    );
  }

  private taken(name: string, own: KeywordGroup): boolean {
    return [...(this.model.meta.groups ?? []), ...this.groups].some((each) => each !== own && each.name === name);
  }
}

interface FieldOptions {
  name: string;
  label: string;
  value: string;
  most: number;
  hint?: string;
}

/** A line of text that is taken when it is left or Enter is pressed. */
function field(o: FieldOptions, taken: (text: string, input: HTMLInputElement) => void): HTMLElement {
  const input = el('input', { class: o.name, aria: { label: o.label } });
  Object.assign(input, { type: 'text', value: o.value, maxLength: o.most, placeholder: o.hint ?? '', title: o.label });
  input.addEventListener('change', () => taken(input.value.trim(), input));
  input.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') input.blur();
    // Keys of the map, such as / and Ctrl+Z, are text here.
    event.stopPropagation();
  });
  return input;
}
