/** Controls of maps in three dimensions. */
import { slider } from '../plot/toolbar.js';
import { el } from '../ui/dom.js';
import type { MapModel } from './model.js';
import { inSpace, type Turn } from './space.js';

/** Sliders of the turn, and how they are set from elsewhere; none on maps of two dimensions. */
export function turnControls(
  model: MapModel,
  turn: Turn,
  changed: (turn: Partial<Turn>) => void,
): { parts: HTMLElement[]; show(turn: Turn): void } {
  if (!inSpace(model)) return { parts: [], show: () => undefined };
  const say = (degrees: number): string => `${Math.round(degrees)} degrees`;
  const yaw = slider({
    ...{ label: 'Turn the map about its upright axis', range: [-180, 180, 1], value: turn.yaw, say },
    onInput: (to) => changed({ yaw: to }),
  });
  const pitch = slider({
    ...{ label: 'Tilt the map', range: [-90, 90, 1], value: turn.pitch, say },
    onInput: (to) => changed({ pitch: to }),
  });
  const part = (name: string, input: HTMLElement) => el('label', { class: 'part threshold' }, name, input);
  return {
    parts: [part('turn', yaw), part('tilt', pitch)],
    show(to) {
      for (const [input, degrees] of [
        [yaw, to.yaw],
        [pitch, to.pitch],
      ] as const) {
        input.value = String(Math.round(degrees));
        input.setAttribute('aria-valuetext', say(degrees));
      }
    },
  };
}
