/** A map view whose data is here: owns its state and ties stage, toolbar, pane and tooltip together. */
import { pushAll } from '../../protocol/lists.js';
import type { JsonObject } from '../../protocol/notebook.js';
import type { MapSource } from '../../protocol/map.js';
import { el } from '../ui/dom.js';
import { count, plural } from '../ui/format.js';
import { HOME, scaleOf, toScreen, toWorld, zoomAt, type Camera } from './camera.js';
import { ExampleCache, pairCard, spokenPair } from './card.js';
import { computeLit, groupCounts, groupIndices, linkOf, type Filters, type Lit } from './filter.js';
import { decorateLayer, foot } from './frame.js';
import { listenToGestures, type CursorMove, type KeyAction, type Tool } from './gestures.js';
import { drawLegend } from './legend.js';
import { MapLink } from './linking.js';
import type { MapModel } from './model.js';
import { baseDiameter, paint, rateRange, readPalette, type Palette } from './paint.js';
import { Pane } from './pane.js';
import { PickIndex } from './pick.js';
import { arrowPainter, moveTo, unitOf } from './shift.js';
import { Stage } from './stage.js';
import { defaultState, restoreState, type MapViewState } from './state.js';
import { Toolbar } from './toolbar.js';
import { Tooltip, type Spot } from './tooltip.js';
import type { MapViewOptions } from './view.js';

interface Hover {
  set: number;
  point: number;
  partner: number;
}

export class LoadedView {
  private readonly state: MapViewState;
  private filters: Filters;
  private lit: Lit;
  private palette: Palette;
  private groups: Int16Array[] = [];
  private readonly rates: [number, number];
  private picks: PickIndex[];
  private hover: Hover | null = null;
  private pins: Array<{ set: number; feature: number; point: number }> = [];
  private tool: Tool = 'pan';
  private readonly cache: ExampleCache;
  private readonly stage: Stage;
  private readonly toolbar: Toolbar;
  private readonly pane: Pane;
  private readonly link: MapLink;
  private readonly tooltip = new Tooltip();
  private readonly legend = el('div', { class: 'legend', aria: { label: 'Legend' } });
  private readonly live = el('div', { class: 'fg-sr', aria: { live: 'polite' } });
  private readonly counts: HTMLElement[] = [];
  private tooltipTimer: ReturnType<typeof setTimeout> | undefined;
  private saveTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly observer = new ResizeObserver(() => this.measure());

  constructor(
    private readonly root: HTMLElement,
    private readonly model: MapModel,
    source: MapSource,
    private readonly options: MapViewOptions,
  ) {
    const fallback: MapViewState = {
      ...defaultState(model.sets.length),
      pane: options.compact ? 'closed' : 'pairs',
      ...(model.meta.shift ? { colorBy: 'delta' } : {}),
    };
    this.state = restoreState(options.state, model.sets.length, fallback);
    this.filters = { ...this.state, selection: null, linked: null };
    moveTo(model, this.state.shift);
    this.lit = computeLit(model, this.filters);
    this.palette = readPalette(root);
    this.rates = rateRange(model);
    this.cache = new ExampleCache(source);
    this.picks = model.sets.map((set) => new PickIndex(set, this.state.showDead));
    this.stage = new Stage(
      model,
      this.state.cameras,
      { resized: () => this.repaint(), moved: (s) => this.cameraMoved(s) },
      options.canvas ?? 'auto',
    );
    this.toolbar = this.makeToolbar();
    this.pane = this.makePane();
    this.assemble();
    this.measure();
    this.observer.observe(root);
    for (const pin of this.state.pins) this.addPin(pin.set, model.sets[pin.set].pointOf.get(pin.feature) ?? -1);
    this.pinsChanged();
    this.stage.setPalette(this.palette);
    this.filtersChanged(false);
    this.countGroups();
    this.link = new MapLink(model, options.link, {
      lit: (linked, label) => {
        this.filters.linked = linked;
        this.toolbar.setLinked(linked && label);
        this.filtersChanged(true, false);
      },
      picked: (set, point) => this.setHover(set, point, null),
    });
    this.link.light(this.filters);
  }

