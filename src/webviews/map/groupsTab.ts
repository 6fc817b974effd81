/** Keyword groups beside the map: typed, chosen, saved, read from JSON; the chosen one scored at once, all in one table. */
import { measureOf } from '../../protocol/measure.js';
import { keywordGroups, typedGroup, writtenGroup, type KeywordGroup } from '../../protocol/keywordGroups.js';
import { el, fill, icon } from '../ui/dom.js';
import { correlation, count, plural } from '../ui/format.js';
import { messageOf } from '../ui/message.js';
import { fileName } from '../ui/save.js';
import { button, textField, type TextField } from '../ui/toolkit.js';
import type { SavedFile } from '../ui/view.js';
import { SCORES, scoreGroup, type Decoders, type GroupScores } from './groupScores.js';
import { GroupTable, nullText, scoreText, SIGNIFICANT } from './groupTable.js';
import { linkedPairs, type MapModel } from './model.js';

export interface GroupHooks {
  /** Lights this group and no other; null: none. */
  choose(group: KeywordGroup | null): void;
  /** The groups that are not of the map itself changed. */
  kept(groups: KeywordGroup[]): void;
  decoders(): Promise<Decoders | null>;
  saveFile(file: SavedFile): Promise<string | null>;
  say(text: string): void;
}

/** Shuffles of the nulls. */
const NULLS = 100;
const TYPING_MS = 250;

export class GroupsTab {
  private readonly links: ReturnType<typeof linkedPairs>;
  private readonly known = new Map<string, GroupScores>();
  private readonly field: TextField;
  private readonly card = el('section', { class: 'group-card', aria: { label: 'Scores of the group' } });
  private readonly note = el('p', { class: 'fg-none', role: 'status' });
  private readonly table: GroupTable;
  private readonly file: HTMLInputElement;
  private typing: ReturnType<typeof setTimeout> | undefined;
  private current: KeywordGroup | null = null;
  private minR = 0;
  private run = new AbortController();
  /** Scored only while the tab is shown. */
  private shown = false;

  constructor(
    body: HTMLElement,
    private readonly model: MapModel,
    private kept: KeywordGroup[],
    private readonly hooks: GroupHooks,
  ) {
    this.links = linkedPairs(model);
    this.field = textField({
      label: 'Words of a group, such as king queen; a name may stand before: royalty: king queen',
      placeholder: 'Type words, or name: words',
      onInput: (text) => {
        clearTimeout(this.typing);
        this.typing = setTimeout(() => hooks.choose(typedGroup(text)), TYPING_MS);
      },
    });
    this.field.element.classList.add('words');
    this.file = el('input', { hidden: true, aria: { label: 'JSON file of keyword groups' } });
    Object.assign(this.file, { type: 'file', accept: '.json,application/json' });
    this.file.addEventListener('change', () => void this.readFile());
    this.table = new GroupTable(
      (group) => this.known.get(this.keyOf(group)),
      (group) => hooks.choose(group),
      measureOf(this.model.meta.pairing?.method ?? ''),
    );
    body.classList.add('groups');
    body.append(
      el(
        'div',
        { class: 'group-bar' },
        this.field.element,
        this.tool('Save group', 'plus', () => this.save()),
      ),
      this.card,
      el(
        'div',
        { class: 'group-bar' },
        button({ label: 'Score all groups', onClick: () => void this.scoreAll() }).element,
        this.tool('Read groups from a JSON file', 'open', () => this.file.click()),
        this.tool('Save groups and scores as JSON', 'save', () => void this.write()),
        el('span', { class: 'fg-none' }, `* p ≤ ${SIGNIFICANT} of ${NULLS} shuffles`),
        this.file,
      ),
      this.note,
      this.table.grid.element,
    );
    this.drawTable();
    this.drawCard(null);
  }

  private tool(label: string, name: 'plus' | 'open' | 'save' | 'close', onClick: () => void): HTMLElement {
    return button({ label, content: icon(name), appearance: 'icon', onClick }).element;
  }

  private get groups(): KeywordGroup[] {
    return this.model.meta.groups ?? [];
  }

  private keyOf({ words, features }: KeywordGroup): string {
    return JSON.stringify([features ?? words, this.minR]);
  }

  /** Takes the group that is lit now, null = none, and scores it. */
  show(group: KeywordGroup | null, minR: number): void {
    if (group === this.current && minR === this.minR) return;
    this.current = group;
    this.minR = minR;
    this.drawTable();
    void this.score(group);
  }

  /** The tab came to the front, or went. */
  open(shown: boolean): void {
    if (shown === this.shown) return;
    this.shown = shown;
    this.drawTable();
    void this.score(this.current);
  }

  private async score(group: KeywordGroup | null): Promise<void> {
    this.run.abort();
    const { signal } = (this.run = new AbortController());
    if (!group || !this.shown) return this.drawCard(null);
    try {
      await this.scored(group, signal, (found) => this.drawCard(found));
    } catch (error) {
      if (!signal.aborted) this.note.textContent = `The group could not be scored: ${messageOf(error)}`;
    }
  }

