/** A graph view whose data is here: owns its state and ties plots, toolbar, lists and tooltip together. */
import { pushAll } from '../../protocol/lists.js';
import type { GraphSource } from '../../protocol/graph.js';
import type { JsonObject } from '../../protocol/notebook.js';
import { HOME, inPolygon, zoomAt } from '../map/camera.js';
import { ExampleCache } from '../map/card.js';
import { listenToGestures, type KeyAction, type Tool } from '../map/gestures.js';
import { readPalette, type Palette } from '../map/paint.js';
import { Tooltip, type Spot } from '../map/tooltip.js';
import { el } from '../ui/dom.js';
import { ViewLink } from '../ui/link.js';
import { plural } from '../ui/format.js';
import { messageOf } from '../ui/message.js';
import { nodeCard, spokenNode } from './card.js';
import { nodeColours, type NodeColours } from './colour.js';
import { describePlot, foot } from './frame.js';
import { drawLegend } from './legend.js';
import { computeLighting, nodesInside, nodesWith, pointsOf, type Lighting, type Lights } from './lighting.js';
import { nodeLabel, type GraphModel } from './model.js';
import { Pane } from './pane.js';
import { exportGraph } from './exporting.js';
import { nextHit, towards } from './moves.js';
import { Plot } from './plot.js';
import { makeScene } from './scene.js';
import { defaultState, restoreState, type GraphViewState, type NodeRef } from './state.js';
import { Toolbar } from './toolbar.js';
import type { GraphViewOptions } from './view.js';

export class LoadedGraph {
  private readonly state: GraphViewState;
  private readonly lights: Lights;
  private lighting: Lighting;
  private colours: NodeColours;
  private palette: Palette;
  private hover: NodeRef | null = null;
  private tool: Tool = 'pan';
  private readonly most: number;
  private readonly labels: string[][];
  private readonly cache: ExampleCache;
  private readonly plots: Plot[];
  private readonly toolbar: Toolbar;
  private readonly pane: Pane;
  private readonly link: ViewLink;
  private readonly tooltip = new Tooltip();
  private readonly stage = el('div', { class: 'stage plots' });
  private readonly legend = el('div', { class: 'legend', aria: { label: 'Legend' } });
  private readonly live = el('div', { class: 'fg-sr', aria: { live: 'polite' } });
  private tooltipTimer: ReturnType<typeof setTimeout> | undefined;
  private saveTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly observer = new ResizeObserver(() => this.measure());

