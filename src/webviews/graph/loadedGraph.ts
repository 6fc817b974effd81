/** A graph view whose data is here: owns its state and ties plots, toolbar, lists and tooltip together. */
import { pushAll } from '../../protocol/lists.js';
import { inPolygon, polygonToWorld, type Camera } from '../plot/camera.js';
import { ExampleCache } from '../plot/examples.js';
import { foot } from '../plot/frame.js';
import type { CursorMove } from '../plot/gestures.js';
import { LoadedPlot, type Field, type Item } from '../plot/loaded.js';
import { nextOf, towards } from '../plot/moves.js';
import type { PaperPicture } from '../plot/paper.js';
import { el } from '../ui/dom.js';
import { plural } from '../ui/format.js';
import { ViewLink } from '../ui/link.js';
import { messageOf } from '../ui/message.js';
import { nodeCard, spokenNode } from './card.js';
import { nodeColours, type NodeColours } from './colour.js';
import { exportGraph, pictureOf, type ExportJob, type GraphHost } from './exporting.js';
import { describePlot, provenance } from './frame.js';
import { drawLegend } from './legend.js';
import { computeLighting, nodesInside, nodesWith, pointsOf, type Lighting, type Lights } from './lighting.js';
import { nodeLabel, type GraphModel, type GraphSource } from './model.js';
import { Pane } from './pane.js';
import { Plot } from './plot.js';
import { makeScene } from './scene.js';
import { defaultState, restoreState, type GraphViewState } from './state.js';
import { Toolbar } from './toolbar.js';

export class LoadedGraph extends LoadedPlot<GraphViewState, Exclude<GraphViewState['tab'], 'closed'>> {
  protected override readonly firstTab = 'nodes';
  private readonly lights: Lights;
  private lighting: Lighting;
  private colours: NodeColours;
  private readonly most: number;
  private readonly labels: string[][];
  private readonly cache: ExampleCache;
  private readonly plots: Plot[] = [];
  protected readonly toolbar: Toolbar;
  protected readonly pane: Pane;
  protected readonly link: ViewLink;
  private readonly graphs = el('div', { class: 'stage plots' });

  constructor(
    root: HTMLElement,
    private readonly model: GraphModel,
    source: GraphSource,
    private readonly options: GraphHost,
  ) {
    const fallback = { ...defaultState(model), ...(options.compact && { tab: 'closed' as const }) };
    super(root, options, restoreState(options.state, model, fallback));
    this.lights = {
      query: this.state.query,
      substring: this.state.substring,
      selection: null,
      linked: null,
      pinned: null,
    };
    this.most = model.sets.reduce((m, set) => set.size.reduce((a, b) => Math.max(a, b), m), 1);
    this.labels = model.sets.map((set) => Array.from({ length: set.n }, (_, i) => nodeLabel(set, i)));
    this.cache = new ExampleCache(source);
    this.colours = nodeColours(model, this.state.colourBy, this.state.stat);
    this.lighting = computeLighting(model, this.lights);
    model.sets.forEach((_, s) => this.makePlot(s));
    this.toolbar = this.makeToolbar();
    this.pane = this.makePane();
    this.assemble({
      ...{ toolbar: this.toolbar.element, stage: this.graphs, pane: this.pane.element },
      foot: foot(this.legend, provenance(model)),
    });
    this.pane.setComponents(this.state.minWeight);
    this.showTab(this.state.tab);
    this.link = new ViewLink(model.sets, options.link, {
      lit: (linked, label) => {
        this.lights.linked = linked;
        this.toolbar.setLinked(linked && label);
        this.lightsChanged(true, false);
      },
      // Graphs of one SAE all show where the feature is.
      picked: (set, point) => {
        this.picked(set, point);
        return false;
      },
    });
    this.setShown(this.state.shown);
    this.pinsChanged();
  }

  private makePlot(s: number): void {
    const plot = new Plot(this.state.cameras[s], this.options.canvas ?? 'auto', {
      resized: () => this.paint(s),
      moved: () => this.moved(s),
    });
    plot.setMarks({ label: (node) => this.labels[s][node] });
    describePlot(plot, this.model, s, this.scrollingPage);
    this.plots.push(plot);
    this.listen(s, { shiftDrag: 'lasso', arrowsMove: true });
    this.graphs.append(plot.element);
  }

  protected override field(s: number): Field {
    return this.plots[s];
  }

  protected override look(s: number, camera: Camera): void {
    this.plots[s].setCamera(camera);
  }

  protected override glide(cameras: readonly Camera[]): void {
    this.plots.forEach((plot, s) => plot.glide(cameras[s]));
  }

  protected override itemAt(s: number, x: number, y: number): number {
    return this.plots[s].nodeAt(x, y);
  }

