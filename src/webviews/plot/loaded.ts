/**
 * A view of drawings whose data is here: hover, pins, keys, camera, texts, saved state, disposal. A view has one
 * drawing for each of its sets, with items that can be pointed at: points of a map, nodes of a graph.
 */
import type { JsonObject } from '../../protocol/notebook.js';
import { el } from '../ui/dom.js';
import type { ViewLink } from '../ui/link.js';
import type { ViewHost } from '../ui/view.js';
import { HOME, toScreen, zoomAt, type Box, type Camera } from './camera.js';
import { listenToGestures, type CursorMove, type GestureTarget, type KeyAction, type Tool } from './gestures.js';
import { readPalette, type Palette } from './palette.js';
import type { PlotPane } from './pane.js';
import { Paper, PAPER_WIDTH, type PaperPicture } from './paper.js';
import type { PlotState, Sort } from './state.js';
import type { PlotHooks, PlotToolbar } from './toolbar.js';
import { Tooltip, type Spot } from './tooltip.js';

/** One drawing: its focusable layer, and from where it is looked at. */
export interface Field {
  layer: HTMLElement;
  box: Box;
  camera: Camera;
}

export interface Item {
  set: number;
  item: number;
}

type PlotHost = Pick<ViewHost, 'compact' | 'covered' | 'wheel' | 'onState' | 'openInPanel'>;

/** The keyboard's cursor keeps this far from the edges, in pixels. */
const EDGE = 20;
/** A state is kept this long after its last change. */
const SAVE_MS = 200;

/** `T`: tabs of its pane. */
export abstract class LoadedPlot<S extends PlotState, T extends string> {
  protected palette: Palette;
  private readonly tooltip: Tooltip;
  private readonly paper: Paper;
  protected readonly legend = el('div', { class: 'legend', aria: { label: 'Legend' } });
  private readonly live = el('div', { class: 'fg-sr', aria: { live: 'polite' } });
  private cardTimer: ReturnType<typeof setTimeout> | undefined;
  private saveTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly observer = new ResizeObserver(() => this.measure());

  protected hover: Item | null = null;
  /** What a drag does. */
  protected tool: Tool = 'pan';
  private area: HTMLElement | undefined;

  protected abstract readonly toolbar: PlotToolbar;
  protected abstract readonly pane: PlotPane<string>;
  /** The tab that is shown, where the state keeps it. */
  protected abstract get tab(): T | 'closed';
  protected abstract set tab(tab: T | 'closed');
  /** The tab at which the pane is opened. */
  protected abstract readonly firstTab: T;
  protected abstract readonly link: ViewLink;
  /** The drawing of a set. */
  protected abstract field(set: number): Field;
  /** Looks at a drawing from here, at once. */
  protected abstract look(set: number, camera: Camera): void;
  /** Glides to the cameras, one for each set. */
  protected abstract glide(cameras: readonly Camera[]): void;
  /** The item under a point of the layer; -1 = none. */
  protected abstract itemAt(set: number, x: number, y: number): number;
  /** World coordinates of an item. */
  protected abstract placeOf(item: Item): [x: number, y: number];
  /** Where the keyboard's cursor goes from an item (-1: from nowhere); -1 = nowhere. */
  protected abstract cursor(set: number, from: number, action: CursorMove): number;
  /** Rings the hovered item; null: none is. */
  protected abstract drawHover(item: Item | null): void;
  /** What the card of an item shows; `avoid` is not covered. */
  protected abstract card(item: Item): { card: HTMLElement; avoid: Spot | null };
  /** An item in one sentence. */
  protected abstract spoken(item: Item): string;
  protected abstract togglePin(item: Item): void;
  /** A polygon that is drawn, in pixels of the layer; `done`: it is closed and selects. */
  protected abstract outline(set: number, polygon: number[], done: boolean): void;
  /** Takes back the selection, else the pins. */
  protected abstract clear(): void;
  /** What is seen, as a picture of this width; null where nothing is. */
  protected abstract onPaper(width: number): PaperPicture | null;

