/**
 * The normal distribution in one and two dimensions, in float64, and binary events that threshold it: the correlation
 * (phi) of two thresholded normals, its Fréchet bounds, and the latent correlation that gives a wanted phi.
 */

const TWO_PI = 2 * Math.PI;

/**
 * P(Z ≤ x) of a standard normal, to about 1e-14 of itself (Hart 1968, algorithm 5666, as in West 2005; Laplace's
 * continued fraction past 3).
 */
export function normalCdf(x: number): number {
  const z = Math.abs(x);
  if (z > 38) return x > 0 ? 1 : 0;
  const e = Math.exp((-z * z) / 2);
  let tail: number;
  if (z < 3) {
    let a = 3.52624965998911e-2 * z + 0.700383064443688;
    a = a * z + 6.37396220353165;
    a = a * z + 33.912866078383;
    a = a * z + 112.079291497871;
    a = a * z + 221.213596169931;
    a = a * z + 220.206867912376;
    let b = 8.83883476483184e-2 * z + 1.75566716318264;
    b = b * z + 16.064177579207;
    b = b * z + 86.7807322029461;
    b = b * z + 296.564248779674;
    b = b * z + 637.333633378831;
    b = b * z + 793.826512519948;
    b = b * z + 440.413735824752;
    tail = (e * a) / b;
  } else {
    let fraction = z;
    for (let k = 60; k >= 1; k--) fraction = z + k / fraction;
    tail = e / fraction / Math.sqrt(TWO_PI);
  }
  return x > 0 ? 1 - tail : tail;
}

const poly = (x: number, c: readonly number[]): number => c.reduceRight((sum, a) => sum * x + a, 0);

/* eslint-disable no-loss-of-precision -- the constants as they were published */
const CENTRE = [
  3.387132872796366608, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125, 45921.953931549871457,
  67265.770927008700853, 33430.575583588128105, 2509.0809287301226727,
];
const CENTRE_D = [
  1, 42.313330701600911252, 687.1870074920579083, 5394.1960214247511077, 21213.794301586595867, 39307.89580009271061,
  28729.085735721942674, 5226.495278852854561,
];
const TAIL = [
  1.42343711074968357734, 4.6303378461565452959, 5.7694972214606914055, 3.64784832476320460504, 1.27045825245236838258,
  0.24178072517745061177, 2.27238449892691845833e-2, 7.7454501427834140764e-4,
];
const TAIL_D = [
  1, 2.05319162663775882187, 1.6763848301838038494, 0.68976733498510000455, 0.14810397642748007459,
  1.51986665636164571966e-2, 5.475938084995344946e-4, 1.05075007164441684324e-9,
];
const FAR = [
  6.6579046435011037772, 5.4637849111641143699, 1.7848265399172913358, 0.29656057182850489123, 2.6532189526576123093e-2,
  1.2426609473880784386e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7,
];
const FAR_D = [
  1, 0.59983220655588793769, 0.13692988092273580531, 1.48753612908506148525e-2, 7.868691311456132591e-4,
  1.8463183175100546818e-5, 1.4215117583164458887e-7, 2.04426310338993978564e-15,
];

/* eslint-enable no-loss-of-precision */

/** The x with P(Z ≤ x) = p, to about 1e-15 (Wichura 1988, AS 241); −∞ for 0, ∞ for 1. */
export function normalQuantile(p: number): number {
  if (!(p >= 0 && p <= 1)) throw new RangeError(`a probability lies in [0, 1] but is ${p}`);
  if (p === 0) return -Infinity;
  if (p === 1) return Infinity;
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    return (q * poly(r, CENTRE)) / poly(r, CENTRE_D);
  }
  const r = Math.sqrt(-Math.log(q < 0 ? p : 1 - p));
  const x = r <= 5 ? poly(r - 1.6, TAIL) / poly(r - 1.6, TAIL_D) : poly(r - 5, FAR) / poly(r - 5, FAR_D);
  return q < 0 ? -x : x;
}

/** Gauss-Legendre nodes and weights on [0, 1]. */
export function gaussLegendre(n: number): { nodes: Float64Array; weights: Float64Array } {
  const nodes = new Float64Array(n);
  const weights = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let x = Math.cos((Math.PI * (i + 0.75)) / (n + 0.5));
    let slope = 1;
    for (let step = 0; step < 100; step++) {
      let [p0, p1] = [1, x];
      for (let k = 2; k <= n; k++) [p0, p1] = [p1, ((2 * k - 1) * x * p1 - (k - 1) * p0) / k];
      slope = (n * (x * p1 - p0)) / (x * x - 1);
      const next = x - p1 / slope;
      if (Math.abs(next - x) < 1e-16) break;
      x = next;
    }
    nodes[i] = (1 + x) / 2;
    weights[i] = 1 / ((1 - x * x) * slope * slope);
  }
  return { nodes, weights };
}

const RULE = gaussLegendre(32);

