/** Links a map with the other views of its notebook: features that they light or pick as points, and its own hits as features. */
import type { LinkChannel } from '../../protocol/link.js';
import { ViewLink } from '../ui/link.js';
import { computeLit, groupOf, type Filters } from './filter.js';
import type { MapModel } from './model.js';

export interface MapLinkHooks {
  /** Other views light these points (per set, null = none said for it), or nothing any more. */
  lit(points: Array<Uint8Array | null> | null, label: string): void;
  /** Another view picked this point. */
  picked(set: number, point: number): void;
}

function pointsOf(model: MapModel, set: number, features: Set<number>): Uint8Array {
  const { n, pointOf } = model.sets[set];
  const chosen = new Uint8Array(n);
  for (const feature of features) {
    const point = pointOf.get(feature);
    if (point !== undefined) chosen[point] = 1;
  }
  return chosen;
}

export class MapLink extends ViewLink {
  constructor(
    private readonly model: MapModel,
    channel: LinkChannel | undefined,
    hooks: MapLinkHooks,
  ) {
    super(model.sets, channel, {
      lit: (features, label) => hooks.lit(features && features.map((own, s) => own && pointsOf(model, s, own)), label),
      picked: (s, feature) => {
        const point = model.sets[s].pointOf.get(feature);
        if (point === undefined) return false;
        hooks.picked(s, point);
        return true;
      },
    });
  }

  /** Tells the others the hits of this map's own search, group and selection, by the name of the group if there is one. */
  light(filters: Filters): void {
    if (!this.channel) return;
    const own = computeLit(this.model, { ...filters, linked: null });
    const features = this.model.sets.map((set, s) =>
      own.active && set.meta.sae ? [...set.columns.feature].filter((_, i) => own.state[s][i] === 1) : null,
    );
    this.tell(features, groupOf(this.model, filters)?.name ?? this.model.meta.title, true);
  }
}
