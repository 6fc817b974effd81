/** Published generators, drawn the way they were published, faults included (synthetic/presets/ lists the faults). */
import type { Random } from '../random.js';
import { normalCdf } from './normal.js';
import { Bits } from './bits.js';
import { drawCopula } from './copulaFirings.js';
import { eachSuccess, type Firings } from './firings.js';
import type { Law, PublishedLaw } from './law.js';

type Of<K extends PublishedLaw['kind']> = Extract<PublishedLaw, { kind: K }>;

/** Runs by feature from (sample, feature, value) in any order. */
class Entries {
  private readonly keys: number[] = [];
  private readonly values: number[] = [];

  constructor(private readonly features: number) {}

  add(sample: number, feature: number, value: number): void {
    this.keys.push(sample * this.features + feature);
    this.values.push(value);
  }

  write(out: Firings): void {
    const { keys, values, features } = this;
    out.clear();
    out.reserve(keys.length);
    const counts = new Int32Array(features + 1);
    for (const key of keys) counts[(key % features) + 1]++;
    for (let f = 0; f < features; f++) counts[f + 1] += counts[f];
    const next = counts.slice(0, features);
    for (let i = 0; i < keys.length; i++) {
      const f = keys[i] % features;
      out.samples[next[f]] = Math.floor(keys[i] / features);
      out.values[next[f]++] = values[i];
    }
    out.begin.set(counts.subarray(0, features));
    out.end.set(counts.subarray(1));
    out.count = keys.length;
  }
}

/** One z for the whole batch; features independent inside it; a sample with none gets a random feature at 1. */
function drawSharkey(law: Law, p: Of<'sharkey-2022'>, random: Random, out: Firings): void {
  const { features: n, chunk } = law;
  const bits = new Bits(random.fork('firings'));
  const e = new Float64Array(n);
  bits.normals(e);
  const probability = new Float64Array(n);
  let sum = 0;
  for (let i = 0; i < n; i++) {
    let z = 0;
    for (let j = 0; j <= i; j++) z += p.cholesky[i * n + j] * e[j];
    probability[i] = normalCdf(z) * p.decay[i];
    sum += probability[i];
  }
  const entries = new Entries(n);
  const active = new Uint8Array(chunk);
  for (let i = 0; i < n; i++)
    eachSuccess(chunk, (probability[i] * p.l0) / sum, bits, (s) => {
      active[s] = 1;
      entries.add(s, i, bits.unit());
    });
  for (let s = 0; s < chunk; s++) if (!active[s]) entries.add(s, bits.int(n), 1);
  entries.write(out);
}

/** k of `size` with weights λ^j, without replacement: the k largest of ln(u)/λ^j (Efraimidis and Spirakis 2006). */
function drawWeighted(size: number, k: number, lambda: number, bits: Bits): number[] {
  const keys = Array.from({ length: size }, (_, j) => Math.log(bits.unit()) / lambda ** j);
  return Array.from(keys.keys())
    .sort((a, b) => keys[b] - keys[a])
    .slice(0, k);
}

/** One group a point; its k active features drawn once per group and batch, or for every point. */
function drawMarks(law: Law, p: Of<'marks-2024'>, random: Random, out: Firings): void {
  const bits = new Bits(random.fork('firings'));
  const sets = Array.from({ length: p.groups }, () => drawWeighted(p.groupSize, p.k, p.lambda, bits));
  const entries = new Entries(law.features);
  for (let s = 0; s < law.chunk; s++) {
    const group = bits.int(p.groups);
    const set = p.perPoint ? drawWeighted(p.groupSize, p.k, p.lambda, bits) : sets[group];
    for (const j of set) entries.add(s, group * p.groupSize + j, bits.unit());
  }
  entries.write(out);
}

/**
 * z ~ N(0, AAᵀ) with A uniform, drawn anew for the batch; p = Φ(z)^(exponent · i), scaled to k in the mean; all at 1.
 */
