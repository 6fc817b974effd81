/** The pinned points of a map, in the order in which they were pinned. */
import type { MapModel } from './model.js';
import type { Pin } from './state.js';

export class MapPins {
  readonly list: Array<Pin & { point: number }> = [];

  constructor(
    private readonly model: MapModel,
    saved: readonly Pin[],
  ) {
    for (const { set, feature } of saved) this.add(set, model.sets[set].pointOf.get(feature) ?? -1);
  }

  private add(set: number, point: number): void {
    if (point >= 0) this.list.push({ set, point, feature: this.model.sets[set].columns.feature[point] });
  }

  /** Pins a pair, or unpins it when either of its ends is pinned already; true: it is pinned now. */
  toggle(set: number, point: number, partnerOf: (set: number, point: number) => number): boolean {
    const partner = partnerOf(set, point);
    const known = this.list.findIndex(
      (p) =>
        (p.set === set && p.point === point) ||
        (p.set === 1 - set && p.point === partner && partnerOf(p.set, p.point) === point),
    );
    if (known >= 0) this.remove(known);
    else this.add(set, point);
    return known < 0;
  }

  remove(index: number): void {
    this.list.splice(index, 1);
  }

  clear(): void {
    this.list.length = 0;
  }
}
