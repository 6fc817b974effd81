/**
 * The Mapper graph view: one or more graphs side by side, with search, colours, pins, lasso, components, findings and
 * noise. The same component is the VS Code panel, the notebook output and the graph of an exported page.
 */
import type { GraphSource } from '../../protocol/graph.js';
import type { LinkChannel } from '../../protocol/link.js';
import type { JsonObject } from '../../protocol/notebook.js';
import { MAP_CSS } from '../map/styles.js';
import { el, fill } from '../ui/dom.js';
import { EXAMPLE_CSS } from '../ui/examples.js';
import { messageOf } from '../ui/message.js';
import { adoptStyles, followTheme } from '../ui/theme.js';
import { LoadedGraph } from './loadedGraph.js';
import { loadGraph } from './model.js';
import { GRAPH_CSS } from './styles.js';

export interface SavedFile {
  name: string;
  text?: string;
  base64?: string;
}

export interface GraphViewOptions {
  /** "2d" draws without WebGL. Default "auto": sigma where there is WebGL. */
  canvas?: 'auto' | '2d';
  /** The notebook output: low, lists closed at first. */
  compact?: boolean;
  /** Whether the wheel zooms at once, or (in scrolling pages) only with Ctrl or while a graph has the focus. */
  wheel?: 'always' | 'focused';
  state?: JsonObject;
  onState?(state: JsonObject): void;
  /** Exchanges selections with the other views of the notebook. */
  link?: LinkChannel;
  /** Adds the button "Open in panel". */
  openInPanel?(state: JsonObject): void;
  /** Saves an export; resolves with its path, or null when cancelled. Default: the page downloads it. */
  saveFile?(file: SavedFile): Promise<string | null>;
  /** Saves a page of its own with this graph. Absent: the export is not offered. */
  saveGraphPage?(): Promise<string | null>;
}

export interface GraphView {
  /** Settles when the graphs are drawn; rejects with what went wrong, which the view shows too. */
  readonly ready: Promise<void>;
  state(): JsonObject | undefined;
  /** Pins a node and brings it into view; false when the graph has no such node. */
  pin(set: number, node: number): boolean;
  search(text: string): void;
  dispose(): void;
}

/** Builds the view inside `root`, which it owns until dispose(). */
export function createGraphView(root: HTMLElement, source: GraphSource, options: GraphViewOptions = {}): GraphView {
  root.classList.add('fg-map', 'fg-graph');
  root.classList.toggle('compact', options.compact === true);
  let loaded: LoadedGraph | null = null;
  let disposed = false;
  adoptStyles(root, EXAMPLE_CSS, MAP_CSS, GRAPH_CSS);
  const stopTheme = followTheme(root, () => loaded?.themeChanged());
  const notice = el('div', { class: 'notice', role: 'status' }, 'Loading the graph…');
  root.append(notice);
  const ready = loadGraph(source).then(
    (model) => {
      if (disposed) return;
      notice.remove();
      loaded = new LoadedGraph(root, model, source, options);
    },
    (error: unknown) => {
      notice.classList.add('error');
      fill(notice, `The graph could not be loaded: ${messageOf(error)}`);
      throw error;
    },
  );
  ready.catch(() => undefined);
  return {
    ready,
    state: () => loaded?.saved(),
    pin: (set, node) => loaded?.pinNode(set, node) ?? false,
    search: (text) => loaded?.search(text),
    dispose: () => {
      disposed = true;
      stopTheme();
      loaded?.dispose();
      root.textContent = '';
      root.classList.remove('fg-map', 'fg-graph', 'compact');
    },
  };
}
