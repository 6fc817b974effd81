/** The parameters and the interface of every view. */
import type { Descriptor } from '../../protocol/bundle.js';
import type { LinkChannel } from '../../protocol/link.js';
import type { LiveCall } from '../../protocol/live.js';
import type { Json, JsonObject } from '../../protocol/notebook.js';
import type { WebviewRequests } from '../../protocol/webview.js';
import type { BundleFiles } from './bundle.js';

export interface SavedFile {
  name: string;
  text?: string;
  base64?: string;
}

/** The kernel behind a live view. */
export interface LiveKernel {
  /** @throws Error in words; LIVE_SUPERSEDED and LIVE_GONE are recognised by their texts. */
  call(call: LiveCall): Promise<Json>;
  /** What the kernel does, for a view that waits. */
  state(view: string): Promise<WebviewRequests['live.state']['value']>;
}

/** Where a view is shown. */
export interface ViewHost {
  /** Files of its bundle; null where there are none. */
  files: BundleFiles | null;
  /** The kernel; null where there is none. */
  live: LiveKernel | null;
  /** "2d" draws without WebGL. Default "auto": WebGL where there is one. */
  canvas?: 'auto' | '2d';
  /** The notebook output: low, tables closed at first. */
  compact?: boolean;
  /** Others draw over what leaves the view, as the cells around a notebook's output do: cards stay inside it. */
  covered?: boolean;
  /** Whether the wheel zooms at once, or (in scrolling pages) only with Ctrl or while the drawing has the focus. */
  wheel?: 'always' | 'focused';
  /** State from onState. */
  state?: JsonObject;
  onState?(state: JsonObject): void;
  /** Exchanges selections with the other views of the notebook. */
  link?: LinkChannel;
  /** Adds the button "Open in panel". */
  openInPanel?(state: JsonObject): void;
  /** The link that reopens the page of a feature here. Absent: there is none. */
  featureLink?(sae: string, feature: number): Promise<string>;
  /** Default: the page's own clipboard. */
  copyText?(text: string): Promise<void>;
  /** Saves an export; resolves with its path, or null when cancelled. Default: the page downloads it. */
  saveFile?(file: SavedFile): Promise<string | null>;
  /** Saves a page of its own that shows this descriptor. Absent: the export is not offered. */
  savePage?(descriptor: Descriptor): Promise<string | null>;
}

export interface View {
  /** Settles when the view is drawn; rejects with what went wrong, which the view shows too. */
  readonly ready: Promise<void>;
  dispose(): void;
}

/** Draws a descriptor inside `root`, which the view owns until dispose(). */
export type OpenView<D extends Descriptor> = (root: HTMLElement, descriptor: D, host: ViewHost) => View;