function drawLan(law: Law, p: Of<'lan-2024'>, random: Random, out: Firings): void {
  const { features: n, chunk } = law;
  const bits = new Bits(random.fork('firings'));
  const a = new Float32Array(n * n);
  for (let i = 0; i < a.length; i++) a[i] = bits.unit();
  if (p.standardised) {
    for (let i = 0; i < n; i++) {
      let norm = 0;
      for (let j = 0; j < n; j++) norm += a[i * n + j] ** 2;
      for (let j = 0; j < n; j++) a[i * n + j] /= Math.sqrt(norm);
    }
  }
  const e = new Float32Array(n * chunk);
  bits.normals(e);
  const probability = new Float32Array(n * chunk);
  const z = new Float64Array(chunk);
  let sum = 0;
  for (let i = 0; i < n; i++) {
    z.fill(0);
    for (let j = 0; j < n; j++) {
      const c = a[i * n + j];
      for (let s = 0; s < chunk; s++) z[s] += c * e[j * chunk + s];
    }
    for (let s = 0; s < chunk; s++) {
      const q = normalCdf(z[s]) ** (p.exponent * i);
      probability[i * chunk + s] = q;
      sum += q;
    }
  }
  const scale = (p.k * chunk) / sum;
  const entries = new Entries(n);
  for (let i = 0; i < n; i++) {
    for (let s = 0; s < chunk; s++) {
      const q = probability[i * chunk + s] * scale;
      if (q > 1 && !p.clip)
        throw new RangeError(
          `feature ${i} would fire with probability ${q.toFixed(3)}: the published scaling leaves [0, 1], as it did there ` +
            '("Expected p_in >= 0 && p_in <= 1"); pass clip: true to cut such probabilities to 1',
        );
      if (bits.unit() < q) entries.add(s, i, 1);
    }
  }
  entries.write(out);
}

/**
 * The copula over all features; then down the trees: no parent, no child; of a group one at random; scaled by the parent.
 */
function drawSynthSaeBench(law: Law, p: Of<'synthsaebench'>, random: Random, out: Firings): void {
  const bits = new Bits(random.fork('firings'));
  const drawn = out;
  drawn.clear();
  drawCopula(p.copula, law.chunk, bits, drawn);
  const rows: number[][] = Array.from({ length: law.chunk }, () => []);
  for (const f of p.order) for (let i = drawn.begin[f]; i < drawn.end[f]; i++) rows[drawn.samples[i]].push(f);
  const value = new Float64Array(law.features);
  const entries = new Entries(law.features);
  rows.forEach((row, s) => {
    for (const f of row) value[f] = Math.max(0, p.mean[f] + p.std[f] * bits.normal());
    for (let i = 0; i < row.length;) {
      const group = p.exclusive[row[i]];
      let next = i + 1;
      while (group >= 0 && next < row.length && p.exclusive[row[next]] === group) next++;
      const members = row.slice(i, next);
      gate(p, members, value);
      if (group >= 0) {
        const active = members.filter((f) => value[f] > 0);
        const winner = active[active.length > 1 ? bits.int(active.length) : 0];
        for (const f of members) if (f !== winner) value[f] = 0;
      }
      i = next;
    }
    for (const f of row) {
      if (value[f] > 0) entries.add(s, f, value[f]);
      value[f] = 0;
    }
  });
  entries.write(out);
}

/** Values of features that share a parent, by what the parent's came to. */
function gate({ parents, scaled, mean }: Of<'synthsaebench'>, members: readonly number[], value: Float64Array): void {
  const parent = parents[members[0]];
  if (parent < 0) return;
  for (const f of members) value[f] *= scaled[f] ? value[parent] / mean[parent] : Number(value[parent] > 0);
}

/** Fills a chunk with a published generator's samples. */
export function drawPublished(law: Law, published: PublishedLaw, random: Random, out: Firings): void {
  switch (published.kind) {
    case 'sharkey-2022':
      return drawSharkey(law, published, random, out);
    case 'marks-2024':
      return drawMarks(law, published, random, out);
    case 'lan-2024':
      return drawLan(law, published, random, out);
    case 'synthsaebench':
      return drawSynthSaeBench(law, published, random, out);
  }
}