  private makeToolbar(): Toolbar {
    const { openInPanel } = this.options;
    return new Toolbar(this.model, this.state, {
      changed: (change) => {
        Object.assign(this.state, change);
        Object.assign(this.filters, change);
        if ('shift' in change) moveTo(this.model, this.state.shift);
        if ('showDead' in change || 'shift' in change)
          this.picks = this.model.sets.map((set) => new PickIndex(set, this.state.showDead));
        if ('nullShown' in change) this.stage.setAlone(!this.state.nullShown);
        if ('minR' in change) this.pinsChanged();
        this.filtersChanged(true);
      },
      tool: (tool) => {
        this.tool = tool;
        this.stage.element.dataset.tool = tool;
      },
      zoom: (factor) =>
        this.stage.glide(this.stage.views.map((v) => zoomAt(v.camera, v, v.width / 2, v.height / 2, factor))),
      reset: () => this.stage.glide(this.stage.views.map(() => HOME)),
      togglePane: () => this.showPane(this.state.pane === 'closed' ? 'pairs' : 'closed'),
      unlink: () => this.link.forget(),
      openInPanel: openInPanel && (() => openInPanel(this.saved())),
    });
  }

  private makePane(): Pane {
    return new Pane(this.model, this.cache, this.state, {
      pin: (set, point) => this.togglePin(set, point),
      unpin: (index) => {
        this.pins.splice(index, 1);
        this.pinsChanged();
      },
      unpinAll: () => this.clearPins(),
      show: (set, point) => this.show(set, point),
      hover: (set, point) => this.setHover(point === null ? null : set, point ?? -1, null),
      tab: (tab) => this.showPane(tab),
      sort: (sort) => {
        this.state.sort = sort;
        this.save();
      },
    });
  }

  private assemble(): void {
    this.stage.layers.forEach((layer, s) => {
      this.counts[s] = decorateLayer(layer, this.model, s, this.options.wheel === 'focused');
      listenToGestures(layer, this.gestureTarget(s, layer));
    });
    this.root.append(
      this.toolbar.element,
      el('div', { class: 'maps' }, this.stage.element, foot(this.model, this.legend)),
      this.pane.element,
      this.tooltip.element,
      this.live,
    );
    this.showPane(this.state.pane);
    if (this.model.meta.shift) this.stage.setAlone(!this.state.nullShown);
  }

  private gestureTarget(s: number, layer: HTMLElement): Parameters<typeof listenToGestures>[1] {
    const view = this.stage.views[s];
    return {
      camera: () => view.camera,
      box: () => view,
      tool: () => this.tool,
      setCamera: (camera) => this.setCamera(s, camera),
      point: (at) => {
        const point = at ? this.pointAt(s, at.x, at.y) : -1;
        layer.classList.toggle('pick', point >= 0);
        this.setHover(point >= 0 ? s : null, point, at && { x: at.clientX, y: at.clientY });
      },
      click: (at) => {
        const point = this.pointAt(s, at.x, at.y);
        if (point >= 0) this.togglePin(s, point);
      },
      outline: (polygon, done) => this.outline(s, polygon, done),
      key: (action) => this.onKey(s, action),
      wheelZooms: () => this.options.wheel !== 'focused' || (layer.getRootNode() as ShadowRoot).activeElement === layer,
    };
  }

  private pointAt(s: number, x: number, y: number): number {
    const view = this.stage.views[s];
    const [wx, wy] = toWorld(view.camera, view, x, y);
    return this.picks[s].nearest(
      wx,
      wy,
      14 / scaleOf(view.camera, view),
      this.lit.active ? this.lit.state[s] : undefined,
    );
  }

  /** Rings at once; the card, which may ask the host for examples, only where the pointer stays a moment. */
  private setHover(set: number | null, point: number, at: Spot | null): void {
    const same = this.hover !== null && this.hover.set === set && this.hover.point === point;
    if (same && at) this.tooltip.move(at);
    if (same || (set === null && this.hover === null)) return;
    clearTimeout(this.tooltipTimer);
    this.hover = set === null ? null : { set, point, partner: linkOf(this.model.sets[set], point, this.filters.minR) };
    this.stage.setScene({ hover: this.hover });
    if (!this.hover || !at) {
      this.tooltip.hide();
      return;
    }
    const hover = this.hover;
    this.tooltipTimer = setTimeout(
      () => {
        const card = pairCard({ model: this.model, cache: this.cache, ...hover, examples: 3 });
        this.tooltip.show(card, at, hover.partner >= 0 ? this.clientSpot(1 - hover.set, hover.partner) : null);
      },
      this.tooltip.element.matches(':popover-open') ? 12 : 30,
    );
  }

