import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadSae } from '#kernel/sae/load.js';
import { loadResult, saveResult } from '#kernel/artifacts/result.js';
import { planSweep, runSweep, sweepTable, type SweepPlan } from '#kernel/synthetic/recovery/sweeps.js';
import { valueOf } from '#kernel/present/synthetic.js';
import { directions, handWorld, independent } from '#test/kit/world.js';
import { testStores } from '#test/kit/store.js';

const newStore = testStores();

const world = (p: number) =>
  handWorld({ dictionary: directions(12, 8, 1), codes: independent(12, p), id: `world ${p}` });
const plan: SweepPlan = {
  saes: [
    { architecture: 'topk', steps: 5, trainBatchSizeTokens: 64 },
    { name: 'relu', architecture: 'standard', steps: 5, trainBatchSizeTokens: 64, l1Coefficient: 0.1 },
  ],
  widths: [8, 12],
  ks: [1, 2],
  worlds: [
    { correlation: 0, world: world(0.1) },
    { correlation: 0.5, world: world(0.2) },
  ],
  samples: 256,
  recovery: { samples: 200, nulls: 2, floors: 2 },
};

describe('a sweep', () => {
  it('has one cell per SAE, width, k and world; k is for TopK alone', () => {
    const cells = planSweep(plan).map(({ cell }) => cell);
    expect(cells).toHaveLength(2 * (2 * 2 + 2));
    expect(cells[0]).toEqual({ sae: 'topk', features: 8, k: 1, correlation: 0, seed: 0 });
    expect(cells.filter((c) => c.sae === 'relu').every((c) => c.k === null)).toBe(true);
    expect(new Set(planSweep(plan).map(({ key }) => newStore().idOf(key))).size).toBe(cells.length);
    expect(() => planSweep({ ...plan, saes: [plan.saes[0], plan.saes[0]] })).toThrow('named "topk"');
  });

  it('that is stopped goes on with what is missing, to the same numbers as one that is not', async () => {
    const store = newStore();
    expect((await sweepTable(plan, store)).every((row) => row.status === 'missing')).toBe(true);
    const stop = new AbortController();
    let cells = 0;
    const onProgress = ({ done }: { done: number }): void => {
      cells = Math.max(cells, done);
      if (done === 3) stop.abort();
    };
    await expect(runSweep(plan, store, { signal: stop.signal, onProgress })).rejects.toThrow('cancelled');
    const half = await sweepTable(plan, store);
    expect(half.filter((row) => row.status === 'done')).toHaveLength(3);
    const rows = await runSweep(plan, store);
    expect(rows.map((row) => row.cached)).toEqual(rows.map((_, i) => i < 3));
    const whole = await runSweep(plan, newStore());
    expect(rows.map((row) => row.recovery)).toEqual(whole.map((row) => row.recovery));
    expect(await sweepTable(plan, store)).toEqual(rows.map((row) => ({ ...row, cached: true })));
    const [first] = rows;
    expect(valueOf(first.recovery, 'MCC (dictionary)')!.value).toBeGreaterThan(0.2);
    expect(valueOf(first.recovery, 'explainedVariance')).toEqual({ value: first.recovery!.figures!.explainedVariance });
    expect((await loadSae(join(first.folder!, 'sae'))).id).toBe(first.recovery!.of.id);
  });

  it('reports a cell that fails, and finishes the others', async () => {
    const rows = await runSweep(
      { ...plan, saes: [plan.saes[0]], widths: [8], ks: [1, 9], worlds: [plan.worlds[0]] },
      newStore(),
    );
    expect(rows.map((row) => row.status)).toEqual(['done', 'failed']);
    expect(rows[1].error).toContain('k');
  });
});

describe('results on disk', () => {
  it('come back as they were: arrays with their types, numbers that JSON lacks, absent keys absent', async () => {
    const { folder } = newStore();
    const result = {
      a: Float32Array.of(1, NaN, -0.5),
      deep: { list: [{ ids: Int32Array.of(-1, 2) }, { ids: Uint32Array.of(4e9) }], none: null, text: 'x' },
      numbers: [NaN, Infinity, -Infinity, 0.1],
      empty: new Float64Array(0),
    };
    await saveResult(folder, { ...result, absent: undefined });
    expect(await loadResult(folder)).toEqual(result);
    await expect(saveResult(folder, { big: BigInt64Array.of(1n) })).rejects.toThrow('BigInt64Array');
  });
});
