/** Random numbers for sampling: xoshiro128** 1.1 as in compute/random.ts, made a buffer at a time. */
import type { Random } from '../random.js';
import { normalCdf } from './normal.js';

const BUFFER = 4096;
const TO_UNIT = 2 ** -32;

/**
 * Layers of equal area under exp(−x²/2), from the bottom one, which holds the tail (Marsaglia and Tsang 2000):
 * x < EDGE[layer + 1] lies under the curve for sure.
 */
const LAYERS = 256;
const TAIL = 3.654152885361009;
const EDGE = new Float64Array(LAYERS + 1);
/** exp(−EDGE²/2). */
const DENSITY = new Float64Array(LAYERS + 1);
/** Width of a layer over 2^23. */
const WIDTH = new Float64Array(LAYERS);
{
  const bottom = Math.exp(-0.5 * TAIL * TAIL);
  const area = TAIL * bottom + Math.sqrt(Math.PI / 2) * 2 * (1 - normalCdf(TAIL));
  EDGE[0] = area / bottom;
  EDGE[1] = TAIL;
  for (let i = 1; i < LAYERS - 1; i++)
    EDGE[i + 1] = Math.sqrt(-2 * Math.log(area / EDGE[i] + Math.exp(-0.5 * EDGE[i] * EDGE[i])));
  for (let i = 0; i <= LAYERS; i++) DENSITY[i] = Math.exp(-0.5 * EDGE[i] * EDGE[i]);
  for (let i = 0; i < LAYERS; i++) WIDTH[i] = EDGE[i] / 2 ** 23;
}

/** A stream of random numbers whose state is drawn from `random`, so that it is as reproducible as that. */
export class Bits {
  readonly #state: Int32Array;
  readonly #buffer = new Uint32Array(BUFFER);
  #at = BUFFER;

  constructor(random: Random) {
    this.#state = Int32Array.from({ length: 4 }, () => random.bits());
  }

  /** Fills `out` with 32-bit numbers. */
  fill(out: Uint32Array): void {
    let [s0, s1, s2, s3] = this.#state;
    for (let i = 0; i < out.length; i++) {
      const x = Math.imul(s1, 5);
      out[i] = Math.imul((x << 7) | (x >>> 25), 9);
      const t = s1 << 9;
      s2 ^= s0;
      s3 ^= s1;
      s1 ^= s2;
      s0 ^= s3;
      s2 ^= t;
      s3 = (s3 << 11) | (s3 >>> 21);
    }
    this.#state[0] = s0;
    this.#state[1] = s1;
    this.#state[2] = s2;
    this.#state[3] = s3;
  }

  u32(): number {
    if (this.#at === BUFFER) {
      this.fill(this.#buffer);
      this.#at = 0;
    }
    return this.#buffer[this.#at++];
  }

  /** Uniform in (0, 1): middles of 2^32 equal pieces. */
  unit(): number {
    return (this.u32() + 0.5) * TO_UNIT;
  }

  /** Uniform whole number in [0, n); its bias is below n/2^32. */
  int(n: number): number {
    return Math.floor(this.unit() * n);
  }

  /** Standard normal, by the ziggurat of 256 layers: layer, sign and 23 bits of place from one number. */
  normal(): number {
    return this.#normalOf(this.u32());
  }

  #normalOf(first: number): number {
    for (let u = first; ; u = this.u32()) {
      const layer = u & 255;
      const x = (u >>> 9) * WIDTH[layer];
      const sign = 1 - ((u >>> 7) & 2);
      if (x < EDGE[layer + 1]) return sign * x;
      if (layer === 0) return sign * this.#tail();
      const height = DENSITY[layer] + this.unit() * (DENSITY[layer + 1] - DENSITY[layer]);
      if (height < Math.exp(-0.5 * x * x)) return sign * x;
    }
  }

  /** Beyond the last edge (Marsaglia 1964). */
  #tail(): number {
    for (;;) {
      const x = -Math.log(this.unit()) / TAIL;
      if (-2 * Math.log(this.unit()) > x * x) return TAIL + x;
    }
  }

  /** Fills `out` with standard normals. */
  normals(out: Float32Array | Float64Array): void {
    const piece = new Uint32Array(Math.min(out.length, BUFFER));
    for (let first = 0; first < out.length; first += BUFFER) {
      const numbers = piece.subarray(0, Math.min(BUFFER, out.length - first));
      this.fill(numbers);
      for (let i = 0; i < numbers.length; i++) {
        const u = numbers[i];
        const layer = u & 255;
        const x = (u >>> 9) * WIDTH[layer];
        // All but a hundredth lie in the part of their layer that is under the curve for sure.
        out[first + i] = x < EDGE[layer + 1] ? x * (1 - ((u >>> 7) & 2)) : this.#normalOf(u);
      }
    }
  }
}
