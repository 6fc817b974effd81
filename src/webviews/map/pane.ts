/** Beside the maps: pinned pairs in full, and the table of all pairs, the accessible equivalent of the maps. */
import type { TableDescriptor } from '../../protocol/display.js';
import type { KeywordGroup } from '../../protocol/keywordGroups.js';
import { measureOf } from '../../protocol/measure.js';
import { MAP_BUNDLE } from '../../protocol/map.js';
import { labelAt } from '../ui/bundle.js';
import { el } from '../ui/dom.js';
import { correlation, count, plural } from '../ui/format.js';
import { checkbox } from '../ui/toolkit.js';
import { isSpecialToken, labelWords } from '../../protocol/tokens.js';
import { matchKind } from './conditions.js';
import type { TryBox } from '../ui/tryBox.js';
import type { ExampleCache } from '../plot/examples.js';
import { pairCard } from './card.js';
import type { Filters, Lit } from './filter.js';
import { groupOf, linkOf } from './filter.js';
import { GroupsTab, type GroupHooks } from './groupsTab.js';
import { addedColumns } from './columns.js';
import { idText, linkedPairs, type MapModel, type MapSet } from './model.js';
import { SelectionsTab, type SelectionsHooks } from './selectionsTab.js';
import { shiftColumns, unitOf } from './shift.js';
import type { MapViewState, Pin } from './state.js';
import { pinCard, PlotPane } from '../plot/pane.js';
import { shownColumns } from '../plot/shown.js';
import { idColumn, labelColumn, VirtualGrid, type GridColumn } from '../plot/table.js';

export interface PaneHooks {
  pin(set: number, point: number): void;
  unpin(index: number): void;
  unpinAll(): void;
  /** Brings a point and its partner into view. */
  show(set: number, point: number): void;
  hover(set: number, point: number | null): void;
  /** Opens the page of a feature. */
  open(set: number, feature: number): void;
  tab(tab: Tab): void;
  groups: GroupHooks & SelectionsHooks;
  /** Null: the map has none. */
  prompt: TryBox | null;
  sort(sort: MapViewState['sort']): void;
  /** What the table leaves out changed. */
  table(change: Partial<Pick<MapViewState, 'mutual' | 'special'>>): void;
}

/** Groups are scored by pairs: on twin maps. */
const hasGroups = ({ twin, meta }: MapModel): boolean => twin && !meta.shift;

type Tab = Exclude<MapViewState['pane'], 'closed'>;

export class Pane extends PlotPane<Tab> {
  private readonly summary = el('p', { class: 'summary' });
  private readonly grid: VirtualGrid;
  private readonly links: ReturnType<typeof linkedPairs>;
  private readonly groups: GroupsTab | undefined;
  private readonly selections: SelectionsTab | undefined;
  private pinned = new Set<string>();
  /** 1 for rows that special tokens name. */
  private readonly special: Uint8Array;
  private readonly hasSpecial: boolean;

  constructor(
    private readonly model: MapModel,
    private readonly cache: ExampleCache,
    state: MapViewState,
    private readonly hooks: PaneHooks,
  ) {
    super(
      'Pairs and pinned features',
      [
        { name: 'pairs', title: model.meta.shift ? 'Tokens' : model.twin ? 'Pairs' : 'Features', table: true },
        { name: 'details', title: 'Pinned' },
        ...(model.meta.shift ? [] : [{ name: 'selections' as const, title: 'Selections' }]),
        ...(hasGroups(model) ? [{ name: 'groups' as const, title: 'Groups', table: true }] : []),
        ...(hooks.prompt ? [{ name: 'prompt' as const, title: 'Prompt' }] : []),
      ],
      (tab) => hooks.tab(tab),
    );
    this.links = linkedPairs(model);
    const rows = model.twin ? this.links.a.length : model.sets[0].n;
    this.special = model.meta.shift
      ? new Uint8Array(rows)
      : Uint8Array.from({ length: rows }, (_, row) => Number(this.isSpecial(row)));
    this.hasSpecial = this.special.includes(1);
    this.grid = new VirtualGrid({
      label: model.meta.shift ? 'Tokens' : model.twin ? 'Linked pairs' : 'Features',
      columns: model.meta.shift ? shiftColumns(model) : model.twin ? this.pairColumns() : this.featureColumns(),
      sort: state.sort,
      scrolls: model.added.length > 0,
      rowClass: (row) => (this.pinned.has(`0:${this.pointOfRow(row)}`) ? 'pinned' : ''),
      onActivate: (row) => hooks.pin(0, this.pointOfRow(row)),
      onHover: (row) => hooks.hover(0, row === null ? null : this.pointOfRow(row)),
      onSort: hooks.sort,
    });
    this.body('pairs').append(this.tableBar(state), this.grid.element);
    if (hasGroups(model)) this.groups = new GroupsTab(this.body('groups'), model, state.groups, hooks.groups);
    if (!model.meta.shift)
      this.selections = new SelectionsTab(this.body('selections'), model, state.groups, hooks.groups);
    if (hooks.prompt) this.body('prompt').append(hooks.prompt.element);
    this.grid.setRows(model.twin ? this.links.a.length : model.sets[0].n);
  }

