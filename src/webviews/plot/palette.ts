/** Colours of the theme, as numbers. */
import { luminance, ramp, type Rgb } from '../ui/color.js';
import { tokenColor } from '../ui/theme.js';

export interface Palette {
  ground: Rgb;
  text: Rgb;
  muted: Rgb;
  sets: Rgb[];
  hover: Rgb;
  hit: Rgb;
  dark: boolean;
  rates: Rgb[];
  links: Rgb[];
}

export function readPalette(root: HTMLElement): Palette {
  const ground = tokenColor(root, 'bg');
  const dark = luminance(ground) < 0.4;
  return {
    ground,
    text: tokenColor(root, 'strong'),
    muted: tokenColor(root, 'muted'),
    sets: [tokenColor(root, 'a'), tokenColor(root, 'b')],
    hover: tokenColor(root, 'hover'),
    hit: tokenColor(root, 'hit'),
    dark,
    rates: ramp('cividis', dark),
    links: ramp('viridis', dark),
  };
}

/** Of pictures that leave the editor: the light theme's colours, which print. */
export const PAPER: Palette = {
  ...{ ground: [255, 255, 255], text: [31, 31, 31], muted: [97, 97, 97], dark: false },
  sets: [
    [0, 114, 178],
    [0, 128, 93],
  ],
  ...{ hover: [213, 94, 0], hit: [160, 51, 126] },
  ...{ rates: ramp('cividis', false), links: ramp('viridis', false) },
};
