/** A map among the other views of its notebook: it shows what they light and pick, and says what it lights and pins. */
import { MAX_LINKED_FEATURES, type LinkChannel, type LinkedSelection } from '../../protocol/link.js';
import { plural } from '../ui/format.js';
import { LinkedLights, linkSource } from '../ui/link.js';
import { computeLit, type Filters } from './filter.js';
import type { MapModel } from './model.js';

export interface MapLinkHooks {
  /** Other views light these points (per set, null = none said for it), or nothing any more. */
  lit(points: Array<Uint8Array | null> | null, label: string): void;
  /** Another view picked this point. */
  picked(set: number, point: number): void;
}

export class MapLink {
  private readonly source = linkSource();
  private readonly lights = new LinkedLights();
  private readonly stop: () => void;
  private lighting = false;

  constructor(
    private readonly model: MapModel,
    private readonly channel: LinkChannel | undefined,
    private readonly hooks: MapLinkHooks,
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
      for (const [s, set] of this.model.sets.entries()) {
        const point = set.meta.sae?.id === sae ? set.pointOf.get(features[0]) : undefined;
        if (point !== undefined) return this.hooks.picked(s, point);
      }
  }

  private show(): void {
    const points = this.model.sets.map((set) => {
      const features = this.lights.of(set.meta.sae?.id);
      if (!features) return null;
      const chosen = new Uint8Array(set.n);
      for (const feature of features) {
        const point = set.pointOf.get(feature);
        if (point !== undefined) chosen[point] = 1;
      }
      return chosen;
    });
    this.hooks.lit(points.some((p) => p !== null) ? points : null, this.lights.label);
  }

  /** Forgets what the other views light, until they light something else. */
  forget(): void {
    this.lights.clear();
    this.show();
  }

  /** Tells the others the hits of this map's own search, group and selection. */
  light(filters: Filters): void {
    if (!this.channel) return;
    const own = computeLit(this.model, { ...filters, linked: null });
    const sets = this.model.sets.flatMap((set, s) =>
      own.active && set.meta.sae
        ? [{ sae: set.meta.sae.id, features: [...set.columns.feature].filter((_, i) => own.state[s][i] === 1) }]
        : [],
    );
    const total = sets.reduce((sum, set) => sum + set.features.length, 0);
    const tell = total > 0 && total <= MAX_LINKED_FEATURES;
    if (!tell && !this.lighting) return;
    this.lighting = tell;
    const label = `${this.model.meta.title}: ${plural(total, 'feature')}`;
    this.channel.send({ source: this.source, kind: 'light', sets: tell ? sets : [], label: tell ? label : '' });
  }

  pick(set: number, feature: number): void {
    const { meta, name } = this.model.sets[set];
    if (!this.channel || !meta.sae) return;
    const sets = [{ sae: meta.sae.id, features: [feature] }];
    this.channel.send({ source: this.source, kind: 'pick', sets, label: `${name} #${feature}` });
  }

  dispose(): void {
    this.stop();
    if (this.lighting) this.channel?.send({ source: this.source, kind: 'light', sets: [], label: '' });
  }
}