  constructor(
    protected readonly root: HTMLElement,
    private readonly host: PlotHost,
    protected readonly state: S,
  ) {
    this.palette = readPalette(root);
    this.tooltip = new Tooltip(host.covered ? root : undefined);
    this.paper = new Paper(root, () => this.onPaper(PAPER_WIDTH));
  }

  /** Puts the parts into the page. */
  protected assemble(parts: { toolbar: HTMLElement; stage: HTMLElement; foot: HTMLElement; pane: HTMLElement }): void {
    this.area = parts.stage;
    const maps = el('div', { class: 'maps' }, parts.stage, parts.foot);
    this.root.append(parts.toolbar, maps, parts.pane, this.tooltip.element, this.live);
    this.measure();
    this.observer.observe(this.root);
  }

  private measure(): void {
    const width = this.root.clientWidth;
    this.root.dataset.size = width >= (this.host.compact ? 900 : 1060) ? 'wide' : width >= 700 ? 'medium' : 'narrow';
    this.measured(width);
  }

  protected measured(_width: number): void {}

  /** In pages that scroll the wheel is the page's, until the drawing has the focus. */
  protected get scrollingPage(): boolean {
    return this.host.wheel === 'focused';
  }

  private get sets(): number[] {
    return [...this.state.cameras.keys()];
  }

  /** What every toolbar does here. */
  protected plotHooks(): Omit<PlotHooks, 'changed'> {
    const { openInPanel } = this.host;
    return {
      tool: (tool) => {
        this.tool = tool;
        if (this.area) this.area.dataset.tool = tool;
      },
      zoom: (factor) =>
        this.glide(
          this.sets.map((s) => {
            const { camera, box } = this.field(s);
            return zoomAt(camera, box, box.width / 2, box.height / 2, factor);
          }),
        ),
      reset: () => this.home(),
      togglePane: () => this.showTab(this.tab === 'closed' ? this.firstTab : 'closed'),
      unlink: () => this.link.forget(),
      openInPanel: openInPanel && (() => openInPanel.call(this.host, this.saved())),
    };
  }

  protected showTab(tab: T | 'closed'): void {
    this.tab = tab;
    this.root.dataset.pane = tab;
    this.pane.showTab(tab);
    this.save();
  }

  /** A tab was chosen: the one that is shown closes the pane. */
  protected chooseTab(tab: T | 'closed'): void {
    this.showTab(tab === this.tab ? 'closed' : tab);
  }

  protected sorted(sort: Sort): void {
    this.state.sort = sort;
    this.save();
  }

  private home(): void {
    this.glide(this.sets.map(() => HOME));
  }

  /** Pointer, wheel and keys on the drawing of a set. */
  protected listen(s: number, options: Pick<GestureTarget, 'shiftDrag' | 'arrowsMove' | 'turn'> = {}): void {
    const { layer } = this.field(s);
    const at = (spot: { x: number; y: number } | null): Item | null => {
      const item = spot ? this.itemAt(s, spot.x, spot.y) : -1;
      return item < 0 ? null : { set: s, item };
    };
    listenToGestures(layer, {
      ...options,
      camera: () => this.field(s).camera,
      box: () => this.field(s).box,
      tool: () => this.tool,
      setCamera: (camera) => this.look(s, camera),
      point: (spot) => {
        const item = at(spot);
        layer.classList.toggle('pick', item !== null);
        this.setHover(item, spot && { x: spot.clientX, y: spot.clientY });
      },
      click: (spot) => {
        const item = at(spot);
        if (item) this.togglePin(item);
      },
      outline: (polygon, done) => this.outline(s, polygon, done),
      key: (action) => this.onKey(s, action),
      wheelZooms: () => !this.scrollingPage || (layer.getRootNode() as ShadowRoot).activeElement === layer,
    });
  }

