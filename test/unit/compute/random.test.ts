import { describe, expect, it } from 'vitest';
import { Random } from '#kernel/compute/random.js';

const draws = (r: Random, n: number): number[] => Array.from({ length: n }, () => r.next());

/** xoshiro128** 1.1 and SplitMix64 written once more, in BigInt, from the authors' C. */
function* reference(seed: bigint): Generator<number> {
  const mask64 = (1n << 64n) - 1n;
  const mask = 0xffffffffn;
  let x = BigInt.asUintN(64, seed);
  const split = (): bigint => {
    x = (x + 0x9e3779b97f4a7c15n) & mask64;
    let z = x;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask64;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask64;
    return z ^ (z >> 31n);
  };
  const [p, q] = [split(), split()];
  const s = [p & mask, p >> 32n, q & mask, q >> 32n];
  const rotl = (v: bigint, k: bigint): bigint => ((v << k) | (v >> (32n - k))) & mask;
  for (;;) {
    yield Number((rotl((s[1] * 5n) & mask, 7n) * 9n) & mask);
    const t = (s[1] << 9n) & mask;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 11n);
  }
}

describe('Random', () => {
  it.each([0, 1, 42, -7, 2 ** 52 + 1])('is xoshiro128** seeded by SplitMix64, seed %s', (seed) => {
    const expected = reference(BigInt(seed));
    const random = new Random(seed);
    for (let i = 0; i < 1000; i++) expect(random.bits()).toBe(expected.next().value);
  });

  it('splits seed 0 as the published SplitMix64 does', () => {
    // First output of SplitMix64 from state 0 is e220a8397b1dcdaf.
    const s = reference(0n);
    const s1 = 0xe220a839n;
    const rot = ((s1 * 5n) & 0xffffffffn) << 7n;
    expect(s.next().value).toBe(Number((((rot & 0xffffffffn) | (rot >> 32n)) * 9n) & 0xffffffffn));
  });

  it('gives the same numbers for the same seed and others for another', () => {
    expect(draws(new Random(5), 20)).toEqual(draws(new Random(5), 20));
    expect(draws(new Random(5), 3)).not.toEqual(draws(new Random(6), 3));
  });

  it.each([0.5, NaN, Infinity, 2 ** 53])('refuses seed %s', (seed) => {
    expect(() => new Random(seed)).toThrow('seed');
  });

  it('draws uniform numbers in [0, 1): mean 1/2, variance 1/12, cells even', () => {
    const random = new Random(1);
    const n = 200_000;
    const cells = new Float64Array(20);
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < n; i++) {
      const x = random.next();
      expect(x >= 0 && x < 1).toBe(true);
      sum += x;
      squares += x * x;
      cells[Math.floor(x * 20)]++;
    }
    expect(sum / n).toBeCloseTo(0.5, 2);
    expect(squares / n - (sum / n) ** 2).toBeCloseTo(1 / 12, 2);
    const chi2 = cells.reduce((a, c) => a + (c - n / 20) ** 2 / (n / 20), 0);
    expect(chi2).toBeLessThan(43.8); // 19 degrees of freedom, p = 0.001
  });

  it('draws unbiased integers, also where 2^32 is no multiple', () => {
    const random = new Random(2);
    const n = 3 * 2 ** 30; // 2^32 mod n = 2^30: plain remainders would hit the lowest third half of the time
    let low = 0;
    for (let i = 0; i < 60_000; i++) if (random.int(n) < 2 ** 30) low++;
    expect(low / 60_000).toBeCloseTo(1 / 3, 1.5);
    for (let i = 0; i < 1000; i++) {
      const big = random.int(2 ** 52 + 1);
      expect(Number.isInteger(big) && big >= 0 && big <= 2 ** 52).toBe(true);
    }
    expect(random.int(1)).toBe(0);
    for (const bad of [0, -1, 1.5, NaN, 2 ** 54]) expect(() => random.int(bad)).toThrow('int(n)');
  });

  it('draws normals with the moments and tail of a normal', () => {
    const x = new Random(3).normals(new Float32Array(200_001));
    const moment = (p: number): number => x.reduce((s, v) => s + v ** p, 0) / x.length;
    expect(Math.abs(moment(1))).toBeLessThan(0.01);
    expect(Math.abs(moment(2) - 1)).toBeLessThan(0.02);
    expect(Math.abs(moment(3))).toBeLessThan(0.04);
    expect(Math.abs(moment(4) - 3)).toBeLessThan(0.1);
    const beyond = x.filter((v) => Math.abs(v) > 1.959964).length / x.length;
    expect(Math.abs(beyond - 0.05)).toBeLessThan(0.003);
  });

  it('permutes: every index once, every place as likely', () => {
    const random = new Random(4);
    expect([...random.permutation(500)].sort((a, b) => a - b)).toEqual(Array.from({ length: 500 }, (_, i) => i));
    const counts = new Float64Array(16);
    for (let r = 0; r < 20_000; r++) random.permutation(4).forEach((v, place) => counts[v * 4 + place]++);
    for (const c of counts) expect(Math.abs(c - 5000)).toBeLessThan(250);
    expect(random.permutation(0)).toHaveLength(0);
  });

  it('forks by name, whatever was drawn before', () => {
    const a = new Random(9);
    const before = draws(a.fork('noise'), 5);
    draws(a, 17);
    a.normal();
    expect(draws(a.fork('noise'), 5)).toEqual(before);
    expect(draws(a.fork('other'), 5)).not.toEqual(before);
    expect(draws(new Random(10).fork('noise'), 5)).not.toEqual(before);
    expect(draws(a.fork(1), 5)).not.toEqual(draws(a.fork('1'), 5));
    expect(draws(a.fork('x').fork('y'), 5)).not.toEqual(draws(a.fork('y').fork('x'), 5));
  });
});