  /** Where a point is in the window. */
  private clientSpot(s: number, point: number): Spot {
    const rect = this.stage.element.getBoundingClientRect();
    const view = this.stage.views[s];
    const [x, y] = toScreen(view.camera, view, this.model.sets[s].x[point], this.model.sets[s].y[point]);
    return { x: rect.left + view.left + x, y: rect.top + view.top + y };
  }

  private outline(s: number, polygon: number[], done: boolean): void {
    const view = this.stage.views[s];
    if (!done) {
      this.stage.setScene({ lasso: polygon.map((v, i) => v + (i % 2 === 0 ? view.left : view.top)) });
      return;
    }
    this.stage.setScene({ lasso: null });
    const world: number[] = [];
    for (let i = 0; i < polygon.length; i += 2) pushAll(world, toWorld(view.camera, view, polygon[i], polygon[i + 1]));
    const points = this.picks[s].inside(world);
    this.filters.selection = points.length > 0 ? { set: s, points } : null;
    this.filtersChanged(true);
  }

  private onKey(s: number, action: KeyAction): void {
    if (action.kind === 'reset') this.stage.glide(this.stage.views.map(() => HOME));
    else if (action.kind === 'search') this.toolbar.focusSearch();
    else if (action.kind === 'pin') {
      if (this.hover) this.togglePin(this.hover.set, this.hover.point);
    } else if (action.kind === 'clear') this.clear();
    else this.moveCursor(s, action);
  }

  /** Moves the highlight by keys and says where it is. */
  private moveCursor(s: number, action: CursorMove): void {
    const { n } = this.model.sets[s];
    const from = this.hover?.set === s ? this.hover.point : -1;
    let point = -1;
    if (action.kind === 'move') {
      const view = this.stage.views[s];
      point =
        from < 0
          ? this.picks[s].nearest(view.camera.x, view.camera.y, 4)
          : this.picks[s].towards(from, action.dx, action.dy);
    } else
      for (let k = 1; k <= n && point < 0; k++) {
        const i = ((((from < 0 && action.step < 0 ? 0 : from) + k * action.step) % n) + n) % n;
        if (this.lit.state[s][i] === 1) point = i;
      }
    if (point < 0) return;
    this.keepInView(s, point);
    this.setHover(s, point, this.clientSpot(s, point));
    this.say(spokenPair(this.model, s, point, this.hover?.partner ?? -1));
  }

  private keepInView(s: number, point: number): void {
    const view = this.stage.views[s];
    const { x, y } = this.model.sets[s];
    const [sx, sy] = toScreen(view.camera, view, x[point], y[point]);
    if (sx < 20 || sy < 20 || sx > view.width - 20 || sy > view.height - 20)
      this.stage.setCamera(s, { ...view.camera, x: x[point], y: y[point] });
  }

  /** Maps of one embedding are looked at from one place. */
  private setCamera(s: number, camera: Camera): void {
    const views = this.model.meta.shift ? [...this.model.sets.keys()] : [s];
    for (const view of views) this.stage.setCamera(view, camera);
  }

  /** Brings a point and its partner into the middle of their maps. */
  private show(set: number, point: number): void {
    const partner = linkOf(this.model.sets[set], point, this.filters.minR);
    const targets = this.stage.views.map(({ camera }, s): Camera => {
      const i = s === set ? point : partner;
      if (i < 0) return camera;
      return { x: this.model.sets[s].x[i], y: this.model.sets[s].y[i], zoom: Math.max(camera.zoom, 4) };
    });
    this.stage.glide(targets);
  }

  private addPin(set: number, point: number): boolean {
    if (point < 0) return false;
    this.pins.push({ set, point, feature: this.model.sets[set].columns.feature[point] });
    return true;
  }

  /** Pins a pair, or unpins it when either of its ends is pinned already. */
  private togglePin(set: number, point: number): void {
    const partner = linkOf(this.model.sets[set], point, this.filters.minR);
    const known = this.pins.findIndex(
      (p) =>
        (p.set === set && p.point === point) ||
        (p.set === 1 - set &&
          p.point === partner &&
          linkOf(this.model.sets[p.set], p.point, this.filters.minR) === point),
    );
    if (known >= 0) this.pins.splice(known, 1);
    else this.addPin(set, point);
    this.pinsChanged();
    if (known < 0) this.link.pick(set, this.model.sets[set].columns.feature[point]);
    this.say(`${known >= 0 ? 'Unpinned' : 'Pinned'} ${spokenPair(this.model, set, point, partner)}`);
    if (known < 0) this.showPane('details');
  }

