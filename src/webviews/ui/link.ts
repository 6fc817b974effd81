/**
 * The link channel of one page: views inside it hear each other at once, and `forward`, where there is a host, carries
 * what they say to the views of other pages.
 */
import { isLinkedSelection, type LinkChannel, type LinkedSelection } from '../../protocol/link.js';

export class LinkBus implements LinkChannel {
  private readonly listeners = new Set<(selection: LinkedSelection) => void>();
  /** What each view has lit: shown to views that appear later. */
  private readonly lit = new Map<string, LinkedSelection>();

  constructor(private readonly forward?: (selection: LinkedSelection) => void) {}

  send(selection: LinkedSelection): void {
    this.tell(selection);
    this.forward?.(selection);
  }

  /** Takes a message from the host; true when it was a selection. */
  receive(message: unknown): boolean {
    const { type, selection } = (message ?? {}) as { type?: unknown; selection?: unknown };
    if (type !== 'link') return false;
    if (isLinkedSelection(selection)) this.tell(selection);
    return true;
  }

  onSelection(listener: (selection: LinkedSelection) => void): () => void {
    this.listeners.add(listener);
    for (const selection of this.lit.values()) listener(selection);
    return () => void this.listeners.delete(listener);
  }

  private tell(selection: LinkedSelection): void {
    if (selection.kind === 'light') {
      if (selection.sets.some((set) => set.features.length > 0)) this.lit.set(selection.source, selection);
      else this.lit.delete(selection.source);
    }
    for (const listener of [...this.listeners]) listener(selection);
  }
}

/** What other views light: the union of their selections, by SAE. */
export class LinkedLights {
  private readonly lights = new Map<string, LinkedSelection>();

  /** Takes a 'light'; false when it changes nothing. */
  take(selection: LinkedSelection): boolean {
    const empty = selection.sets.every((set) => set.features.length === 0);
    if (empty) return this.lights.delete(selection.source);
    this.lights.set(selection.source, selection);
    return true;
  }

  clear(): void {
    this.lights.clear();
  }

  /** Features lit for an SAE; null where no light speaks of it. */
  of(sae: string | undefined): Set<number> | null {
    if (sae === undefined) return null;
    const sets = [...this.lights.values()].flatMap((s) => s.sets).filter((set) => set.sae === sae);
    return sets.length === 0 ? null : new Set(sets.flatMap((set) => set.features));
  }

  get label(): string {
    return [...this.lights.values()].map((s) => s.label).join(' · ');
  }
}

/** The name under which a view speaks. */
export function linkSource(): string {
  return `view-${[...crypto.getRandomValues(new Uint32Array(4))].map((n) => n.toString(36)).join('')}`;
}
