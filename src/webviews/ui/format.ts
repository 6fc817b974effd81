/** Numbers and tokens as people read them. */
export { labelLine, visibleToken } from '../../protocol/tokens.js';

const integer = new Intl.NumberFormat('en-US');

export function count(n: number): string {
  return integer.format(n);
}

/** "1 feature", "12 features". */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** `digits` significant digits, without exponents between 1e-4 and 1e7; "–" for missing or NaN. */
export function number(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return integer.format(value).replace('-', '−');
  const size = Math.abs(value);
  const text = size < 1e-4 || size >= 1e7 ? value.toExponential(digits - 1) : String(Number(value.toPrecision(digits)));
  return text.replace('-', '−');
}

/** Like `number`, but closing zeros stay, so that values in a column have equally many digits: "1.40" beside "1.42". */
export function aligned(value: number, digits: number): string {
  // The rounded size: 999.7 has the four digits of 1000.
  const size = Math.abs(Number(value.toPrecision(digits)));
  return size >= 1e-3 && size < 10 ** digits ? value.toPrecision(digits).replace('-', '−') : number(value, digits);
}

/** A correlation with two decimals, or "–". */
export function correlation(r: number): string {
  return Number.isNaN(r) ? '–' : r.toFixed(2).replace('-', '−');
}

/** A share such as 0.0031 as "0.31 %". */
export function percent(share: number): string {
  if (Number.isNaN(share)) return '–';
  const value = share * 100;
  const text = value === 0 ? '0' : value < 0.001 ? '<0.001' : value.toPrecision(value >= 10 ? 3 : 2);
  return `${Number.isNaN(Number(text)) ? text : String(Number(text))} %`;
}

/** Like `percent`, but closing zeros stay, so that shares in a column have equally many digits: "1.0 %" beside "1.2 %". */
export function alignedPercent(share: number): string {
  const value = share * 100;
  if (!(value >= 0.001)) return percent(share);
  return `${value >= 100 ? '100' : value.toPrecision(value >= 10 ? 3 : 2)} %`;
}

/** Milliseconds as "320 ms", "4.2 s", "3 min 05 s". */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 60) return `${s.toFixed(1)} s`;
  const whole = Math.round(s);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')} min`;
}
