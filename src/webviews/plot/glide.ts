/** Cameras that glide to where they are sent. */
import { reducedMotion } from '../ui/theme.js';
import { blend, type Camera } from './camera.js';

const GLIDE_MS = 200;

export class Glide {
  private animation = 0;

  /** Moves the cameras in a fifth of a second, at once when motion is to be reduced. */
  to(from: readonly Camera[], targets: readonly Camera[], move: (index: number, camera: Camera) => void): void {
    this.stop();
    if (reducedMotion()) return targets.forEach((camera, i) => move(i, camera));
    const started = performance.now();
    const step = (now: number) => {
      const t = Math.min(1, Math.max(0, now - started) / GLIDE_MS);
      targets.forEach((camera, i) => move(i, t === 1 ? camera : blend(from[i], camera, 1 - (1 - t) ** 3)));
      if (t < 1) this.animation = requestAnimationFrame(step);
    };
    this.animation = requestAnimationFrame(step);
  }

  stop(): void {
    cancelAnimationFrame(this.animation);
  }
}
