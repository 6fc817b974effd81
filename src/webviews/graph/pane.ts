/** Beside the graphs: every node as a table (the accessible equivalent), components, findings, noise, pinned nodes. */
import type { GraphFinding } from '../../protocol/graph.js';
import type { ExampleCache } from '../plot/examples.js';
import { pinCard, PlotPane } from '../plot/pane.js';
import { idColumn, VirtualGrid, type GridColumn } from '../plot/table.js';
import { labelAt } from '../ui/bundle.js';
import { el, fill } from '../ui/dom.js';
import { count, labelLine, number, plural } from '../ui/format.js';
import { nodeCard, valueText } from './card.js';
import type { NodeColours } from './colour.js';
import type { Lighting } from './lighting.js';
import { componentsOf, topTokens, type Component, type GraphModel } from './model.js';
import { TABS, type GraphViewState, type NodeRef, type Tab } from './state.js';
import { evidence, noiseText } from './words.js';

export interface PaneHooks {
  pin(ref: NodeRef): void;
  unpin(index: number): void;
  unpinAll(): void;
  show(ref: NodeRef): void;
  hover(ref: NodeRef | null): void;
  select(set: number, nodes: number[], label: string): void;
  pick(set: number, point: number): void;
  tab(tab: Tab): void;
  sort(sort: GraphViewState['sort']): void;
}

const TITLES: Record<Tab, string> = {
  nodes: 'Nodes',
  components: 'Components',
  findings: 'Findings',
  noise: 'Noise',
  details: 'Pinned',
};

export class Pane extends PlotPane<Tab> {
  private readonly summary = el('p', { class: 'summary' });
  private readonly rows: NodeRef[];
  private readonly tokens = new Map<number, string>();
  private readonly nodes: VirtualGrid;
  private readonly noise: VirtualGrid;
  private readonly noiseRows: Array<{ set: number; point: number }>;
  private pinned = new Set<string>();
  private components: Component[] = [];
  private lit: Array<Uint8Array | null>;

  constructor(
    private readonly model: GraphModel,
    private readonly cache: ExampleCache,
    private readonly state: GraphViewState,
    private colours: NodeColours,
    private readonly hooks: PaneHooks,
  ) {
    super(
      'Nodes, components, findings, noise, pinned nodes',
      TABS.map((name) => ({ name, title: TITLES[name], table: name === 'nodes' || name === 'noise' })),
      (tab) => hooks.tab(tab),
    );
    this.lit = model.sets.map(() => null);
    this.rows = model.sets.flatMap((set, s) => Array.from({ length: set.n }, (_, node) => ({ set: s, node })));
    this.noiseRows = model.sets.flatMap((set, s) => Array.from(set.columns.noise, (point) => ({ set: s, point })));
    this.nodes = this.nodeGrid();
    this.noise = this.noiseGrid();
    this.body('nodes').append(this.summary, this.nodes.element);
    this.body('noise').append(
      ...model.sets.map((set) => el('p', { class: 'summary' }, `${set.name}: ${noiseText(set.meta)}.`)),
      this.noise.element,
    );
    this.nodes.setRows(this.rows.length);
    this.noise.setRows(this.noiseRows.length);
    this.setTitle('noise', `Noise (${count(this.noiseRows.length)})`);
    this.setPins([]);
    this.setFindings();
  }

  private nameColumn(setOf: (row: number) => number): GridColumn[] {
    const name = (row: number) => this.model.sets[setOf(row)].name;
    return this.model.sets.length > 1 ? [{ key: 'set', title: 'Graph', width: '3.6em', text: name, value: name }] : [];
  }

  private tokensOf(row: number): string {
    let text = this.tokens.get(row);
    if (text === undefined) {
      const { set, node } = this.rows[row];
      const top = topTokens(this.model.sets[set], node, 4);
      this.tokens.set(row, (text = labelLine(top.map((t) => t.text))));
    }
    return text;
  }

  private nodeGrid(): VirtualGrid {
    const at = (row: number) => this.rows[row];
    const set = (row: number) => this.model.sets[at(row).set];
    const value = (row: number) => this.colours.values[at(row).set][at(row).node];
    const columns: GridColumn[] = [
      ...this.nameColumn((row) => at(row).set),
      {
        key: 'node',
        title: 'Node',
        width: '3em',
        numeric: true,
        text: (r) => String(at(r).node),
        value: (r) => at(r).node,
      },
      {
        ...{ key: 'members', title: 'Members', width: '6em', numeric: true },
        text: (r) => count(set(r).size[at(r).node]),
        value: (r) => set(r).size[at(r).node],
      },
      {
        key: 'tokens',
        title: 'Tokens',
        width: 'minmax(0, 1fr)',
        text: (r) => this.tokensOf(r),
        value: (r) => this.tokensOf(r),
      },
      {
        ...{ key: 'component', title: 'Comp.', width: '4.2em', numeric: true },
        text: (r) => String(set(r).columns.component[at(r).node] + 1),
        value: (r) => set(r).columns.component[at(r).node],
      },
      {
        ...{ key: 'value', title: 'Colour', width: '4.6em', numeric: true },
        text: (r) => valueText(this.colours, value(r)),
        value,
      },
    ];
    return new VirtualGrid({
      label: 'Nodes',
      columns,
      sort: this.state.sort,
      rowClass: (row) => (this.pinned.has(`${at(row).set}:${at(row).node}`) ? 'pinned' : ''),
      onActivate: (row) => this.hooks.pin(at(row)),
      onHover: (row) => this.hooks.hover(row === null ? null : at(row)),
      onSort: this.hooks.sort,
    });
  }

