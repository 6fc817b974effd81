/** Scales of colours: which value takes which colour. */

export interface Scale {
  /** Ends of the scale; values outside take the colour of their end. */
  range: [number, number];
  /** Whether values lie below, or above, the ends: the scale of 50 values or more leaves out 2 % at either end. */
  clipped: [boolean, boolean];
  /** Whether it is logarithmic: positive values that span more than a factor of 30. */
  log: boolean;
}

/** Below this many values the scale goes from the smallest to the largest. */
const MANY = 50;

/** One scale over the values of all sets; what is not finite takes no part. */
export function scaleOfValues(values: ReadonlyArray<ArrayLike<number>>): Scale {
  const all = values.flatMap((set) => Array.from(set).filter((v) => Number.isFinite(v))).sort((a, b) => a - b);
  const n = all.length;
  if (n === 0) return { range: [0, 1], log: false, clipped: [false, false] };
  const cut = n >= MANY ? Math.floor(0.02 * n) : 0;
  let [low, high] = [all[cut], all[n - 1 - cut]];
  // Where all but the outermost values are equal, those are what there is to see: the scale takes them in.
  if (!(high > low)) [low, high] = [all[0], all[n - 1]];
  return { range: [low, high], log: low > 0 && high / low > 30, clipped: [all[0] < low, all[n - 1] > high] };
}

/** Place of a value on the scale, 0 to 1; NaN stays NaN. */
export function placeOn({ range, log }: Pick<Scale, 'range' | 'log'>, value: number): number {
  const [low, high] = range;
  if (!(high > low)) return Number.isNaN(value) ? NaN : 0.5;
  const t = log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  return Math.min(1, Math.max(0, t));
}

/** How many of the values that `each` adds lie in each of `bins` equal parts of the scale; those outside count at its ends. */
export function binsOf(bins: number, scale: Scale, each: (add: (value: number) => void) => void): number[] {
  const counts = new Array<number>(bins).fill(0);
  each((value) => {
    const t = placeOn(scale, value);
    if (!Number.isNaN(t)) counts[Math.min(bins - 1, Math.floor(t * bins))]++;
  });
  return counts;
}

/** Whether values of a column of this name are shares, which are shown in per cent. */
export const isShare = (name: string): boolean => /\b(rate|share|density)\b/i.test(name);
