/**
 * Normal numbers as torch.randn draws them on a CPU: SAELens writes the seed of magnitudes in place of the magnitudes.
 * MT19937 (Matsumoto and Nishimura 1998); Box-Muller in blocks of 16 floats, or one by one in doubles below 16 numbers
 * (ATen's normal_fill and normal_distribution). Agreement with PyTorch: test/goldens/synthetic-model.py.
 */

const N = 624;
const M = 397;

class Mt19937 {
  readonly #state = new Uint32Array(N);
  #at = N;

  constructor(seed: number) {
    const s = this.#state;
    s[0] = seed;
    for (let i = 1; i < N; i++) s[i] = Math.imul(1812433253, s[i - 1] ^ (s[i - 1] >>> 30)) + i;
  }

  /** The next 32 bits. */
  next(): number {
    if (this.#at === N) this.#twist();
    let y = this.#state[this.#at++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  #twist(): void {
    const s = this.#state;
    for (let i = 0; i < N; i++) {
      const y = (s[i] & 0x80000000) | (s[(i + 1) % N] & 0x7fffffff);
      s[i] = s[(i + M) % N] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.#at = 0;
  }
}

/** 53 bits of two draws, the first one high. */
function unitDouble(bits: Mt19937): number {
  const high = bits.next();
  return ((high & 0x1fffff) * 2 ** 32 + bits.next()) * 2 ** -53;
}

/** Fewer than 16 numbers: pairs of doubles, the sine of a pair after its cosine. */
function inPairs(out: Float32Array, bits: Mt19937): void {
  for (let i = 0; i < out.length; i += 2) {
    const angle = 2 * Math.PI * unitDouble(bits);
    const radius = Math.sqrt(-2 * Math.log1p(-unitDouble(bits)));
    out[i] = radius * Math.cos(angle);
    if (i + 1 < out.length) out[i + 1] = radius * Math.sin(angle);
  }
}

/** 16 uniform numbers become 16 normals: number j with number j + 8. */
function turnBlock(block: Float32Array): void {
  for (let j = 0; j < 8; j++) {
    const radius = Math.sqrt(-2 * Math.log(1 - block[j]));
    const angle = 2 * Math.PI * block[j + 8];
    block[j] = radius * Math.cos(angle);
    block[j + 8] = radius * Math.sin(angle);
  }
}

/** torch.randn(count, generator=torch.Generator().manual_seed(seed)), to the rounding of its vectorised logarithm. */
export function torchNormals(count: number, seed: number): Float32Array {
  const bits = new Mt19937(seed);
  const out = new Float32Array(count);
  if (count < 16) {
    inPairs(out, bits);
    return out;
  }
  const uniform = (): number => (bits.next() & 0xffffff) * 2 ** -24;
  for (let i = 0; i < count; i++) out[i] = uniform();
  for (let i = 0; i + 16 <= count; i += 16) turnBlock(out.subarray(i, i + 16));
  if (count % 16 === 0) return out;
  // The last 16 numbers are drawn anew where the count is no multiple of 16.
  const last = out.subarray(count - 16);
  for (let i = 0; i < 16; i++) last[i] = uniform();
  turnBlock(last);
  return out;
}
