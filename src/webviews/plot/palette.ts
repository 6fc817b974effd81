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