  private onKey(s: number, action: KeyAction): void {
    if (action.kind === 'reset') this.home();
    else if (action.kind === 'search') this.toolbar.focusSearch();
    else if (action.kind === 'clear') this.clear();
    else if (action.kind === 'undo') this.undo();
    else if (action.kind === 'across') this.goAcross();
    else if (action.kind !== 'pin') this.moveCursor(s, action);
    else if (this.hover) this.togglePin(this.hover);
  }

  /** The item that belongs to this one in another drawing; null: there is none. */
  protected across(_item: Item): Item | null {
    return null;
  }

  /** Takes back the last change of what is lit. */
  protected undo(): void {}

  private goAcross(): void {
    const there = this.hover && this.across(this.hover);
    if (!there) return this.say(this.hover ? 'No counterpart' : 'Choose a point first: Shift and arrows');
    this.field(there.set).layer.focus();
    this.goTo(there);
  }

  /** Moves the highlight by keys and says where it is. */
  private moveCursor(set: number, action: CursorMove): void {
    const item = { set, item: this.cursor(set, this.hover?.set === set ? this.hover.item : -1, action) };
    if (item.item >= 0) this.goTo(item);
  }

  private goTo(item: Item): void {
    const { set } = item;
    const { camera, box } = this.field(set);
    const [x, y] = this.placeOf(item);
    const [sx, sy] = toScreen(camera, box, x, y);
    if (sx < EDGE || sy < EDGE || sx > box.width - EDGE || sy > box.height - EDGE) this.look(set, { ...camera, x, y });
    this.setHover(item, this.spotOf(item));
    this.say(this.spoken(item));
  }

  /** Where an item is in the window. */
  protected spotOf(item: Item): Spot {
    const { layer, camera, box } = this.field(item.set);
    const rect = layer.getBoundingClientRect();
    const [x, y] = toScreen(camera, box, ...this.placeOf(item));
    return { x: rect.left + x, y: rect.top + y };
  }

  /** Rings at once; the card, which may ask the host for examples, only where the pointer stays a moment. */
  protected setHover(item: Item | null, at: Spot | null): void {
    const same = this.hover?.set === item?.set && this.hover?.item === item?.item;
    if (same && at) this.tooltip.move(at);
    if (same) return;
    clearTimeout(this.cardTimer);
    this.hover = item;
    this.drawHover(item);
    if (!item || !at) return this.tooltip.hide();
    this.cardTimer = setTimeout(
      () => {
        const { card, avoid } = this.card(item);
        this.tooltip.show(card, at, avoid);
      },
      this.tooltip.element.matches(':popover-open') ? 12 : 30,
    );
  }

  /** No card is shown any more, nor one that was about to be. */
  protected dropCard(): void {
    clearTimeout(this.cardTimer);
    this.tooltip.hide();
  }

  /** For screen readers. */
  protected say(text: string): void {
    this.live.textContent = text;
  }

  protected saved(): JsonObject {
    return JSON.parse(JSON.stringify(this.state)) as JsonObject;
  }

  /** A camera moved: what is shown beside the pointer is not there any more. */
  protected moved(s: number): void {
    this.state.cameras[s] = this.field(s).camera;
    this.tooltip.hide();
    this.save();
  }

  protected save(): void {
    clearTimeout(this.saveTimer);
    this.saveTimer = setTimeout(() => this.host.onState?.(this.saved()), SAVE_MS);
  }

  themeChanged(): void {
    this.palette = readPalette(this.root);
  }

  dispose(): void {
    for (const timer of [this.cardTimer, this.saveTimer]) clearTimeout(timer);
    this.observer.disconnect();
    this.paper.dispose();
    this.tooltip.dispose();
    this.link.dispose();
    this.toolbar.dispose();
    this.pane.dispose();
  }
}