  private noiseGrid(): VirtualGrid {
    const at = (row: number) => this.noiseRows[row];
    const label = (row: number) => labelLine(labelAt(this.model.sets[at(row).set].columns, at(row).point)) || '–';
    return new VirtualGrid({
      label: 'Points in no node',
      columns: [
        ...this.nameColumn((row) => at(row).set),
        idColumn({ key: 'point', title: 'Feature', width: '6em' }, (r) => at(r).point),
        { key: 'label', title: 'Label', width: 'minmax(0, 1fr)', text: label, value: (r) => label(r).toLowerCase() },
      ],
      sort: { key: 'point', descending: false },
      onActivate: (row) => this.hooks.pick(at(row).set, at(row).point),
    });
  }

  override showTab(tab: Tab | 'closed'): void {
    super.showTab(tab);
    this.nodes.draw();
    this.noise.draw();
  }

  setColours(colours: NodeColours): void {
    this.colours = colours;
    this.nodes.setRows(this.rows.length);
  }

  /** Rows of lit nodes, of the graphs that are shown. */
  setLighting(lighting: Lighting, shown: number): void {
    this.lit = lighting.points;
    this.nodes.filter((row) => {
      const { set, node } = this.rows[row];
      return (shown < 0 || shown === set) && (!lighting.active[set] || lighting.share[set][node] > 0);
    });
    const total = this.rows.length;
    this.summary.textContent =
      this.nodes.count === total ? plural(total, 'node') : `${count(this.nodes.count)} of ${plural(total, 'node')}`;
  }

  setComponents(minWeight: number): void {
    this.components = this.model.sets.flatMap((set) => componentsOf(set, minWeight).slice(0, 200));
    const cards = this.components.map((component, k) => {
      const set = this.model.sets[component.set];
      const largest = [...component.nodes].sort((a, b) => set.size[b] - set.size[a]).slice(0, 8);
      const tokens = [...new Set(largest.flatMap((node) => topTokens(set, node, 2).map((t) => t.text)))].slice(0, 8);
      const name = `${set.name}: component of ${plural(component.nodes.length, 'node')}`;
      const facts = `${plural(component.nodes.length, 'node')} · ${plural(component.edges, 'edge')} · ${plural(component.members, 'member')}`;
      return this.listEntry(
        component.set,
        facts,
        tokens.join(' · ') || 'no labels',
        () => this.hooks.select(component.set, component.nodes, name),
        `component ${k}`,
      );
    });
    const totals = this.model.sets
      .map((set) => `${set.name} ${count(componentsOf(set, minWeight).length)}`)
      .join(' · ');
    const note = `Components over edges of at least ${plural(minWeight, 'shared member')}: ${totals}. Click one to select its nodes.`;
    fill(this.body('components'), el('p', { class: 'fg-none' }, note), ...cards);
  }

  private listEntry(set: number, head: string, detail: string, onClick: () => void, label: string): HTMLElement {
    const node = el(
      'button',
      { class: 'entry', aria: { label: `${label}: ${head}` }, on: { click: onClick } },
      el(
        'span',
        { class: 'head' },
        el('span', { class: `badge set${Math.min(1, set)}` }, this.model.sets[set].name),
        head,
      ),
      el('span', { class: 'detail' }, detail),
    );
    node.type = 'button';
    return node;
  }

  private setFindings(): void {
    const all = this.model.sets.flatMap((set, s) => set.meta.findings.map((finding) => ({ set: s, finding })));
    if (all.length > 0) this.setTitle('findings', `Findings (${count(all.length)})`);
    const rank = (f: GraphFinding) => f.p ?? 2;
    all.sort((a, b) => rank(a.finding) - rank(b.finding) || b.finding.persistence - a.finding.persistence);
    const cards = all.map(({ set, finding }) => {
      const head = `${finding.kind} of ${plural(finding.nodes.length, 'node')}${finding.p !== undefined && finding.p <= 0.05 ? ' ★' : ''}`;
      const detail = `persistence ${number(finding.persistence, 3)} by ${finding.by} · ${evidence(finding)}`;
      const label = `${this.model.sets[set].name}: ${finding.kind} of ${plural(finding.nodes.length, 'node')}`;
      return this.listEntry(set, head, detail, () => this.hooks.select(set, finding.nodes, label), 'finding');
    });
    const note =
      cards.length > 0
        ? 'Loops, branches and components by extended persistence; ★ marks p ≤ 0.05. Click one to light its nodes.'
        : 'No loop or branch was looked for, or none was found.';
    fill(this.body('findings'), el('p', { class: 'fg-none' }, note), ...cards);
  }

  setPins(pins: readonly NodeRef[]): void {
    const { model, cache, colours, hooks } = this;
    const { colourBy } = this.state;
    this.pinned = new Set(pins.map((p) => `${p.set}:${p.node}`));
    const cards = pins.map((pin, index) =>
      pinCard({
        ...{ index, name: `${model.sets[pin.set].name} node ${pin.node}`, place: 'the graph' },
        content: nodeCard({
          ...{ model, cache, colours, colourBy, ...pin, members: 12, examples: 3, lit: this.lit[pin.set] },
          pick: (point) => hooks.pick(pin.set, point),
          show: (set, node) => hooks.show({ set, node }),
        }),
        show: () => hooks.show(pin),
        unpin: () => hooks.unpin(index),
      }),
    );
    this.drawPins('details', cards, {
      none: 'Click a node, or a row of the table, to pin it here.',
      clear: () => hooks.unpinAll(),
    });
    this.nodes.draw();
  }

  override dispose(): void {
    this.nodes.dispose();
    this.noise.dispose();
  }
}