  constructor(
    private readonly root: HTMLElement,
    private readonly model: GraphModel,
    source: GraphSource,
    private readonly options: GraphViewOptions,
  ) {
    const fallback = { ...defaultState(model), ...(options.compact && { tab: 'closed' as const }) };
    this.state = restoreState(options.state, model, fallback);
    this.lights = {
      query: this.state.query,
      substring: this.state.substring,
      selection: null,
      linked: null,
      pinned: null,
    };
    this.most = model.sets.reduce((m, set) => set.size.reduce((a, b) => Math.max(a, b), m), 1);
    this.labels = model.sets.map((set) => Array.from({ length: set.n }, (_, i) => nodeLabel(set, i)));
    this.palette = readPalette(root);
    this.cache = new ExampleCache(source);
    this.colours = nodeColours(model, this.state.colourBy, this.state.stat);
    this.lighting = computeLighting(model, this.lights);
    this.plots = model.sets.map((_, s) => this.makePlot(s));
    this.toolbar = this.makeToolbar();
    this.pane = this.makePane();
    this.root.append(
      this.toolbar.element,
      el('div', { class: 'maps' }, this.stage, foot(model, this.legend)),
      this.pane.element,
      this.tooltip.element,
      this.live,
    );
    this.measure();
    this.observer.observe(root);
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

  private makePlot(s: number): Plot {
    const plot = new Plot(this.state.cameras[s], this.options.canvas ?? 'auto', {
      resized: () => this.paint(s),
      moved: () => {
        this.state.cameras[s] = plot.camera;
        this.tooltip.hide();
        this.save();
      },
    });
    plot.setMarks({ label: (node) => this.labels[s][node] });
    describePlot(plot, this.model, s, this.options.wheel === 'focused');
    listenToGestures(plot.layer, this.gestures(s, plot));
    this.stage.append(plot.element);
    return plot;
  }

  private gestures(s: number, plot: Plot): Parameters<typeof listenToGestures>[1] {
    const { layer } = plot;
    return {
      camera: () => plot.camera,
      box: () => plot.box,
      tool: () => this.tool,
      shiftDrag: 'lasso',
      arrowsMove: true,
      setCamera: (camera) => plot.setCamera(camera),
      point: (at) => {
        const node = at ? plot.nodeAt(at.x, at.y) : -1;
        layer.classList.toggle('pick', node >= 0);
        this.setHover(node >= 0 ? { set: s, node } : null, at && { x: at.clientX, y: at.clientY });
      },
      click: (at) => {
        const node = plot.nodeAt(at.x, at.y);
        if (node >= 0) this.togglePin({ set: s, node });
      },
      outline: (polygon, done) => this.outline(s, polygon, done),
      key: (action) => this.onKey(s, action),
      wheelZooms: () => this.options.wheel !== 'focused' || (layer.getRootNode() as ShadowRoot).activeElement === layer,
    };
  }

  private makeToolbar(): Toolbar {
    const { openInPanel, saveGraphPage } = this.options;
    return new Toolbar(this.model, this.state, {
      changed: (change) => this.changed(change),
      tool: (tool) => {
        this.tool = tool;
        this.stage.dataset.tool = tool;
      },
      zoom: (factor) =>
        this.plots.forEach((p) => p.glide(zoomAt(p.camera, p.box, p.box.width / 2, p.box.height / 2, factor))),
      reset: () => this.plots.forEach((p) => p.glide(HOME)),
      togglePane: () => this.showTab(this.state.tab === 'closed' ? 'nodes' : 'closed'),
      clearSelection: () => this.select(null),
      unlink: () => this.link.forget(),
      export: (kind, set) => void this.export(kind, set),
      openInPanel: openInPanel && (() => openInPanel(this.saved())),
      html: saveGraphPage !== undefined,
    });
  }

  private makePane(): Pane {
    return new Pane(this.model, this.cache, this.state, this.colours, {
      pin: (ref) => this.togglePin(ref),
      unpin: (index) => {
        this.state.pins.splice(index, 1);
        this.pinsChanged();
      },
      unpinAll: () => this.clearPins(),
      show: (ref) => this.show(ref.set, [ref.node]),
      hover: (ref) => this.setHover(ref, null),
      select: (set, nodes, label) => {
        this.select({ set, nodes, label });
        this.show(set, nodes);
      },
      pick: (set, point) => this.link.pick(set, point),
      tab: (tab) => this.showTab(tab),
      sort: (sort) => {
        this.state.sort = sort;
        this.save();
      },
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
    this.stage.dataset.count = String(shown >= 0 ? 1 : this.plots.length);
  }

  /** Rings at once; the card, which may ask the host for examples, only where the pointer stays a moment. */
  private setHover(ref: NodeRef | null, at: Spot | null): void {
    const same = this.hover?.set === ref?.set && this.hover?.node === ref?.node;
    if (same && at) this.tooltip.move(at);
    if (same) return;
    clearTimeout(this.tooltipTimer);
    this.hover = ref;
    this.plots.forEach((plot, s) => plot.setMarks({ hover: ref?.set === s ? ref.node : -1 }));
    if (!ref || !at) {
      this.tooltip.hide();
      return;
    }
    this.tooltipTimer = setTimeout(() => {
      const { model, cache, colours } = this;
      const options = { colourBy: this.state.colourBy, members: 5, examples: 2, lit: this.lighting.points[ref.set] };
      this.tooltip.show(nodeCard({ model, cache, colours, ...options, ...ref }), at, null);
    }, 40);
  }

  private outline(s: number, polygon: number[], done: boolean): void {
    const plot = this.plots[s];
    plot.setMarks({ lasso: done ? null : polygon });
    if (!done) return;
    const world: number[] = [];
    for (let i = 0; i < polygon.length; i += 2) pushAll(world, plot.toWorld(polygon[i], polygon[i + 1]));
    const nodes = nodesInside(this.model.sets[s], world, inPolygon);
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

  private onKey(s: number, action: KeyAction): void {
    if (action.kind === 'reset') this.plots.forEach((p) => p.glide(HOME));
    else if (action.kind === 'search') this.toolbar.focusSearch();
    else if (action.kind === 'clear') this.clear();
    else if (action.kind === 'pin') {
      if (this.hover) this.togglePin(this.hover);
    } else {
      const set = this.model.sets[s];
      const from = this.hover?.set === s ? this.hover.node : -1;
      const node =
        action.kind === 'move'
          ? towards(set, from, action.dx, action.dy, this.plots[s].camera)
          : nextHit(this.lighting, s, set.n, from, action.step);
      if (node < 0) return;
      const plot = this.plots[s];
      const [x, y] = plot.at(node);
      if (x < 20 || y < 20 || x > plot.box.width - 20 || y > plot.box.height - 20)
        plot.setCamera({ ...plot.camera, x: set.x[node], y: set.y[node] });
      const rect = plot.layer.getBoundingClientRect();
      const [sx, sy] = plot.at(node);
      this.setHover({ set: s, node }, { x: rect.left + sx, y: rect.top + sy });
      this.say(spokenNode(this.model, s, node));
    }
  }

  private show(set: number, nodes: number[]): void {
    if (this.state.shown >= 0 && this.state.shown !== set) return;
    this.plots[set].glide(this.plots[set].around(nodes));
  }

  private togglePin(ref: NodeRef): void {
    const known = this.state.pins.findIndex((p) => p.set === ref.set && p.node === ref.node);
    if (known >= 0) this.state.pins.splice(known, 1);
    else this.state.pins.push({ set: ref.set, node: ref.node });
    clearTimeout(this.tooltipTimer);
    this.tooltip.hide();
    this.pinsChanged();
    this.say(`${known >= 0 ? 'Unpinned' : 'Pinned'} ${spokenNode(this.model, ref.set, ref.node)}`);
    if (known < 0) this.showTab('details');
  }

  pinNode(set: number, node: number): boolean {
    if (!(node >= 0) || !(this.model.sets[set]?.n > node)) return false;
    if (!this.state.pins.some((p) => p.set === set && p.node === node)) this.togglePin({ set, node });
    this.show(set, [node]);
    return true;
  }

  private clear(): void {
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

  themeChanged(): void {
    this.palette = readPalette(this.root);
    this.lightsChanged(false, false);
  }

  search(text: string): void {
    this.toolbar.setQuery(text);
    this.changed({ query: text });
  }

  private async export(kind: Parameters<typeof exportGraph>[0], set: number): Promise<void> {
    const { model, state, options, plots, colours, palette } = this;
    try {
      const path = await exportGraph(kind, set, { model, state, options, plots, colours, palette });
      this.say(path === null ? 'Nothing was saved' : `Saved ${path}`);
    } catch (error) {
      this.say(`The export failed: ${messageOf(error)}`);
      this.toolbar.setSelection(`The export failed: ${messageOf(error)}`);
    }
  }

  private showTab(tab: GraphViewState['tab']): void {
    this.state.tab = tab;
    this.root.dataset.pane = tab;
    this.pane.showTab(tab);
    this.save();
  }

  private measure(): void {
    const width = this.root.clientWidth;
    this.root.dataset.size = width >= (this.options.compact ? 900 : 1060) ? 'wide' : width >= 700 ? 'medium' : 'narrow';
  }

  private say(text: string): void {
    this.live.textContent = text;
  }

  saved(): JsonObject {
    return JSON.parse(JSON.stringify(this.state)) as JsonObject;
  }

  private save(): void {
    clearTimeout(this.saveTimer);
    this.saveTimer = setTimeout(() => this.options.onState?.(this.saved()), 200);
  }

  dispose(): void {
    for (const timer of [this.tooltipTimer, this.saveTimer]) clearTimeout(timer);
    this.observer.disconnect();
    this.link.dispose();
    this.tooltip.dispose();
    this.toolbar.dispose();
    this.pane.dispose();
    for (const plot of this.plots) plot.dispose();
  }
}
