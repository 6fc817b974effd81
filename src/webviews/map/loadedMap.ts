/** A map view whose data is here: owns its state and ties stage, toolbar, pane and tooltip together. */
import { typedGroup, type KeywordGroup } from '../../protocol/keywordGroups.js';
import { polygonToWorld, scaleOf, toWorld, type Camera } from '../plot/camera.js';
import { ExampleCache } from '../plot/examples.js';
import { foot } from '../plot/frame.js';
import type { CursorMove } from '../plot/gestures.js';
import type { Scale } from '../plot/scale.js';
import { LoadedPlot, type Field, type Item } from '../plot/loaded.js';
import { nextOf } from '../plot/moves.js';
import type { PaperPicture } from '../plot/paper.js';
import type { Spot } from '../plot/tooltip.js';
import { pairCard, spokenPair } from './card.js';
import { computeLit, groupCounts, groupIndices, linkOf, type Filters, type Lit } from './filter.js';
import { groupHooks } from './groupHooks.js';
import type { GroupHooks } from './groupsTab.js';
import { columnOfColor } from './columns.js';
import { exported, type ExportKind } from './exporting.js';
import { figureOfWidth, mapPicture, type MapFigure } from './figure.js';
import { countsText, decorateLayer, provenance, spokenHits } from './frame.js';
import { chosenPoints, colourValues, type ColourValues, type Only } from './colourValues.js';
import { contoursOf, type Contours } from './contours.js';
import { linked, type Linked } from './counterparts.js';
import type { MapHost } from './host.js';
import { MapLegend } from './legend.js';
import { legendEntries } from './legendEntries.js';
import { MapLink } from './linking.js';
import type { MapModel, MapSource } from './model.js';
import { baseDiameter, paint, rateScale } from './paint.js';
import { paintersOf } from './painters.js';
import { Pane } from './pane.js';
import { PickIndex } from './pick.js';
import { MapPins } from './pins.js';
import { promptBox } from './promptBox.js';
import { regionsOf, type Regions } from './regions.js';
import { moveTo } from './shift.js';
import { camerasAt } from './selection.js';
import { copyHere, Selecting, type Asked } from './selecting.js';
import { inSpace, turnTo } from './space.js';
import type { SelectionsHooks } from './selectionsTab.js';
import { Stage } from './stage.js';
import { defaultState, firstColour, restoreState, type MapViewState } from './state.js';
import { Toolbar } from './toolbar.js';
import { Turning } from './turning.js';

export class LoadedMap extends LoadedPlot<MapViewState, Exclude<MapViewState['pane'], 'closed'>> {
  protected override readonly firstTab = 'pairs';
  private filters: Filters;
  private lit: Lit;
  private groups: Int16Array[] = [];
  /** The map's own groups; the reader's come behind them. */
  private readonly shipped: readonly KeywordGroup[];
  private readonly rates: Scale;
  /** By set; found after the first picture. */
  private regions: Regions[] = [];
  private contours: Contours[] = [];
  private values: ColourValues | null = null;
  private readonly key = new MapLegend(this.legend, (only) => this.chose(only));
  private picks: PickIndex[];
  private readonly pins: MapPins;
  private readonly cache: ExampleCache;
  private readonly stage: Stage;
  protected readonly toolbar: Toolbar;
  protected readonly pane: Pane;
  private readonly selecting: Selecting;
  protected readonly link: MapLink;
  private readonly counts: HTMLElement[] = [];
  private regionTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly turning: Turning;