  /** The scores of a group: at once without nulls, then beside them. */
  private async scored(group: KeywordGroup, signal: AbortSignal, draw: (found: GroupScores) => void): Promise<void> {
    const key = this.keyOf(group);
    const known = this.known.get(key);
    if (known) return draw(known);
    const decoders = await this.hooks.decoders();
    const { model, links, minR } = this;
    const of = { model, links, decoders, minR };
    if (signal.aborted) return;
    draw(await scoreGroup(of, group, 0, signal));
    const found = await scoreGroup(of, group, NULLS, signal);
    this.known.set(key, found);
    if (signal.aborted) return;
    draw(found);
    this.drawTable();
  }

  private async scoreAll(): Promise<void> {
    this.run.abort();
    const { signal } = (this.run = new AbortController());
    const { groups } = this;
    try {
      for (const [i, group] of groups.entries()) {
        this.note.textContent = `Scoring ${i + 1} of ${plural(groups.length, 'group')}: ${group.name}`;
        await this.scored(group, signal, (found) => group === this.current && this.drawCard(found));
        if (signal.aborted) break;
      }
      this.note.textContent = '';
      this.drawTable();
      this.hooks.say(`Scored ${plural(groups.length, 'group')}`);
    } catch (error) {
      this.note.textContent = signal.aborted ? '' : `The groups could not be scored: ${messageOf(error)}`;
    }
  }

  private save(): void {
    const group = typedGroup(this.field.value);
    if (!group) return void (this.note.textContent = 'Type the words of a group first.');
    this.add([group]);
    this.hooks.choose(group);
  }

  /** Keeps groups beside the map's own; those of the same names are replaced. */
  private add(groups: readonly KeywordGroup[]): void {
    const names = new Set(groups.map(({ name }) => name));
    this.note.textContent = '';
    this.hooks.kept([...this.kept.filter(({ name }) => !names.has(name)), ...groups]);
  }

  /** The groups beside the map's own are others now. */
  setKept(groups: KeywordGroup[]): void {
    this.kept = groups;
    this.drawTable();
  }

  private remove(group: KeywordGroup): void {
    this.hooks.kept(this.kept.filter(({ name }) => name !== group.name));
    this.hooks.choose(null);
  }

  private async readFile(): Promise<void> {
    const file = this.file.files?.[0];
    this.file.value = '';
    if (!file) return;
    try {
      const parsed: unknown = JSON.parse(await file.text());
      const groups = typeof parsed === 'object' && parsed !== null && 'groups' in parsed ? parsed.groups : parsed;
      this.add(keywordGroups(groups, file.name));
      this.note.textContent = `${plural(this.kept.length, 'group')} of yours; ${file.name} is read.`;
    } catch (error) {
      this.note.textContent = `${file.name} is not read: ${messageOf(error)}`;
    }
  }

  /** As readFile takes it back, with what was scored. */
  private async write(): Promise<void> {
    const groups = Object.fromEntries(this.groups.map((group) => [group.name, writtenGroup(group)]));
    const scores = this.groups.flatMap((group) => this.known.get(this.keyOf(group)) ?? []);
    const text = `${JSON.stringify({ groups, minR: this.minR, scores }, null, 1)}\n`;
    const place = await this.hooks
      .saveFile({ name: fileName(`${this.model.meta.title} groups`, 'json'), text })
      .catch((error: unknown) => void (this.note.textContent = messageOf(error)));
    if (place) this.hooks.say(`Saved ${place}`);
  }

  private drawTable(): void {
    this.table.set(this.groups, this.current?.name ?? null);
  }

  private drawCard(found: GroupScores | null): void {
    if (!found) {
      const say = 'Type words, or choose a group: its pairs are lit, scored and compared here.';
      return fill(this.card, el('p', { class: 'fg-none' }, say));
    }
    const { group, pairs, features, meanR } = found;
    const [a, b] = this.model.sets.map(({ name }, s) => `${name} ${count(features[s])}`);
    const own = this.kept.some(({ name }) => name === group.name);
    fill(
      this.card,
      el(
        'header',
        {},
        el('strong', { title: group.words.join(' ') || 'a selection that was kept' }, group.name),
        own && this.tool(`Forget ${group.name}`, 'close', () => this.remove(group)),
      ),
      el(
        'p',
        { class: 'stats' },
        `${plural(pairs, 'pair')} (${a} · ${b}) · mean ${measureOf(this.model.meta.pairing?.method ?? '')} ${correlation(meanR)}`,
      ),
      el('dl', {}, ...SCORES.flatMap((name) => scoreRow(name, found))),
    );
  }

  dispose(): void {
    clearTimeout(this.typing);
    this.run.abort();
    this.table.grid.dispose();
  }
}

function scoreRow(name: (typeof SCORES)[number], { scores }: GroupScores): HTMLElement[] {
  const score = scores[name];
  const title = el('dt', {}, name);
  if (typeof score === 'string') return [title, el('dd', { class: 'none' }, score)];
  title.title = score.variant;
  return [
    title,
    el(
      'dd',
      {},
      el('strong', {}, scoreText(score)),
      ' ',
      nullText(score),
      score.warning ? el('span', { class: 'warning', title: score.warning }, ` ⚠ ${score.warning}`) : null,
    ),
  ];
}