/**
 * P(X > h, Y > k) for standard normals of correlation r. With Plackett's identity ∂P/∂r = density: P = Φ(−h)Φ(−k) +
 * ∫₀^asin(r) exp(−(h² + k² − 2hk sin θ)/(2 cos²θ)) dθ / 2π (Drezner and Wesolowsky 1990). For |r| > 0.9 the integral
 * runs down from |r| = 1, where P is known, after a substitution that takes the square-root singularity away.
 */
export function bivariateUpper(h: number, k: number, r: number): number {
  if (!(r >= -1 && r <= 1)) throw new RangeError(`a correlation lies in [−1, 1] but is ${r}`);
  if (h === Infinity || k === Infinity) return 0;
  if (h === -Infinity) return normalCdf(-k);
  if (k === -Infinity) return normalCdf(-h);
  const { nodes, weights } = RULE;
  if (Math.abs(r) <= 0.9) {
    const end = Math.asin(r);
    let sum = 0;
    for (let i = 0; i < nodes.length; i++) {
      const s = Math.sin(end * nodes[i]);
      sum += weights[i] * Math.exp(-(h * h + k * k - 2 * h * k * s) / (2 * (1 - s * s)));
    }
    return clamp01(normalCdf(-h) * normalCdf(-k) + (end * sum) / TWO_PI);
  }
  // P(X > h, Y > k; r) = P(X > h) − P(X > h, −Y > −k; −r).
  if (r < 0) return clamp01(normalCdf(-h) - bivariateUpper(h, -k, -r));
  const full = normalCdf(-Math.max(h, k));
  if (r === 1) return full;
  return clamp01(full - nearOne(h, k, Math.acos(r)) / TWO_PI);
}

/**
 * ∫₀^end exp(−((h − k)²/(4 sin²(φ/2)) + …)) dφ with φ = acos ρ. The integrand is flat at 0 of every order when h ≠ k,
 * and changes at the scale |h − k|: pieces that double from there.
 */
function nearOne(h: number, k: number, end: number): number {
  const { nodes, weights } = RULE;
  const scale = Math.abs(h - k);
  // Below scale/9 the integrand is under e^-40.
  let from = Math.min(end, scale / 9);
  let total = 0;
  while (from < end) {
    const to = scale === 0 ? end : Math.min(end, Math.max(from * 1.7, 1e-12));
    let sum = 0;
    for (let i = 0; i < nodes.length; i++) {
      const half = Math.sin((from + (to - from) * nodes[i]) / 2);
      const c = Math.sqrt(1 - half * half);
      // (h² + k² − 2hk cos φ)/(2 sin²φ) = (h − k)²/(8 s²c²) + hk/(2c²), s = sin(φ/2), c = cos(φ/2).
      sum += weights[i] * Math.exp(-(scale * scale) / (8 * half * half * c * c) - (h * k) / (2 * c * c));
    }
    total += (to - from) * sum;
    from = to;
  }
  return total;
}

const clamp01 = (p: number): number => Math.min(1, Math.max(0, p));

/** Smallest and largest correlation that two events of probability p and q can have (Fréchet 1951). */
export function phiBounds(p: number, q: number): [low: number, high: number] {
  const scale = Math.sqrt(p * (1 - p) * q * (1 - q));
  if (scale === 0) return [0, 0];
  return [(Math.max(0, p + q - 1) - p * q) / scale, (Math.min(p, q) - p * q) / scale];
}

/** P(both) of two events of probability p and q cut from normals of correlation r. */
export function jointOfLatent(p: number, q: number, r: number): number {
  return bivariateUpper(-normalQuantile(p), -normalQuantile(q), r);
}

/** Correlation of the two binary events that have P(both) = joint. */
export function phiOfJoint(p: number, q: number, joint: number): number {
  const scale = Math.sqrt(p * (1 - p) * q * (1 - q));
  return scale === 0 ? 0 : (joint - p * q) / scale;
}

/**
 * The latent (tetrachoric) correlation whose thresholded normals have correlation `phi`, by bisection to 1e-13.
 * Throws with the feasible range when the marginals forbid it.
 */
export function latentOfPhi(p: number, q: number, phi: number): number {
  const [low, high] = phiBounds(p, q);
  if (!(phi >= low - 1e-12 && phi <= high + 1e-12))
    throw new RangeError(
      `firings of probability ${p} and ${q} can correlate from ${low.toFixed(4)} to ${high.toFixed(4)} (Fréchet bounds) ` +
        `but ${phi} is asked: ask for less, bring the frequencies closer, or give the latent correlation (of: 'latent')`,
    );
  const joint = p * q + phi * Math.sqrt(p * (1 - p) * q * (1 - q));
  let [a, b] = [-1, 1];
  while (b - a > 1e-13) {
    const middle = (a + b) / 2;
    if (jointOfLatent(p, q, middle) < joint) a = middle;
    else b = middle;
  }
  return (a + b) / 2;
}
