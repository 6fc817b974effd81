/** A graph view among the other views of its notebook: lights and picks, both ways. */
import { MAX_LINKED_FEATURES, type LinkChannel, type LinkedSelection } from '../../protocol/link.js';
import { plural } from '../ui/format.js';
import { LinkedLights, linkSource } from '../ui/link.js';
import type { GraphModel } from './model.js';

export interface GraphLinkHooks {
  /** Other views light these points (per set, null = none said for it), or nothing any more. */
  lit(points: Array<Set<number> | null> | null, label: string): void;
  /** Another view picked this feature. */
  picked(set: number, point: number): void;
}

export class GraphLink {
  private readonly source = linkSource();
  private readonly lights = new LinkedLights();
  private readonly stop: () => void;
  private lighting = false;

  constructor(
    private readonly model: GraphModel,
    private readonly channel: LinkChannel | undefined,
    private readonly hooks: GraphLinkHooks,
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
      for (const [s, set] of this.model.sets.entries())
        if (set.meta.sae?.id === sae && features.length > 0) this.hooks.picked(s, features[0]);
  }

  private show(): void {
    const points = this.model.sets.map((set) => this.lights.of(set.meta.sae?.id));
    this.hooks.lit(points.some((p) => p !== null) ? points : null, this.lights.label);
  }

  /** Forgets what the other views light, until they light something else. */
  forget(): void {
    this.lights.clear();
    this.show();
  }

  /** Lights these points of each graph in the other views; nothing where all are empty. */
  light(points: ReadonlyArray<readonly number[]>, label: string): void {
    if (!this.channel) return;
    const sets = this.model.sets.flatMap((set, s) =>
      set.meta.sae && points[s].length > 0 ? [{ sae: set.meta.sae.id, features: [...points[s]] }] : [],
    );
    const total = sets.reduce((sum, set) => sum + set.features.length, 0);
    const tell = total > 0 && total <= MAX_LINKED_FEATURES;
    if (!tell && !this.lighting) return;
    this.lighting = tell;
    const text = tell ? `${label}: ${plural(total, 'feature')}` : '';
    this.channel.send({ source: this.source, kind: 'light', sets: tell ? sets : [], label: text });
  }

  pick(s: number, point: number): void {
    const { meta, name } = this.model.sets[s];
    if (!this.channel || !meta.sae) return;
    const sets = [{ sae: meta.sae.id, features: [point] }];
    this.channel.send({ source: this.source, kind: 'pick', sets, label: `${name} #${point}` });
  }

  dispose(): void {
    this.stop();
    if (this.lighting) this.channel?.send({ source: this.source, kind: 'light', sets: [], label: '' });
  }
}
