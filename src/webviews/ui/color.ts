/** Colours as numbers: parsing what CSS gives, perceptual ramps, and a colour-blind-safe set of categories. */

export type Rgb = readonly [number, number, number];

let probe: CanvasRenderingContext2D | null = null;

/** Any CSS colour as sRGB bytes; `fallback` where the text is not a colour. */
export function parseColor(text: string, fallback: Rgb = [128, 128, 128]): Rgb {
  const value = text.trim();
  if (value === '') return fallback;
  probe ??= Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d', {
    willReadFrequently: true,
  });
  if (!probe) return fallback;
  probe.clearRect(0, 0, 1, 1);
  probe.fillStyle = 'rgb(1, 2, 3)';
  probe.fillStyle = value;
  if (probe.fillStyle === '#010203' && !/^#010203$/i.test(value)) return fallback;
  probe.fillRect(0, 0, 1, 1);
  const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
  return [r, g, b];
}

/** The colour for CSS and canvas; `alpha` 0 to 1. */
export function css([r, g, b]: Rgb, alpha = 1): string {
  return `rgba(${r}, ${g}, ${b}, ${alpha})`;
}

/** Relative luminance of WCAG 2, 0 to 1. */
export function luminance(color: Rgb): number {
  const [r, g, b] = color.map((c) => {
    const s = c / 255;
    return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Between two colours in sRGB: a at t = 0, b at t = 1. */
export function mix(a: Rgb, b: Rgb, t: number): Rgb {
  const at = (i: 0 | 1 | 2): number => Math.round(a[i] + (b[i] - a[i]) * t);
  return [at(0), at(1), at(2)];
}

/** Okabe and Ito's categories (jfly.uni-koeln.de/color), without black; legible on light and dark grounds. */
export const CATEGORIES: readonly Rgb[] = [
  [230, 159, 0],
  [86, 180, 233],
  [0, 158, 115],
  [204, 121, 167],
  [213, 94, 0],
  [0, 114, 178],
  [240, 228, 66],
  [148, 103, 189],
];

/** Stops of matplotlib's viridis and cividis at 0, 1/8, … 1. */
const RAMPS = {
  viridis: ['440154', '472d7b', '3b528b', '2c728e', '21918c', '28ae80', '5ec962', 'addc30', 'fde725'],
  cividis: ['00224e', '123570', '3b496c', '575d6d', '707173', '8a8678', 'a59c74', 'c3b369', 'fee838'],
} as const;

/**
 * 256 colours from weak to strong. The end nearest to the background is cut off and strong always stands out more:
 * dark ground ends bright, light ground ends dark.
 */
export function ramp(name: keyof typeof RAMPS, darkGround: boolean): Rgb[] {
  const part = (hex: string, at: number): number => parseInt(hex.slice(at, at + 2), 16);
  const stops = RAMPS[name].map((hex): Rgb => [part(hex, 0), part(hex, 2), part(hex, 4)]);
  const from = 0.16;
  return Array.from({ length: 256 }, (_, i) => {
    const strength = i / 255;
    const t = (darkGround ? from + strength * (1 - from) : 1 - from - strength * (1 - from)) * (stops.length - 1);
    const k = Math.min(Math.floor(t), stops.length - 2);
    return mix(stops[k], stops[k + 1], t - k);
  });
}
