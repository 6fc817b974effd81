/** Layouts of two models regularised towards matched pairs: against umap-learn, and on planted rotations. */
import { describe, expect, it } from 'vitest';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { alignedUmap, neighbourhoodsAlike } from '#kernel/maps/aligned.js';
import { pairsApart } from '#kernel/maps/pairsApart.js';
import { umap, umapGraph } from '#kernel/maps/umap.js';
import { trustworthiness } from '#kernel/maps/trustworthiness.js';
import { lcg } from '#test/kit/numbers.js';
import goldens from '#test/goldens/aligned.json' with { type: 'json' };

const { n, d, paired } = goldens;

/** The rows of test/goldens/aligned.py: six clusters, and the same turned, with noise. */
function planted(): [Matrix, Matrix] {
  const [plain, noise] = [lcg(n * d, 31), lcg(n * d, 32)];
  const x = Float64Array.from(plain, (v, e) => 1.4 * (v - 0.5) + (Math.floor(e / d) % 6 === e % d ? 3 : 0));
  const y = Float32Array.from(noise, (v, e) => {
    const [i, c] = [Math.floor(e / d), e % d];
    return (c % 2 === 1 ? -1 : 1) * x[i * d + d - 1 - c] + 0.6 * (v - 0.5);
  });
  return [matrix(n, d, Float32Array.from(x)), matrix(n, d, y)];
}

const same = (count: number) => {
  const a = Int32Array.from({ length: count }, (_, i) => i);
  return { a, b: a.slice() };
};

const [x, y] = planted();
const few = { nEpochs: 200 };

