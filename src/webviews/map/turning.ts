/** The turn of a map in three dimensions while its reader changes it. */
import type { MapModel } from './model.js';
import { dragged, turnTo, type Turn } from './space.js';

/** Points count as resting this long after their last move. */
const REST_MS = 80;

export class Turning {
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** @param turn is changed by drags; `moved` draws the points anew, `rested` looks for what lies where again */
  constructor(
    private readonly model: MapModel,
    private readonly turn: Turn,
    private readonly hooks: { moved(): void; rested(): void },
  ) {}

  /** By a drag of so many pixels. */
  drag(dx: number, dy: number): void {
    Object.assign(this.turn, dragged(this.turn, dx, dy));
    this.moved();
  }

  /** The turn is another one now. */
  moved(): void {
    turnTo(this.model, this.turn);
    this.hooks.moved();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.hooks.rested(), REST_MS);
  }

  dispose(): void {
    clearTimeout(this.timer);
  }
}
