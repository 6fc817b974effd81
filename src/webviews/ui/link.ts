/**
 * The link channel of one page: views inside it hear each other at once, and `forward`, where there is a host, carries
 * what they say to the views of other pages.
 */
import { isLinkedSelection, MAX_LINKED_FEATURES, type LinkChannel, type LinkedSelection } from '../../protocol/link.js';
import { plural } from './format.js';

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

  /** Features lit for an SAE; null where no view lights any. */
  of(sae: string | undefined): Set<number> | null {
    if (sae === undefined) return null;
    const sets = [...this.lights.values()].flatMap((s) => s.sets).filter((set) => set.sae === sae);
    return sets.length === 0 ? null : new Set(sets.flatMap((set) => set.features));
  }

  get label(): string {
    return [...this.lights.values()].map((s) => s.label).join(' · ');
  }
}

/** Asks for the page of a feature, for outputs that are no views, such as tables and cards. */
export function openFeature(channel: LinkChannel, sae: string, feature: number, label: string): void {
  channel.send({ source: linkSource(), kind: 'open', sets: [{ sae, features: [feature] }], label });
}

/** Identity of a view in messages to the others. */
export function linkSource(): string {
  return `view-${[...crypto.getRandomValues(new Uint32Array(4))].map((n) => n.toString(36)).join('')}`;
}

/** A set of features that a view draws, where they are an SAE's. */
interface LinkedSet {
  name: string;
  meta: { sae?: { id: string } };
}

export interface ViewLinkHooks {
  /** Other views light these features (per set, null = none said for it), or nothing any more. */
  lit(features: Array<Set<number> | null> | null, label: string): void;
  /** Another view picked this feature of a set's SAE; true = it was for this set alone. */
  picked(set: number, feature: number): boolean;
}

/** A view among the other views of its notebook: it shows what they light and pick, and says what it lights and pins. */
export class ViewLink {
  private readonly source = linkSource();
  private readonly lights = new LinkedLights();
  private readonly stop: () => void;
  private lighting = false;

  constructor(
    private readonly sets: readonly LinkedSet[],
    protected readonly channel: LinkChannel | undefined,
    private readonly hooks: ViewLinkHooks,
  ) {
    this.stop = channel?.onSelection((selection) => this.take(selection)) ?? (() => undefined);
  }

  private take(selection: LinkedSelection): void {
    if (selection.source === this.source) return;
    if (selection.kind === 'light') {
      if (this.lights.take(selection)) this.show();
      return;
    }
    for (const { sae, features } of selection.sets)
      for (const [s, set] of this.sets.entries())
        if (set.meta.sae?.id === sae && features.length > 0 && this.hooks.picked(s, features[0])) return;
  }

  private show(): void {
    const lit = this.sets.map((set) => this.lights.of(set.meta.sae?.id));
    this.hooks.lit(lit.some((features) => features !== null) ? lit : null, this.lights.label);
  }

  /** Drops what the other views light, until they light something else. */
  forget(): void {
    this.lights.clear();
    this.show();
  }

  /** Lights these features of each set in the other views, null = nothing said of it; too many for a message are none. `sides`: with the names of the sets. */
  tell(features: ReadonlyArray<readonly number[] | null>, label: string, sides = false): void {
    if (!this.channel) return;
    const sets = this.sets.flatMap((set, s) => {
      const own = features[s];
      const side = sides ? { side: set.name } : {};
      return set.meta.sae && own ? [{ sae: set.meta.sae.id, features: [...own], ...side }] : [];
    });
    const total = sets.reduce((sum, set) => sum + set.features.length, 0);
    const tell = total > 0 && total <= MAX_LINKED_FEATURES;
    if (!tell && !this.lighting) return;
    this.lighting = tell;
    const text = tell ? `${label}: ${plural(total, 'feature')}` : '';
    this.channel.send({ source: this.source, kind: 'light', sets: tell ? sets : [], label: text });
  }

  /** Opens the page of a feature, and shows it in the other views. */
  open(set: number, feature: number): void {
    this.pick(set, feature, 'open');
  }

  pick(set: number, feature: number, kind: 'pick' | 'open' = 'pick'): void {
    const { meta, name } = this.sets[set];
    if (!this.channel || !meta.sae) return;
    const sets = [{ sae: meta.sae.id, features: [feature] }];
    this.channel.send({ source: this.source, kind, sets, label: `${name} #${feature}` });
  }

  dispose(): void {
    this.stop();
    if (this.lighting) this.channel?.send({ source: this.source, kind: 'light', sets: [], label: '' });
  }
}