describe('layouts of two models regularised towards pairs', () => {
  it('weigh a pair by its neighbourhoods as umap-learn defines it', async () => {
    const [a, b] = [(await umapGraph(x)).graph, (await umapGraph(y)).graph];
    const close = (own: Float32Array, theirs: number[]) => own.forEach((v, i) => expect(v).toBeCloseTo(theirs[i], 6));
    close(neighbourhoodsAlike(a, b, same(paired)), goldens.alike.aToB);
    close(neighbourhoodsAlike(b, a, same(paired)), goldens.alike.bToA);
  });

  it('bring a planted rotation together, rows without a pair too, about as AlignedUMAP does, and stay as true to the rows', async () => {
    const { layouts, pulled } = await alignedUmap([x, y], same(paired), { heldOut: 0 });
    const rest = { a: same(n).a.slice(paired), b: same(n).a.slice(paired) };
    const unpaired = pairsApart(layouts[0], layouts[1], rest, 0);
    expect(pulled).toMatchObject({ pairs: paired, runs: 199, p: 1 / 200 });
    // umap-learn's pairs pull about twice as much: their weights come out too large (aligned.py).
    expect(pulled.apart).toBeLessThan(2.5 * goldens.apart.pulled);
    expect(unpaired.apart).toBeLessThan(2.5 * goldens.apart.rest);
    expect(pulled.chance).toBeGreaterThan(1);
    for (const [side, rows] of [x, y].entries()) {
      const alone = await umap(rows);
      const [own, theirs] = [layouts[side], alone].map(({ coordinates }) => matrix(n, 2, coordinates));
      expect(await trustworthiness(rows, own, { k: 10 })).toBeGreaterThan((await trustworthiness(rows, theirs, { k: 10 })) - 0.02); // prettier-ignore
    }
  });

  it('lie nearer the stronger the pull; without one they are far apart; no pull throws points out', async () => {
    const far: number[] = [];
    for (const regularisation of [0, 0.01, 1, 1000]) {
      const { pulled, layouts } = await alignedUmap([x, y], same(n), { ...few, regularisation });
      expect(layouts.every(({ coordinates }) => coordinates.every(Number.isFinite))).toBe(true);
      far.push(pulled.apart);
    }
    expect(far).toEqual([...far].sort((p, q) => q - p));
    expect(far[0]).toBeGreaterThan(3 * far[1]);
  });

  it('of exchanged pairs: those held out lie no nearer than chance, whatever the pull did to the others', async () => {
    const b = Int32Array.from(new Random(3).permutation(n));
    const exchanged = { a: same(n).a, b };
    const { pulled, heldOut } = await alignedUmap([x, y], exchanged, { ...few, regularisation: 1, heldOut: 0.3 }); // prettier-ignore
    // Being pulled is enough to lie near.
    expect(pulled.p).toBe(1 / 200);
    expect(heldOut!.pairs).toBe(48);
    expect(heldOut!.p).toBeGreaterThan(0.05);
    const right = await alignedUmap([x, y], same(n), { ...few, heldOut: 0.3 });
    expect(right.heldOut!.p).toBe(1 / 200);
  });

  it('have the same bits for a seed, leave out rows with NaN, and take several counterparts of a row', async () => {
    const gaps = matrix(n, d, y.data.slice().fill(NaN, 5 * d, 6 * d));
    const pairs = { a: Int32Array.of(0, 0, 1, 2, 5, 6), b: Int32Array.of(0, 6, 1, 2, 5, 6) };
    const [one, two] = [await alignedUmap([x, gaps], pairs, few), await alignedUmap([x, gaps], pairs, few)];
    expect(one).toEqual(two);
    const [a, b] = one.layouts;
    expect([a.excluded, b.excluded, b.coordinates[10], one.pulled.pairs]).toEqual([0, 1, NaN, 5]);
    expect(a.id).not.toBe(b.id);
    expect(b.description).toMatch(/one plane for both models: regularised by 0.01 towards 5 pairs, which lie [\d.]+ apart, exchanged [\d.]+/); // prettier-ignore
  });

  it('refuse pairs that do not fit', async () => {
    const pairs = { a: Int32Array.of(0, n), b: Int32Array.of(0, 1) };
    await expect(alignedUmap([x, y], pairs)).rejects.toThrow(`pair 1 is ${n} and 1; give the map of the SAEs`);
    await expect(alignedUmap([x, y], same(1))).rejects.toThrow('2 pairs that pull but got 1 (0 of 1 are held out)');
    await expect(alignedUmap([x, y], same(n), { heldOut: 1 })).rejects.toThrow(/heldOut.*below 1/);
    await expect(alignedUmap([matrix(3, d), y], same(n))).rejects.toThrow('at least 4 finite rows of A but got 3 of 3');
  });
});

describe('how far pairs lie apart', () => {
  it('is their mean distance in spreads of A, beside that of exchanged pairs', () => {
    const a = { points: 4, coordinates: Float32Array.of(0, 0, 2, 0, 0, 2, 2, 2) };
    const b = { points: 3, coordinates: Float32Array.of(2, 0, 0, 0, 0, 3) };
    // Distances 0, 0 and 1; the spread is the square root of 2.
    const found = pairsApart(a, b, { a: Int32Array.of(0, 1, 2), b: Int32Array.of(1, 0, 2) }, 0);
    expect(found.apart).toBeCloseTo(1 / 3 / Math.SQRT2, 6);
    // All six orders, each as likely.
    const at = (i: number, j: number) => Math.hypot(a.coordinates[2 * i] - b.coordinates[2 * j], a.coordinates[2 * i + 1] - b.coordinates[2 * j + 1]); // prettier-ignore
    const all = [0, 1, 2].reduce((sum, i) => sum + [0, 1, 2].reduce((own, j) => own + at(i, j), 0), 0);
    expect(found.chance).toBeCloseTo(all / 9 / Math.SQRT2, 1);
    expect(found.p).toBeGreaterThan(1 / 200);
  });

  it('is defined where all points of A coincide', () => {
    const a = { points: 2, coordinates: Float32Array.of(1, 1, 1, 1) };
    const b = { points: 2, coordinates: Float32Array.of(1, 1, 1, 3) };
    expect(pairsApart(a, b, same(2), 0)).toMatchObject({ apart: 1, p: 1 });
  });
});