  /** What the table leaves out, beside how much of it is shown. */
  private tableBar(state: MapViewState): HTMLElement {
    const { model, hooks } = this;
    const box = (label: string, key: 'mutual' | 'special') =>
      checkbox({ label, checked: state[key], onChange: (on) => hooks.table({ [key]: on }) }).element;
    const options = model.meta.shift
      ? []
      : [model.twin && box('mutual only', 'mutual'), this.hasSpecial && box('special tokens', 'special')];
    return el('div', { class: 'table-bar' }, this.summary, ...options);
  }

  /** Whether a row is called by special tokens alone, such as <|endoftext|>. */
  private isSpecial(row: number): boolean {
    const { model, links } = this;
    const of = (s: number, point: number): boolean => {
      const words = labelWords(labelAt(model.sets[s].columns, point));
      return words.length > 0 && isSpecialToken(words[0]);
    };
    return model.twin ? of(0, links.a[row]) || of(1, links.b[row]) : of(0, row);
  }

  /** Whether the row passes what the table leaves out. */
  private inTable(row: number, { mutual, special }: Pick<MapViewState, 'mutual' | 'special'>): boolean {
    const { model, links } = this;
    if (!special && this.special[row] === 1) return false;
    return !mutual || !model.twin || matchKind(model, 0, links.a[row]) === 'mutual';
  }

  private pointOfRow(row: number): number {
    return this.model.twin ? this.links.a[row] : row;
  }

  private pairColumns(): GridColumn[] {
    const { links } = this;
    const measure = measureOf(this.model.meta.pairing?.method ?? '');
    return [
      ...([links.a, links.b] as const).flatMap((points, s): GridColumn[] => {
        const { columns, name } = this.model.sets[s];
        const [key, width] = ['ab'[s], '5.2em'];
        return [
          idColumn({ key, title: name, width }, (i) => columns.feature[points[i]]),
          labelColumn(`${key}Label`, `${name} label`, (i) => labelAt(columns, points[i])),
        ];
      }),
      {
        ...{ key: 'r', title: measure, width: measure === 'r' ? '3.2em' : '4em', numeric: true },
        text: (i) => correlation(links.r[i]),
        value: (i) => links.r[i],
      },
      ...([links.a, links.b] as const).flatMap(
        (points, s) =>
        addedColumns(this.model.added, s, (name) => `${this.model.sets[s].name} ${name}`, (i) => points[i]), // prettier-ignore
      ),
    ];
  }

  private featureColumns(): GridColumn[] {
    const set = this.model.sets[0];
    const { columns } = set;
    return [
      {
        ...{ key: 'a', title: 'Feature', width: set.family ? '7em' : '5em', numeric: true },
        text: (i) => idText(set, i),
        value: (i) => columns.feature[i],
      },
      labelColumn('aLabel', 'Label', (i) => labelAt(columns, i)),
      ...(set.family ? this.familyColumns(set) : []),
      ...shownColumns(MAP_BUNDLE.columns, columns, !set.meta.unmeasured),
      ...addedColumns(this.model.added, 0, (name) => name, (i) => i), // prettier-ignore
    ];
  }

