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
  private readonly endpoints = new Map<LinkEndpoint, Map<string, LinkedSelection>>();

  join(endpoint: LinkEndpoint): LinkPort {
    const lit = new Map<string, LinkedSelection>();
    this.endpoints.set(endpoint, lit);
    return {
      send: (selection) => {
        if (!isLinkedSelection(selection))
          throw new RangeError(
            `a linked selection has a source, a kind ("light" or "pick"), a label and sets of {sae, features} with at most ${MAX_LINKED_FEATURES} features`,
          );
        if (selection.kind === 'light') {
          if (selection.sets.some((set) => set.features.length > 0)) lit.set(selection.source, selection);
          else lit.delete(selection.source);
        }
        this.broadcast(endpoint, selection);
      },
      replay: () => {
        for (const [other, selections] of this.endpoints)
          if (other !== endpoint && other.folder === endpoint.folder)
            for (const selection of selections.values()) endpoint.post(selection);
      },
      dispose: () => {
        if (!this.endpoints.delete(endpoint)) return;
        for (const source of lit.keys()) this.broadcast(endpoint, { source, kind: 'light', sets: [], label: '' });
      },
    };
  }

  /** To every other endpoint of the folder; the views of the sending one have heard it inside their page. */
  private broadcast(from: LinkEndpoint, selection: LinkedSelection): void {
    for (const endpoint of this.endpoints.keys())
      if (endpoint !== from && endpoint.folder === from.folder) endpoint.post(selection);
  }
}
