/** Random numbers for sampling: xoshiro128** 1.1 as in compute/random.ts, made a buffer at a time. */
import type { Random } from '../random.js';

const BUFFER = 4096;
const TO_UNIT = 2 ** -32;

export class Bits {
  readonly #state: Int32Array;
  readonly #buffer = new Uint32Array(BUFFER);
  #at = BUFFER;
  #spare = NaN;

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

  /** Standard normal, by Marsaglia's polar method. */
  normal(): number {
    if (this.#spare === this.#spare) {
      const value = this.#spare;
      this.#spare = NaN;
      return value;
    }
    let u: number;
    let v: number;
    let s: number;
    do {
      u = 2 * this.unit() - 1;
      v = 2 * this.unit() - 1;
      s = u * u + v * v;
    } while (s >= 1 || s === 0);
    const scale = Math.sqrt((-2 * Math.log(s)) / s);
    this.#spare = v * scale;
    return u * scale;
  }

  normals(out: Float32Array | Float64Array): void {
    for (let i = 0; i < out.length; i++) out[i] = this.normal();
  }
}