  private familyColumns({ columns, family, ...set }: MapSet): GridColumn[] {
    const { parent, cosine } = columns;
    const children = (i: number): number => family!.children.get(i)?.length ?? 0;
    if (!parent || !cosine) return [];
    return [
      {
        ...{ key: 'parent', title: 'Child of', width: '6em', numeric: true },
        text: (i) => (parent[i] < 0 ? '–' : idText({ columns, family, ...set }, parent[i])),
        value: (i) => parent[i],
        written: (i) => (parent[i] < 0 ? null : idText({ columns, family, ...set }, parent[i])),
      },
      {
        ...{ key: 'r', title: 'Cosine', width: '5em', numeric: true },
        text: (i) => (parent[i] < 0 ? '–' : correlation(cosine[i])),
        value: (i) => (parent[i] < 0 ? -Infinity : cosine[i]),
      },
      {
        ...{ key: 'children', title: 'Children', width: '5.6em', numeric: true },
        text: (i) => count(children(i)),
        value: children,
      },
    ];
  }

  /** The reader's groups are others now. */
  setKept(groups: KeywordGroup[]): void {
    this.groups?.setKept(groups);
    this.selections?.set(groups);
  }

  /** Asks for the name of a selection that was just kept. */
  renameKept(name: string): void {
    this.selections?.rename(name);
  }

  /** The rows that are shown, in their order. */
  table(): TableDescriptor {
    return this.grid.written(this.model.meta.title);
  }

  override showTab(tab: MapViewState['pane']): void {
    super.showTab(tab);
    this.groups?.open(tab === 'groups');
    this.grid.draw();
  }

  /** Rows that the filters leave: a pair stays when either end is a hit and its link is not hidden. */
  setFilters(filters: Filters, lit: Lit, table: Pick<MapViewState, 'mutual' | 'special'>): void {
    const { links, model } = this;
    this.groups?.show(groupOf(model, filters), filters.minR);
    if (model.twin)
      this.grid.filter(
        (i) =>
          this.inTable(i, table) &&
          (filters.minR <= 0 || links.r[i] >= filters.minR) &&
          (!lit.active || lit.state[0][links.a[i]] === 1 || lit.state[1][links.b[i]] === 1),
      );
    else
      this.grid.filter(
        (i) =>
          this.inTable(i, table) &&
          (filters.showDead || !model.sets[0].dead[i]) &&
          (!lit.active || lit.state[0][i] === 1),
      );
    const total = model.twin ? links.a.length : model.sets[0].n;
    this.summary.textContent =
      this.grid.count === total
        ? plural(total, model.twin && !model.meta.shift ? 'pair' : unitOf(model))
        : `${count(this.grid.count)} of ${plural(total, model.twin && !model.meta.shift ? 'pair' : unitOf(model))}`;
  }

  setPins(pins: ReadonlyArray<Pin & { point: number }>, minR: number): void {
    const { model, cache, hooks } = this;
    this.pinned = new Set();
    const cards = pins.map(({ set, point, feature }, index) => {
      const partner = linkOf(model.sets[set], point, minR);
      this.pinned.add(`${set}:${point}`);
      if (partner >= 0) this.pinned.add(`${1 - set}:${partner}`);
      return pinCard({
        ...{
          index,
          name: model.sets[set].family ? idText(model.sets[set], point) : `${model.sets[set].name} #${feature}`,
          place: 'the maps',
        },
        content: pairCard({ model, cache, set, point, partner, minR, examples: 5, bands: true, open: hooks.open }),
        show: () => hooks.show(set, point),
        unpin: () => hooks.unpin(index),
      });
    });
    this.drawPins('details', cards, {
      none: 'Click a point, or a row of the table, to pin it here.',
      clear: () => hooks.unpinAll(),
    });
    this.grid.draw();
  }

  override dispose(): void {
    this.groups?.dispose();
    this.hooks.prompt?.dispose();
    this.grid.dispose();
  }
}
