/**
 * Selections that views of one notebook share: what is hovered, pinned or lassoed in one lights up in the others. Features
 * are named by SAE identity and id, so a map, a Mapper graph and an interventions panel of the same SAE understand each
 * other whatever their layouts.
 */
export interface LinkedSelection {
  /** Identity of the view that speaks; views ignore their own. */
  source: string;
  /** What happened: 'light' replaces what the source lit before (empty sets: clears it); 'pick' is a click on one feature. */
  kind: 'light' | 'pick';
  sets: Array<{ sae: string; features: number[] }>;
  /** For people, such as "node 12: 34 features". */
  label: string;
}

/** How a view speaks to the others: over the extension host in VS Code, inside the page in an exported report. */
export interface LinkChannel {
  send(selection: LinkedSelection): void;
  /** Returns the function that ends the subscription. */
  onSelection(listener: (selection: LinkedSelection) => void): () => void;
}

/** Bounds for what a webview may send: checked by the host. */
export const MAX_LINKED_FEATURES = 200_000;
