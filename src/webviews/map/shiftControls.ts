/** Controls of maps of before and after. */
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
  const slider = el('input', { aria: { label: `Points from ${shift.before} to ${shift.after}` } });
  slider.type = 'range';
  slider.min = '0';
  slider.max = '1';
  slider.step = '0.02';
  slider.value = String(state.shift);
  const say = () => {
    const at = Number(slider.value);
    const text = at === 0 ? shift.before : at === 1 ? shift.after : `${Math.round(100 * at)} % of the way`;
    slider.setAttribute('aria-valuetext', text);
  };
  say();
  slider.addEventListener('input', () => {
    say();
    changed({ shift: Number(slider.value) });
  });
  const box = (label: string, checked: boolean, onChange: (on: boolean) => void) =>
    checkbox({ label, checked, onChange }).element;
  return [
    el('label', { class: 'part threshold' }, shift.before, slider, shift.after),
    box('arrows', state.arrows, (arrows) => changed({ arrows })),
    ...(model.twin ? [box('null beside', state.nullShown, (nullShown) => changed({ nullShown }))] : []),
  ];
}