  pinFeature(set: number, feature: number): boolean {
    const point = this.model.sets[set]?.pointOf.get(feature) ?? -1;
    if (point < 0) return false;
    if (!this.pins.some((p) => p.set === set && p.point === point)) this.togglePin(set, point);
    this.show(set, point);
    return true;
  }

  private clear(): void {
    this.setHover(null, -1, null);
    if (this.filters.selection) {
      this.filters.selection = null;
      this.filtersChanged(true);
    } else this.clearPins();
  }

  private clearPins(): void {
    this.pins = [];
    this.pinsChanged();
    this.say('No pins');
  }

  private pinsChanged(): void {
    this.state.pins = this.pins.map(({ set, feature }) => ({ set, feature }));
    this.stage.setScene({
      pins: this.pins.map((p) => ({ ...p, partner: linkOf(this.model.sets[p.set], p.point, this.filters.minR) })),
    });
    this.pane.setPins(this.pins, this.filters.minR);
    this.save();
  }

  private filtersChanged(announce: boolean, tell = announce): void {
    this.lit = computeLit(this.model, this.filters);
    if (tell) this.link.light(this.filters);
    this.repaint();
    this.pane.setFilters(this.filters, this.lit);
    this.toolbar.setHits(this.lit.active ? this.lit.hits : null, this.lit.partners);
    if (this.hover) this.hover.partner = linkOf(this.model.sets[this.hover.set], this.hover.point, this.filters.minR);
    this.model.sets.forEach((set, s) => {
      const dead = set.deadCount > 0 ? ` · ${count(set.deadCount)} dead${this.state.showDead ? '' : ' hidden'}` : '';
      this.counts[s].textContent = `${plural(set.n - set.deadCount, unitOf(this.model))}${dead}`;
    });
    this.save();
    if (announce && this.lit.active)
      this.say(
        this.model.sets
          .map((set, s) => `${set.name}: ${count(this.lit.hits[s])} of ${plural(set.n, unitOf(this.model))}`)
          .join('; '),
      );
  }

  private repaint(): void {
    const { model, filters, lit, palette, rates } = this;
    if (filters.colorBy === 'group' && this.groups.length === 0) this.groups = groupIndices(model);
    const batches = model.sets.map((_, s) => {
      const { width, height } = this.stage.views[s];
      const diameter = baseDiameter(this.picks[s].visible, width || 400, height || 400);
      return paint({ model, filters, lit, palette, groups: this.groups, rates, diameter }, s);
    });
    this.stage.setBatches(batches);
    const scene = { model, views: this.stage.views, palette, filters, lit };
    this.stage.setUnderlay(this.state.arrows ? arrowPainter(scene) : null);
    drawLegend(this.legend, model, filters, lit, palette, rates);
  }

  themeChanged(): void {
    this.palette = readPalette(this.root);
    this.stage.setPalette(this.palette);
    this.repaint();
  }

  /** Counting every group takes a moment on large maps: after the first picture. */
  private countGroups(): void {
    if (!this.model.meta.groups?.length) return;
    setTimeout(() => this.toolbar.setGroupCounts(groupCounts(this.model), this.state.group), 60);
  }

  search(text: string): void {
    this.toolbar.setQuery(text);
    this.state.query = this.filters.query = text;
    this.filtersChanged(true);
  }

  private showPane(pane: MapViewState['pane']): void {
    this.state.pane = pane;
    this.root.dataset.pane = pane;
    this.pane.showTab(pane);
    this.save();
  }

  private measure(): void {
    const width = this.root.clientWidth;
    this.root.dataset.size = width >= (this.options.compact ? 900 : 1060) ? 'wide' : width >= 700 ? 'medium' : 'narrow';
    this.stage.setStacked(width < 700);
  }

  private cameraMoved(s: number): void {
    this.state.cameras[s] = this.stage.views[s].camera;
    this.tooltip.hide();
    this.save();
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
    this.stage.dispose();
  }
}
