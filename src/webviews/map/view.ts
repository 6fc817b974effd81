/**
 * The feature map view: one or two scatter plots with linked hover, search, pins and a table. The same component is
 * the VS Code panel, the notebook output and the map of an exported report; only the MapSource differs.
 */
import type { LinkChannel } from '../../protocol/link.js';
import type { JsonObject } from '../../protocol/notebook.js';
import type { MapSource } from '../../protocol/map.js';
import { el, fill } from '../ui/dom.js';
import { EXAMPLE_CSS } from '../ui/examples.js';
import { messageOf } from '../ui/message.js';
import { adoptStyles, followTheme } from '../ui/theme.js';
import { LoadedView } from './loadedView.js';
import { loadModel } from './model.js';
import { MAP_CSS } from './styles.js';

export interface MapViewOptions {
  /** "2d" draws without WebGL. Default "auto": WebGL2 where there is one. */
  canvas?: 'auto' | '2d';
  /** The notebook output: low, table closed at first. */
  compact?: boolean;
  /** Whether the wheel zooms at once, or (in scrolling pages) only with Ctrl or while a map has the focus. */
  wheel?: 'always' | 'focused';
  state?: JsonObject;
  onState?(state: JsonObject): void;
  /** Exchanges selections with the other views of the notebook. */
  link?: LinkChannel;
  /** Adds the button "Open in panel". */
  openInPanel?(state: JsonObject): void;
}

export interface MapView {
  /** Settles when the map is drawn; rejects with what went wrong, which the view shows too. */
  readonly ready: Promise<void>;
  state(): JsonObject | undefined;
  /** Pins a feature and brings it into view; false when the map has no such feature. */
  pin(set: number, feature: number): boolean;
  search(text: string): void;
  dispose(): void;
}

/** Builds the view inside `root`, which it owns until dispose(). */
export function createMapView(root: HTMLElement, source: MapSource, options: MapViewOptions = {}): MapView {
  root.classList.add('fg-map');
  root.classList.toggle('compact', options.compact === true);
  let loaded: LoadedView | null = null;
  let disposed = false;
  adoptStyles(root, EXAMPLE_CSS, MAP_CSS);
  const stopTheme = followTheme(root, () => loaded?.themeChanged());
  const notice = el('div', { class: 'notice', role: 'status' }, 'Loading the map…');
  root.append(notice);
  const ready = loadModel(source).then(
    (model) => {
      if (disposed) return;
      notice.remove();
      loaded = new LoadedView(root, model, source, options);
    },
    (error: unknown) => {
      notice.classList.add('error');
      fill(notice, `The map could not be loaded: ${messageOf(error)}`);
      throw error;
    },
  );
  ready.catch(() => undefined);
  return {
    ready,
    state: () => loaded?.saved(),
    pin: (set, feature) => loaded?.pinFeature(set, feature) ?? false,
    search: (text) => loaded?.search(text),
    dispose: () => {
      disposed = true;
      stopTheme();
      loaded?.dispose();
      root.textContent = '';
      root.classList.remove('fg-map', 'compact');
    },
  };
}