  constructor(
    root: HTMLElement,
    private readonly model: MapModel,
    private readonly source: MapSource,
    private readonly options: MapHost,
  ) {
    const fallback: MapViewState = { ...defaultState(model.sets.length), ...firstColour(model) };
    super(root, options, restoreState(options.state, model.sets.length, fallback));
    this.shipped = model.meta.groups ?? [];
    model.meta.groups = [...this.shipped, ...this.state.groups];
    this.filters = { ...this.state, typed: typedGroup(this.state.typed), selection: null, chosen: null, linked: null };
    moveTo(model, this.state.shift);
    if (turnTo(model, this.state)) this.tool = 'turn';
    this.lit = computeLit(model, this.filters);
    this.rates = rateScale(model);
    this.pins = new MapPins(model, this.state.pins);
    this.cache = new ExampleCache(source);
    this.picks = model.sets.map((set) => new PickIndex(set, this.state.showDead));
    this.stage = new Stage(
      model,
      this.state.cameras,
      { resized: () => this.repaint(), moved: (s) => this.moved(s) },
      options.canvas ?? 'auto',
    );
    this.turning = new Turning(model, this.state, {
      moved: () => (this.toolbar.showTurn(this.state), this.setHover(null, null), this.repaint(), this.save()),
      rested: () => (this.picks = model.sets.map((set) => new PickIndex(set, this.state.showDead))),
    });
    this.toolbar = this.makeToolbar();
    this.selecting = this.makeSelecting();
    this.toolbar.show(this.selecting.element);
    this.pane = this.makePane();
    this.makeLayers();
    this.assemble({
      ...{ toolbar: this.toolbar.element, stage: this.stage.element, pane: this.pane.element },
      foot: foot(this.legend, provenance(model), model.meta.shift !== undefined),
    });
    this.showTab(this.state.pane);
    if (model.meta.shift) this.stage.setAlone(!this.state.nullShown);
    this.pinsChanged();
    this.stage.setPalette(this.palette);
    this.recoloured(this.state.only);
    this.selecting.note();
    this.filtersChanged(false);
    this.countGroups();
    this.findRegions();
    this.link = new MapLink(model, options.link, {
      lit: (linked, label) => {
        this.filters.linked = linked;
        this.toolbar.setLinked(linked && label);
        this.filtersChanged(true, false);
      },
      picked: (set, item) => this.setHover({ set, item }, null),
    });
    this.link.light(this.filters);
  }

  private makeToolbar(): Toolbar {
    return new Toolbar(this.model, this.state, {
      changed: (change) => {
        Object.assign(this.state, change);
        Object.assign(this.filters, change, 'group' in change && { typed: null });
        if ('group' in change) this.state.typed = '';
        if ('colorBy' in change) this.recoloured(null);
        if ('shift' in change) moveTo(this.model, this.state.shift);
        if ('yaw' in change || 'pitch' in change) return this.turning.moved();
        if ('showDead' in change || 'shift' in change)
          this.picks = this.model.sets.map((set) => new PickIndex(set, this.state.showDead));
        if ('nullShown' in change) this.stage.setAlone(!this.state.nullShown);
        if ('minR' in change) this.pinsChanged();
        this.filtersChanged(true);
      },
      export: (kind) => void this.export(kind),
      html: this.options.savePage !== undefined,
      ...this.plotHooks(),
    });
  }

  private async export(kind: ExportKind): Promise<void> {
    const { model, options: host } = this;
    const { text, failed } = await exported(kind, { model, host, figure: () => this.figure(), table: () => this.pane.table() }); // prettier-ignore
    if (failed) this.toolbar.tell(text);
    this.say(text);
  }

  /** The maps as they are seen. */
  private figure(): MapFigure {
    const { model, filters, lit, regions, state } = this;
    return { model, filters, lit, regions, arrows: state.arrows, views: this.stage.shown };
  }

  protected override onPaper(width: number): PaperPicture | null {
    return this.stage.shown.length === 0 ? null : mapPicture(figureOfWidth(this.figure(), width));
  }

  private makePane(): Pane {
    return new Pane(this.model, this.cache, this.state, {
      pin: (set, item) => this.togglePin({ set, item }),
      unpin: (index) => (this.pins.remove(index), this.pinsChanged()),
      unpinAll: () => this.clearPins(),
      show: (set, point) => this.show(set, point),
      open: (set, feature) => this.link.open(set, feature),
      hover: (set, item) => this.setHover(item === null ? null : { set, item }, null),
      tab: (tab) => this.chooseTab(tab),
      sort: (sort) => this.sorted(sort),
      table: (change) => {
        Object.assign(this.state, change);
        this.filtersChanged(false);
      },
      groups: this.groupHooks(),
      prompt: promptBox(this.model, this.options, this.state, () => this.save()),
    });
  }

  private groupHooks(): GroupHooks & SelectionsHooks {
    const { model, source, options, state } = this;
    return groupHooks({
      ...{ model, source, options, state },
      light: (group, typed) => {
        Object.assign(this.filters, { group, typed });
        this.toolbar.setGroup(group);
        this.filtersChanged(true);
      },
      keep: (groups) => {
        this.keep(groups);
        this.selecting.note();
        this.selecting.draw();
      },
      ask: (asked) => this.ask(asked),
      say: (text) => this.say(text),
    });
  }

  /** These groups are the reader's now, beside those of the map. */
  private keep(groups: KeywordGroup[]): void {
    this.state.groups = groups;
    this.model.meta.groups = [...this.shipped, ...groups];
    this.groups = [];
    this.recoloured(this.state.only);
    this.pane.setKept(groups);
    this.countGroups();
    this.save();
  }

