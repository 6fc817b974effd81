/**
 * Seeded random numbers: xoshiro128** 1.1 (Blackman and Vigna, https://prng.di.unimi.it/xoshiro128starstar.c), its
 * state filled by SplitMix64 as its authors advise. Not for cryptography. The same seed gives the same numbers on
 * every host and every version of Node.
 */

const MASK = (1n << 64n) - 1n;

function splitmix64(state: bigint): { state: bigint; value: bigint } {
  const next = (state + 0x9e3779b97f4a7c15n) & MASK;
  let z = next;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK;
  return { state: next, value: z ^ (z >> 31n) };
}

/** FNV-1a, 64 bit, over UTF-16 code units. */
function fnv64(text: string): bigint {
  let h = 0xcbf29ce484222325n;
  for (let i = 0; i < text.length; i++) h = ((h ^ BigInt(text.charCodeAt(i))) * 0x100000001b3n) & MASK;
  return h;
}

/** The seed of draws where none is given. */
export const USUAL_SEED = 0;

/** A generator of random numbers; the same seed gives the same stream. */
export class Random {
  #key: bigint;
  #s0 = 0;
  #s1 = 0;
  #s2 = 0;
  #s3 = 0;
  #spare = NaN;

  /** seed: any safe integer; throws on anything else, so that no seed is silently rounded into another. */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed)) throw new RangeError(`a seed must be a whole number below 2^53 but got ${seed}`);
    this.#key = BigInt.asUintN(64, BigInt(seed));
    this.#fill();
  }

  #fill(): void {
    const first = splitmix64(this.#key);
    const second = splitmix64(first.state);
    this.#s0 = Number(first.value & 0xffffffffn) | 0;
    this.#s1 = Number(first.value >> 32n) | 0;
    this.#s2 = Number(second.value & 0xffffffffn) | 0;
    this.#s3 = Number(second.value >> 32n) | 0;
    this.#spare = NaN;
  }

  /** 32 random bits as an unsigned integer. */
  bits(): number {
    const s1 = this.#s1;
    const x = Math.imul(s1, 5);
    const result = Math.imul((x << 7) | (x >>> 25), 9) >>> 0;
    const t = s1 << 9;
    this.#s2 ^= this.#s0;
    this.#s3 ^= s1;
    this.#s1 = s1 ^ this.#s2;
    this.#s0 ^= this.#s3;
    this.#s2 ^= t;
    this.#s3 = (this.#s3 << 11) | (this.#s3 >>> 21);
    return result;
  }

  /** Uniform in [0, 1) with 53 random bits. */
  next(): number {
    const high = this.bits() >>> 5;
    return (high * 67108864 + (this.bits() >>> 6)) / 9007199254740992;
  }

  /** Uniform whole number in [0, n), unbiased (by rejection). n from 1 to 2^53. */
  int(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 9007199254740992) {
      throw new RangeError(`int(n) needs a whole number from 1 to 2^53 but got ${n}`);
    }
    if (n <= 4294967296) {
      const limit = 4294967296 - (4294967296 % n);
      let bits = this.bits();
      while (bits >= limit) bits = this.bits();
      return bits % n;
    }
    const limit = 9007199254740992 - (9007199254740992 % n);
    let value = this.next() * 9007199254740992;
    while (value >= limit) value = this.next() * 9007199254740992;
    return value % n;
  }

  /** Standard normal, by Marsaglia's polar method. */
  normal(): number {
    if (!Number.isNaN(this.#spare)) {
      const value = this.#spare;
      this.#spare = NaN;
      return value;
    }
    let u: number;
    let v: number;
    let s: number;
    do {
      u = 2 * this.next() - 1;
      v = 2 * this.next() - 1;
      s = u * u + v * v;
    } while (s >= 1 || s === 0);
    const scale = Math.sqrt((-2 * Math.log(s)) / s);
    this.#spare = v * scale;
    return u * scale;
  }

  /** Fills `out` with standard normals and returns it. */
  normals(out: Float32Array): Float32Array {
    for (let i = 0; i < out.length; i++) out[i] = this.normal();
    return out;
  }

  /** Shuffles in place, every order equally likely (Fisher-Yates). */
  shuffle(a: { length: number; [index: number]: unknown }): void {
    for (let i = a.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      const keep = a[i];
      a[i] = a[j];
      a[j] = keep;
    }
  }

  /** A random order of 0 … n-1. */
  permutation(n: number): Uint32Array {
    const order = new Uint32Array(n);
    for (let i = 0; i < n; i++) order[i] = i;
    this.shuffle(order);
    return order;
  }

  /**
   * An independent generator named by `stream`. It depends on the seed and the name alone, not on how many numbers were
   * drawn: adding draws in one part of a program leaves the streams of the others unchanged.
   */
  fork(stream: string | number): Random {
    const child = new Random(0);
    const name = typeof stream === 'number' ? `#${stream}` : stream;
    child.#key = splitmix64(this.#key ^ splitmix64(fnv64(name)).value).value;
    child.#fill();
    return child;
  }
}
