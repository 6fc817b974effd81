/**
 * Values of dataset examples and labels as codes that keep what is shown of them: activations with three significant
 * digits, shares as whole percent (tenths below ten).
 */
import { shareText } from '../tokens.js';

/** Decimal exponents that have codes; larger values are shown with all digits of their whole part. */
const [LEAST, MOST] = [-60, 2];
const MANTISSAS = 900;

/** The code of a value, monotone in it, 0 for 0; null where three digits are not all that is shown, or it is no number. */
export function valueCode(value: number): number | null {
  if (value === 0) return 0;
  const digits = threeDigits(Math.abs(value));
  if (!digits || digits.exponent < LEAST || digits.exponent > MOST) return null;
  const code = (digits.exponent - LEAST) * MANTISSAS + digits.mantissa - 100 + 1;
  return value < 0 ? -code : code;
}

/** A positive value as mantissa (100 to 999) · 10^(exponent - 2), rounded as toExponential(2) rounds. */
function threeDigits(size: number): { mantissa: number; exponent: number } | null {
  const exponent = Math.floor(Math.log10(size));
  const scaled = size * 10 ** (2 - exponent);
  const mantissa = Math.round(scaled);
  // Away from a tie and from the next power of ten, products of float64 round as exact decimals do.
  if (Math.abs(scaled - mantissa) < 0.499 && mantissa >= 100 && mantissa < 1000) return { mantissa, exponent };
  const match = /^(\d)\.(\d\d)e([+-]\d+)$/.exec(size.toExponential(2));
  return match && { mantissa: Number(match[1] + match[2]), exponent: Number(match[3]) };
}

/** The value of three digits that a code stands for. */
export function valueOfCode(code: number): number {
  if (code === 0) return 0;
  const k = Math.abs(code) - 1;
  const value = Number(`${(k % MANTISSAS) + 100}e${Math.floor(k / MANTISSAS) + LEAST - 2}`);
  return code < 0 ? -value : value;
}

/** Codes of shares: 0 to 99 are tenths of a percent, 100 to 190 are 10 to 100 percent. */
const TENTHS = 100;

const shareOfTenths = (code: number): number => (code === 0 ? 0 : code / 1000);

export const shareOfCode = (code: number): number => (code < TENTHS ? shareOfTenths(code) : (code - TENTHS + 10) / 100);

/** The code whose share is shown as this one is; null where there is none. */
export function shareCode(share: number): number | null {
  const percent = 100 * share;
  const guess = percent >= 9.95 ? Math.round(percent) - 10 + TENTHS : Math.round(10 * percent);
  const text = shareText(share);
  // Multiplied by 100 and by 1,000 a share may round to two sides.
  for (const code of [guess, guess - 1, guess + 1])
    if (code >= 0 && code <= 190 && shareText(shareOfCode(code)) === text) return code;
  return null;
}