  private makeLayers(): void {
    this.stage.layers.forEach((_, s) => {
      this.counts[s] = decorateLayer(this.stage, this.model, s, this.scrollingPage);
      this.listen(s, { turn: (dx, dy) => this.turning.drag(dx, dy) });
    });
  }

  protected override field(s: number): Field {
    const box = this.stage.views[s];
    return { layer: this.stage.layers[s], box, camera: box.camera };
  }

  /** Maps that lie in one embedding share their camera. */
  protected override look(s: number, camera: Camera): void {
    const views = this.model.meta.shift ? [...this.model.sets.keys()] : [s];
    for (const view of views) this.stage.setCamera(view, camera);
  }

  protected override glide(cameras: readonly Camera[]): void {
    this.stage.glide(cameras);
  }

  protected override itemAt(s: number, x: number, y: number): number {
    const view = this.stage.views[s];
    const [wx, wy] = toWorld(view.camera, view, x, y);
    const lit = this.lit.active ? this.lit.state[s] : undefined;
    return this.picks[s].nearest(wx, wy, 14 / scaleOf(view.camera, view), lit);
  }

  protected override placeOf({ set, item }: Item): [number, number] {
    const { x, y } = this.model.sets[set];
    return [x[item], y[item]];
  }

  private partnerOf({ set, item }: Item): number {
    return linkOf(this.model.sets[set], item, this.filters.minR);
  }

  private linked(item: Item): Linked {
    return linked(this.model, item.set, item.item, this.partnerOf(item), this.filters.minR);
  }

  protected override drawHover(item: Item | null): void {
    this.stage.setScene({ hover: item && this.linked(item) });
  }

  protected override card(item: Item): { card: HTMLElement; avoid: Spot | null } {
    const { model, cache } = this;
    const partner = this.partnerOf(item);
    const { minR } = this.filters;
    const card = pairCard({ model, cache, set: item.set, point: item.item, partner, minR, examples: 3, bands: false });
    return { card, avoid: partner >= 0 ? this.spotOf({ set: 1 - item.set, item: partner }) : null };
  }

  protected override spoken(item: Item): string {
    return spokenPair(this.model, this.linked(item));
  }

  protected override cursor(s: number, from: number, action: CursorMove): number {
    if (action.kind === 'move') return this.picks[s].towards(from, action.dx, action.dy, this.stage.views[s].camera);
    return nextOf(this.model.sets[s].n, from, action.step, (i) => this.lit.state[s][i] === 1);
  }

  protected override across(item: Item): Item | null {
    const { partner, others } = this.linked(item);
    const there = partner < 0 ? others.at(0) : partner;
    return there === undefined ? null : { set: 1 - item.set, item: there };
  }

  protected override undo(): void {
    this.selecting.undo();
  }

  protected override outline(s: number, polygon: number[], done: boolean): void {
    const view = this.stage.views[s];
    if (!done) {
      this.stage.setScene({ lasso: polygon.map((v, i) => v + (i % 2 === 0 ? view.left : view.top)) });
      return;
    }
    this.stage.setScene({ lasso: null });
    const points = this.picks[s].inside(polygonToWorld(view.camera, view, polygon));
    this.filters.selection = points.length > 0 ? { set: s, points } : null;
    this.filtersChanged(true);
  }

  /** Brings a point and its partner into the middle of their maps. */
  private show(set: number, point: number): void {
    const partner = this.partnerOf({ set, item: point });
    this.stage.glide(camerasAt(this.model, this.stage.views, { set, point, partner }));
  }

  protected override togglePin(item: Item): void {
    const added = this.pins.toggle(item.set, item.item, (set, point) => this.partnerOf({ set, item: point }));
    this.pinsChanged();
    if (added) this.link.pick(item.set, this.model.sets[item.set].columns.feature[item.item]);
    this.say(`${added ? 'Pinned' : 'Unpinned'} ${this.spoken(item)}`);
    // A drawer that is closed stays so: maps that move under the pointer are lost to it.
    if (added && this.state.pane !== 'closed') this.showTab('details');
  }

  protected override clear(): void {
    this.setHover(null, null);
    if (this.filters.selection) {
      this.filters.selection = null;
      this.filtersChanged(true);
    } else if (this.state.only) this.chose(null);
    else this.clearPins();
  }

  private clearPins(): void {
    this.pins.clear();
    this.pinsChanged();
    this.say('No pins');
  }

  private pinsChanged(): void {
    const { list } = this.pins;
    this.state.pins = list.map(({ set, feature }) => ({ set, feature }));
    this.stage.setScene({ pins: list.map(({ set, point }) => this.linked({ set, item: point })) });
    this.pane.setPins(list, this.filters.minR);
    this.save();
  }

