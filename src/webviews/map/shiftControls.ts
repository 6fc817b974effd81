/** Controls of maps of before and after. */
import { slider } from '../plot/toolbar.js';
import { el } from '../ui/dom.js';
import { checkbox } from '../ui/toolkit.js';
import type { MapModel } from './model.js';
import type { MapViewState } from './state.js';

/** Slider from before to after, arrows, and the null beside. */
export function shiftControls(
  model: MapModel,
  state: MapViewState,
  changed: (change: Partial<MapViewState>) => void,
): HTMLElement[] {
  const { shift } = model.meta;
  if (!shift) return [];
  const words = (at: number) =>
    at === 0 ? shift.before : at === 1 ? shift.after : `${Math.round(100 * at)} % of the way`;
  const input = slider({
    ...{ label: `Points from ${shift.before} to ${shift.after}`, range: [0, 1, 0.02], value: state.shift, say: words },
    onInput: (at) => changed({ shift: at }),
  });
  const box = (label: string, checked: boolean, onChange: (on: boolean) => void) =>
    el('div', { class: 'part extra' }, checkbox({ label, checked, onChange }).element);
  return [
    el('label', { class: 'part threshold' }, shift.before, input, shift.after),
    box('arrows', state.arrows, (arrows) => changed({ arrows })),
    ...(model.twin ? [box('null beside', state.nullShown, (nullShown) => changed({ nullShown }))] : []),
  ];
}
