/** A drawing whose data is here: its size, its hover card, what it says, what it remembers, its end. */
import type { JsonObject } from '../../protocol/notebook.js';
import { el } from '../ui/dom.js';
import type { ViewHost } from '../ui/view.js';
import { listenToGestures, type GestureTarget } from './gestures.js';
import { readPalette, type Palette } from './palette.js';
import type { PlotState } from './state.js';
import { Tooltip, type Spot } from './tooltip.js';

type PlotHost = Pick<ViewHost, 'compact' | 'wheel' | 'onState'>;

/** A state is kept this long after its last change. */
const SAVE_MS = 200;

export abstract class LoadedPlot<S extends PlotState> {
  protected palette: Palette;
  protected readonly tooltip = new Tooltip();
  protected readonly legend = el('div', { class: 'legend', aria: { label: 'Legend' } });
  private readonly live = el('div', { class: 'fg-sr', aria: { live: 'polite' } });
  private cardTimer: ReturnType<typeof setTimeout> | undefined;
  private saveTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly observer = new ResizeObserver(() => this.measure());

  constructor(
    protected readonly root: HTMLElement,
    private readonly host: PlotHost,
    protected readonly state: S,
  ) {
    this.palette = readPalette(root);
  }

  /** Puts the parts into the page. */
  protected assemble(parts: { toolbar: HTMLElement; stage: HTMLElement; foot: HTMLElement; pane: HTMLElement }): void {
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

  protected listen(layer: HTMLElement, target: Omit<GestureTarget, 'wheelZooms'>): void {
    const focused = () => (layer.getRootNode() as ShadowRoot).activeElement === layer;
    listenToGestures(layer, { ...target, wheelZooms: () => !this.scrollingPage || focused() });
  }

  /** A card where the pointer stays a moment: it may ask the host for examples. `avoid` is not covered. */
  protected showCard(make: () => { card: HTMLElement; avoid: Spot | null }, at: Spot): void {
    this.cardTimer = setTimeout(
      () => {
        const { card, avoid } = make();
        this.tooltip.show(card, at, avoid);
      },
      this.tooltip.element.matches(':popover-open') ? 12 : 30,
    );
  }

  /** No card that was about to be shown is shown any more. */
  protected dropCard(): void {
    clearTimeout(this.cardTimer);
  }

  /** For people who hear the drawing. */
  protected say(text: string): void {
    this.live.textContent = text;
  }

  protected saved(): JsonObject {
    return JSON.parse(JSON.stringify(this.state)) as JsonObject;
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
    this.tooltip.dispose();
  }
}