  protected override placeOf({ set, item }: Item): [number, number] {
    const { x, y } = this.model.sets[set];
    return [x[item], y[item]];
  }

  protected override cursor(s: number, from: number, action: CursorMove): number {
    const set = this.model.sets[s];
    if (action.kind === 'move') return towards(set, set.size.keys(), from, action.dx, action.dy, this.plots[s].camera);
    const lit = (i: number) => !this.lighting.active[s] || this.lighting.share[s][i] > 0;
    return nextOf(set.n, from, action.step, lit);
  }

  protected override drawHover(item: Item | null): void {
    this.plots.forEach((plot, s) => plot.setMarks({ hover: item?.set === s ? item.item : -1 }));
  }

  protected override card({ set, item }: Item): { card: HTMLElement; avoid: null } {
    const { model, cache, colours } = this;
    const options = { colourBy: this.state.colourBy, members: 5, examples: 2, lit: this.lighting.points[set] };
    return { card: nodeCard({ model, cache, colours, ...options, set, node: item }), avoid: null };
  }

  protected override spoken({ set, item }: Item): string {
    return spokenNode(this.model, set, item);
  }

  private makeToolbar(): Toolbar {
    return new Toolbar(this.model, this.state, {
      ...this.plotHooks(),
      changed: (change) => this.changed(change),
      clearSelection: () => this.select(null),
      export: (kind, set) => void this.export(kind, set),
      html: this.options.savePage !== undefined,
    });
  }

  private makePane(): Pane {
    return new Pane(this.model, this.cache, this.state, this.colours, {
      pin: ({ set, node }) => this.togglePin({ set, item: node }),
      unpin: (index) => {
        this.state.pins.splice(index, 1);
        this.pinsChanged();
      },
      unpinAll: () => this.clearPins(),
      show: (ref) => this.show(ref.set, [ref.node]),
      hover: (ref) => this.setHover(ref && { set: ref.set, item: ref.node }, null),
      select: (set, nodes, label) => {
        this.select({ set, nodes, label });
        this.show(set, nodes);
      },
      pick: (set, point) => this.link.open(set, point),
      tab: (tab) => this.chooseTab(tab),
      sort: (sort) => this.sorted(sort),
    });
  }

  private changed(change: Partial<GraphViewState>): void {
    Object.assign(this.state, change);
    if ('colourBy' in change || 'stat' in change) {
      this.colours = nodeColours(this.model, this.state.colourBy, this.state.stat);
      this.toolbar.setColour();
      this.pane.setColours(this.colours);
      this.pane.setPins(this.state.pins);
    }
    if ('minWeight' in change) this.pane.setComponents(this.state.minWeight);
    if ('shown' in change) this.setShown(this.state.shown);
    this.lights.query = this.state.query;
    this.lights.substring = this.state.substring;
    const searched = 'query' in change || 'substring' in change;
    this.lightsChanged(searched);
    if (searched) this.pane.setPins(this.state.pins);
    if (change.noise) this.showTab('noise');
  }

  private setShown(shown: number): void {
    this.plots.forEach((plot, s) => (plot.element.hidden = shown >= 0 && shown !== s));
    this.graphs.dataset.count = String(shown >= 0 ? 1 : this.plots.length);
  }

  protected override outline(s: number, polygon: number[], done: boolean): void {
    const plot = this.plots[s];
    plot.setMarks({ lasso: done ? null : polygon });
    if (!done) return;
    const nodes = nodesInside(this.model.sets[s], polygonToWorld(plot.camera, plot.box, polygon), inPolygon);
    this.select(
      nodes.length > 0 ? { set: s, nodes, label: `${this.model.sets[s].name}: ${plural(nodes.length, 'node')}` } : null,
    );
  }

  private select(selection: Lights['selection']): void {
    this.lights.selection = selection;
    this.toolbar.setSelection(
      selection &&
        `${selection.label}, ${plural(pointsOf(this.model, selection.set, selection.nodes).length, 'member')}`,
    );
    this.lightsChanged(true);
  }

  /** Another view picked a feature: the nodes that hold it are ringed and named. */
  private picked(set: number, point: number): void {
    const nodes = nodesWith(this.model, set, point);
    this.plots.forEach((plot, s) => plot.setMarks({ picked: new Set(s === set ? nodes : []) }));
    const noise = this.model.sets[set].columns.noise.includes(point);
    const none = noise ? 'in no node: it is noise' : 'in no node: its row was left out';
    const where = nodes.length > 0 ? `in ${nodes.map((n) => `node ${n}`).join(', ')}` : none;
    this.say(`${this.model.sets[set].name} #${point} is ${where}`);
  }

