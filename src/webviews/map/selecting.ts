/** What a reader does with the selection of a map: looks at it, keeps it, takes it along, takes it back. */
import type { KeywordGroup } from '../../protocol/keywordGroups.js';
import { Past } from '../plot/past.js';
import { count } from '../ui/format.js';
import { messageOf } from '../ui/message.js';
import { groupOf, type Filters, type Lit } from './filter.js';
import type { MapModel } from './model.js';
import { cameraOn, litPoints, MAX_MESH, MAX_SELECTED_LINES, selectedLinks, selectionCell } from './selection.js';
import { SelectionBar } from './selectionBar.js';
import type { Stage } from './stage.js';
import type { MapViewState } from './state.js';

/** What a selection is asked for by. */
export type Asked = Pick<Filters, 'query' | 'group' | 'typed' | 'selection'> & Pick<MapViewState, 'only' | 'groups'>;

/** Nothing is, but for the groups that the reader keeps. */
export const NOTHING_ASKED: Omit<Asked, 'groups'> = {
  query: '',
  group: null,
  typed: null,
  selection: null,
  only: null,
};

export interface SelectingHooks {
  now(): { filters: Filters; lit: Lit };
  /** Goes back to what was asked for. */
  ask(before: Asked): void;
  keep(group: KeywordGroup): void;
  copy(text: string): Promise<void>;
  tell(text: string): void;
  save(): void;
}

const MAX_NAME = 60;

/** Where there is no host that copies. */
export const copyHere = (text: string): Promise<void> => navigator.clipboard.writeText(text);

export class Selecting {
  private readonly past = new Past<Asked>();
  private readonly bar: SelectionBar;

  constructor(
    private readonly model: MapModel,
    private readonly state: MapViewState,
    private readonly stage: Stage,
    private readonly hooks: SelectingHooks,
  ) {
    const drawn = (change: Partial<MapViewState>) => {
      Object.assign(state, change);
      this.draw();
      hooks.save();
    };
    this.bar = new SelectionBar(model.twin && !model.meta.shift, state, {
      keep: () => this.keep(),
      copy: () => void this.copy(),
      zoom: () => this.zoom(),
      undo: () => this.undo(),
      lines: (lines) => drawn({ lines }),
      mesh: (mesh) => drawn({ mesh }),
    });
  }

  get element(): HTMLElement {
    return this.bar.element;
  }

  /** Notes what is asked for now, to go back to. */
  note(): void {
    const { query, group, typed, selection } = this.hooks.now().filters;
    const { only, groups } = this.state;
    this.past.note({ query, group, typed, selection, only, groups });
  }

  undo(): void {
    const before = this.past.back();
    if (before) this.hooks.ask(before);
  }

  /** Lines, mesh and buttons of what is lit now. */
  draw(): void {
    const { model, state } = this;
    const { filters, lit } = this.hooks.now();
    const small = lit.active && lit.hits.every((n) => n <= MAX_MESH);
    const links = state.lines ? selectedLinks(model, lit, filters.minR) : [];
    this.stage.setScene({
      selected: links.slice(0, MAX_SELECTED_LINES),
      mesh: state.mesh && small ? litPoints(lit, true).map((points) => points.slice(0, MAX_MESH)) : [],
    });
    this.bar.update(lit, this.past.undoes, links.length);
  }

  /** What the selection came from, in words. */
  private name(): string {
    const { filters } = this.hooks.now();
    return filters.query.trim() || groupOf(this.model, filters)?.name || 'Selection';
  }

  /** Keeps what is lit among the reader's selections. */
  private keep(): void {
    const { model } = this;
    const { lit } = this.hooks.now();
    const used = new Set((model.meta.groups ?? []).map(({ name }) => name));
    const from = this.name().slice(0, MAX_NAME);
    let name = from;
    for (let k = 2; used.has(name); k++) name = `${from} ${k}`;
    const features = litPoints(lit).map((points, s) => points.map((i) => model.sets[s].columns.feature[i]));
    this.hooks.keep({ name, words: [], features });
    this.hooks.tell(`Kept as “${name}”`);
  }

  private async copy(): Promise<void> {
    const { model, hooks } = this;
    const { lit } = hooks.now();
    const counts = model.sets.map(({ name }, s) => `${name} ${count(lit.hits[s])}`).join(', ');
    const said = await hooks.copy(selectionCell(model, lit, `${this.name()}: ${counts}`)).then(
      () => 'Copied as a cell',
      (error: unknown) => `It could not be copied: ${messageOf(error)}`,
    );
    hooks.tell(said);
  }

  /** Both maps: the selection, and the region of its counterparts. */
  private zoom(): void {
    const points = litPoints(this.hooks.now().lit, true);
    const { sets } = this.model;
    this.stage.glide(this.stage.views.map((view, s) => cameraOn(view, sets[s].x, sets[s].y, points[s])));
  }
}
