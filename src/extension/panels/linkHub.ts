/**
 * Carries what one view lights or picks to the other views of the same notebook folder. Keeps what each view has lit,
 * so that a view that opens later is shown it, and clears it when its view goes.
 */
import { isLinkedSelection, MAX_LINKED_FEATURES, type LinkedSelection } from '../../protocol/link.js';

/** A webview that holds views: a panel, or all outputs of one notebook editor. */
export interface LinkEndpoint {
  folder: string;
  post(selection: LinkedSelection): void;
}

/** What an endpoint holds of the hub. */
export interface LinkPort {
  /** Passes a selection on to the other endpoints of the folder. @throws RangeError for what is no selection, or too large. */
  send(selection: unknown): void;
  /** Sends this endpoint what the others have lit at the moment: for a view that is just there. */
  replay(): void;
  /** Leaves, and clears in the others what this endpoint's views had lit. */
  dispose(): void;
}

export class LinkHub {
  private readonly endpoints = new Set<LinkEndpoint>();
  /** What every view has lit, by its source; the latest last. */
  private readonly lights = new Map<string, { from: LinkEndpoint; selection: LinkedSelection }>();

  /** @param told hears what is lit or put out in a folder: cells are given it as the selection. */
  constructor(private readonly told?: (folder: string, selection: LinkedSelection) => void) {}

  join(endpoint: LinkEndpoint): LinkPort {
    this.endpoints.add(endpoint);
    return {
      send: (selection) => {
        if (!isLinkedSelection(selection))
          throw new RangeError(
            `a linked selection has a source, a kind ("light", "pick" or "open"), a label and sets of {sae, features} with at most ${MAX_LINKED_FEATURES} features`,
          );
        if (selection.kind === 'light') this.keep(endpoint, selection);
        this.broadcast(endpoint, selection);
      },
      replay: () => {
        for (const { from, selection } of this.lights.values())
          if (from !== endpoint && from.folder === endpoint.folder) endpoint.post(selection);
      },
      dispose: () => {
        if (!this.endpoints.delete(endpoint)) return;
        for (const [source, { from }] of this.lights) {
          if (from !== endpoint) continue;
          this.lights.delete(source);
          this.broadcast(endpoint, { source, kind: 'light', sets: [], label: '' });
        }
      },
    };
  }

  /** What the views of a folder have lit, the latest last. */
  lit(folder: string): LinkedSelection[] {
    return [...this.lights.values()].filter(({ from }) => from.folder === folder).map(({ selection }) => selection);
  }

  private keep(from: LinkEndpoint, selection: LinkedSelection): void {
    this.lights.delete(selection.source);
    if (selection.sets.some((set) => set.features.length > 0)) this.lights.set(selection.source, { from, selection });
  }

  /** To every other endpoint of the folder; the views of the sending one have heard it inside their page. */
  private broadcast(from: LinkEndpoint, selection: LinkedSelection): void {
    for (const endpoint of this.endpoints)
      if (endpoint !== from && endpoint.folder === from.folder) endpoint.post(selection);
    if (selection.kind === 'light') this.told?.(from.folder, selection);
  }
}