  private show(set: number, nodes: number[]): void {
    if (this.state.shown >= 0 && this.state.shown !== set) return;
    this.plots[set].glide(this.plots[set].around(nodes));
  }

  protected override togglePin(item: Item): void {
    const { set, item: node } = item;
    const known = this.state.pins.findIndex((p) => p.set === set && p.node === node);
    if (known >= 0) this.state.pins.splice(known, 1);
    else this.state.pins.push({ set, node });
    this.dropCard();
    this.pinsChanged();
    this.say(`${known >= 0 ? 'Unpinned' : 'Pinned'} ${this.spoken(item)}`);
    if (known < 0) this.showTab('details');
  }

  protected override clear(): void {
    this.setHover(null, null);
    this.plots.forEach((plot) => plot.setMarks({ picked: new Set() }));
    if (this.lights.selection) this.select(null);
    else this.clearPins();
  }

  private clearPins(): void {
    this.state.pins = [];
    this.pinsChanged();
    this.say('No pins');
  }

  private pinsChanged(): void {
    const pins = this.state.pins.map((p, k) => ({ ...p, number: k + 1 }));
    this.plots.forEach((plot, s) => plot.setMarks({ pins: pins.filter((p) => p.set === s) }));
    this.lights.pinned = this.model.twin ? (this.state.pins.at(-1) ?? null) : null;
    this.pane.setPins(this.state.pins);
    this.lightsChanged(false);
  }

  private lightsChanged(announce: boolean, tell = true): void {
    this.lighting = computeLighting(this.model, this.lights);
    this.plots.forEach((plot, s) => {
      plot.setMarks({ matched: this.lighting.matched[s] });
      this.paint(s);
    });
    drawLegend(this.legend, this.colours, this.lighting, this.palette);
    this.pane.setLighting(this.lighting, this.state.shown);
    this.toolbar.setHits(this.lighting);
    if (tell) this.tell();
    this.save();
    if (announce && this.lighting.active.some(Boolean))
      this.say(
        this.model.sets.map((set, s) => `${set.name}: ${plural(this.lighting.hits[s].nodes, 'node')} lit`).join('; '),
      );
  }

  /** What is pinned, selected, searched or shown as noise here is lit in the other views. */
  private tell(): void {
    const { model, lights, state } = this;
    const searched = lights.query.trim() !== '';
    const own = searched ? computeLighting(model, { ...lights, linked: null, selection: null, pinned: null }) : null;
    const what: string[] = [];
    if (state.pins.length > 0)
      what.push(state.pins.length === 1 ? `node ${state.pins[0].node}` : plural(state.pins.length, 'pinned node'));
    if (lights.selection) what.push(lights.selection.label);
    if (searched) what.push(`“${lights.query.trim()}”`);
    if (state.noise) what.push('noise');
    const points = model.sets.map((set, s) => {
      const nodes = state.pins.filter((p) => p.set === s).map((p) => p.node);
      if (lights.selection?.set === s) pushAll(nodes, lights.selection.nodes);
      const all = new Set(pointsOf(model, s, nodes));
      own?.points[s]?.forEach((hit, point) => hit && all.add(point));
      if (state.noise) for (const point of set.columns.noise) all.add(point);
      return [...all];
    });
    const said = points.map((own) => (own.length > 0 ? own : null));
    this.link.tell(said, what.join(', '));
  }

  private paint(s: number): void {
    const { model, colours, lighting, palette, most } = this;
    const { width, height } = this.plots[s].box;
    const job = { model, colours, lighting, palette, most, minWeight: this.state.minWeight };
    this.plots[s].setScene(makeScene(job, s, width || 400, height || 400), palette);
  }

  override themeChanged(): void {
    super.themeChanged();
    this.lightsChanged(false, false);
  }

  private get job(): ExportJob {
    const { model, state, options, plots, colours, lighting, most } = this;
    return { model, state, options, plots, colours, lighting, most };
  }

  protected override onPaper(width: number): PaperPicture {
    return pictureOf(this.job, width);
  }

  private async export(kind: Parameters<typeof exportGraph>[0], set: number): Promise<void> {
    try {
      const path = await exportGraph(kind, set, this.job);
      this.say(path === null ? 'Nothing was saved' : `Saved ${path}`);
    } catch (error) {
      this.say(`The export failed: ${messageOf(error)}`);
      this.toolbar.tell(`The export failed: ${messageOf(error)}`);
    }
  }

  protected override get tab(): GraphViewState['tab'] {
    return this.state.tab;
  }

  protected override set tab(tab: GraphViewState['tab']) {
    this.state.tab = tab;
  }

  override dispose(): void {
    super.dispose();
    for (const plot of this.plots) plot.dispose();
  }
}
