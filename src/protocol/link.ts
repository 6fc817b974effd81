/**
 * Selections that views of one notebook share: what is hovered, pinned or lassoed in one lights up in the others. Features
 * are named by SAE identity and id, so a map, a Mapper graph and an interventions panel of the same SAE understand each
 * other whatever their layouts.
 */
export interface LinkedSelection {
  /** Identity of the sender; views ignore their own messages. */
  source: string;
  /**
   * What happened: 'light' replaces what the source lit before (empty sets: clears it); 'pick' is a click on one feature;
   * 'open' asks for the page of one feature besides.
   */
  kind: 'light' | 'pick' | 'open';
  /** `side`: name of the set in its view, such as "A". */
  sets: Array<{ sae: string; features: number[]; side?: string }>;
  /** As shown, such as "node 12: 34 features". */
  label: string;
}

/** How views exchange messages: over the extension host in VS Code, inside the page in an exported report. */
export interface LinkChannel {
  send(selection: LinkedSelection): void;
  /** Returns the function that ends the subscription. */
  onSelection(listener: (selection: LinkedSelection) => void): () => void;
}

/** Bounds for what a webview may send: checked by the host. */
export const MAX_LINKED_FEATURES = 200_000;

/** Limits of a message, in sets and in length of its texts: far above what a view sends. */
const MAX_SETS = 32;
const MAX_TEXT = 2000;

/** Whether a value from outside is a selection of a size that views can take. */
export function isLinkedSelection(value: unknown): value is LinkedSelection {
  if (typeof value !== 'object' || value === null) return false;
  const { source, kind, sets, label } = value as Partial<Record<keyof LinkedSelection, unknown>>;
  const text = (v: unknown) => typeof v === 'string' && v.length <= MAX_TEXT;
  if (!text(source) || source === '' || !text(label) || (kind !== 'light' && kind !== 'pick' && kind !== 'open'))
    return false;
  if (!Array.isArray(sets) || sets.length > MAX_SETS) return false;
  let total = 0;
  for (const set of sets as unknown[]) {
    if (typeof set !== 'object' || set === null) return false;
    const { sae, features, side } = set as { sae?: unknown; features?: unknown; side?: unknown };
    if (!text(sae) || !Array.isArray(features) || (side !== undefined && !text(side))) return false;
    total += features.length;
    if (total > MAX_LINKED_FEATURES) return false;
    if (!features.every((f) => Number.isInteger(f) && (f as number) >= 0)) return false;
  }
  return true;
}