  private filtersChanged(announce: boolean, tell = announce): void {
    if (announce) this.selecting.note();
    this.lit = computeLit(this.model, this.filters);
    if (tell) this.link.light(this.filters);
    this.repaint();
    this.pane.setFilters(this.filters, this.lit, this.state);
    this.selecting.draw();
    this.toolbar.setHits(this.lit.active ? this.lit.hits : null, this.lit.partners);
    this.drawHover(this.hover);
    this.model.sets.forEach(
      (set, s) => (this.counts[s].textContent = countsText(this.model, set, this.state.showDead)),
    );
    this.save();
    if (announce && this.lit.active) this.say(spokenHits(this.model, this.lit));
  }

  /** Goes back to what was asked for. */
  private ask({ only, groups, ...filters }: Asked): void {
    const { state } = this;
    if (JSON.stringify(groups) !== JSON.stringify(state.groups)) this.keep(groups);
    Object.assign(this.filters, filters);
    Object.assign(state, { only, query: filters.query, group: filters.group });
    state.typed = filters.typed ? `${filters.typed.name}: ${filters.typed.words.join(' ')}` : '';
    this.filters.chosen = chosenPoints(this.model, this.values, only);
    this.toolbar.setQuery(filters.query);
    this.toolbar.setGroup(filters.group);
    this.filtersChanged(true);
  }

  private makeSelecting(): Selecting {
    const { model, state, stage, options } = this;
    return new Selecting(model, state, stage, {
      now: () => ({ filters: this.filters, lit: this.lit }),
      ask: (before) => this.ask(before),
      keep: (group) => {
        this.keep([...state.groups, group]);
        this.selecting.note();
        this.showTab('selections');
        this.pane.renameKept(group.name);
      },
      copy: (text) => (options.copyText ?? copyHere)(text),
      tell: (text) => {
        this.say(text);
        this.toolbar.tell(text);
      },
      save: () => this.save(),
    });
  }

  private repaint(): void {
    const { model, filters, lit, palette, rates, regions, values } = this;
    const column = columnOfColor(model.added, filters.colorBy);
    const batches = model.sets.map((_, s) => {
      const { width, height } = this.stage.views[s];
      const diameter = baseDiameter(this.picks[s].visible, width || 400, height || 400);
      return paint({ model, filters, lit, palette, groups: this.groups, rates, regions, column, diameter }, s);
    });
    this.stage.setBatches(batches);
    const scene = { model, views: this.stage.views, palette, filters, lit };
    this.stage.setPainters(paintersOf(scene, { ...this.state, regions, contours: this.contours }));
    this.key.draw(legendEntries({ model, filters, lit, palette, rates, regions, values }), this.state.only);
  }

  /** What the colours stand for is another thing now, and with it what may be chosen of it. */
  private recoloured(only: Only | null): void {
    const { model, filters, rates, regions } = this;
    if (filters.colorBy === 'group' && this.groups.length === 0) this.groups = groupIndices(model);
    this.values = colourValues({ model, colorBy: filters.colorBy, rates, regions, groups: this.groups });
    this.state.only = only;
    filters.chosen = chosenPoints(model, this.values, only);
  }

  /** The reader chose in the legend. */
  private chose(only: Only | null): void {
    this.state.only = only;
    this.filters.chosen = chosenPoints(this.model, this.values, only);
    this.filtersChanged(true);
  }

  override themeChanged(): void {
    super.themeChanged();
    this.stage.setPalette(this.palette);
    this.repaint();
  }

  /** Counting every group takes a moment on large maps: after the first picture. */
  private countGroups(): void {
    if (!this.model.meta.groups?.length) return;
    setTimeout(() => this.toolbar.setGroupCounts(groupCounts(this.model), this.state.group), 60);
  }

  /** Regions and names take a moment on large maps: after the first picture. Points that move or turn have no regions. */
  private findRegions(): void {
    if (this.model.meta.shift || inSpace(this.model)) return;
    this.regionTimer = setTimeout(() => {
      this.regions = this.model.sets.map((set) => regionsOf(set));
      this.contours = this.model.sets.map((set) => contoursOf(set));
      this.recoloured(this.state.only);
      if (this.state.only) this.filtersChanged(false);
      else this.repaint();
    }, 60);
  }

  protected override get tab(): MapViewState['pane'] {
    return this.state.pane;
  }

  protected override set tab(tab: MapViewState['pane']) {
    this.state.pane = tab;
  }

  override dispose(): void {
    super.dispose();
    clearTimeout(this.regionTimer);
    this.turning.dispose();
    this.stage.dispose();
  }
}
