/** Training on a device against the same training on the CPU, for every architecture that has a graph of a step. */
import { beforeAll, describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { matrix, row } from '#kernel/compute/matrix.js';
import type { GraphDevice, Program } from '#kernel/compute/graphs/host.js';
import { DeviceMemoryError } from '#kernel/compute/graphs/failures.js';
import { cosine } from '#kernel/compute/statistics.js';
import { SOFT_COSINE } from '#kernel/sae/frozen.js';
import { likeParameters, initialParameters } from '#kernel/sae/parameters.js';
import { matrixSource } from '#kernel/sae/source.js';
import { DeviceSteps } from '#kernel/sae/stepOnDevice.js';
import { TrainingStep } from '#kernel/sae/step.js';
import { trainSae } from '#kernel/sae/train.js';
import { deviceParameter, placeOf } from '#kernel/sae/trainOnDevice.js';
import { resolveOptions, type SaeTrainOptions } from '#kernel/sae/trainOptions.js';
import { onEachDevice } from '#test/kit/devices.js';
import { planted, predicted, trainedKinds, trainingSource } from '#test/kit/deviceCases.js';
import { testFolder } from '#test/kit/folder.js';

const [D, F, ROWS] = [12, 40, 48];
const x = planted(1024, 1);
const KINDS = trainedKinds();

beforeAll(() => initDevice({ device: 'cpu' }));

/** Largest difference of two arrays, relative to the largest value of the second. */
function apart(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let [worst, scale] = [0, 0];
  for (let i = 0; i < wanted.length; i++) {
    scale = Math.max(scale, Math.abs(wanted[i]));
    const error = Math.abs(got[i] - wanted[i]);
    if (!(error <= worst)) worst = error;
  }
  return worst / (scale || 1);
}

/** One step of both, some features dead: its figures, then weights and moments after an update that shows gradients. */
async function oneStep(device: GraphDevice, kind: SaeTrainOptions, dead: number, bufferFloats?: number) {
  const options = { ...kind, dSae: F, trainBatchSizeTokens: ROWS };
  const source = trainingSource(kind.architecture, x);
  const { common, run, shape } = resolveOptions(options, D, undefined, source.target);
  const training = placeOf(options, device)!.training!;
  const rows = x.data.slice(0, ROWS * D);
  // Rows alike, whose features tie.
  for (let i = 0; i < ROWS; i += 3) rows.copyWithin(i * D, 0, D);
  const batch = {
    x: rows,
    step: 3,
    ...(source.target ? { target: predicted(matrix(ROWS, D, rows)).data } : {}),
    dead: dead > 0 ? Uint8Array.from({ length: F }, (_, f) => (f < dead ? 1 : 0)) : undefined,
  };
  const make = () => {
    const p = initialParameters(shape, 0.4, 5, run.parameters);
    p.b_dec.forEach((_, j) => (p.b_dec[j] = 0.1 * (j % 3)));
    p.b_enc.forEach((_, f) => (p.b_enc[f] = f % 5 === 0 ? 0.2 : -0.05));
    if (kind.around) run.begin!(p);
    return p;
  };
  const wanted = make();
  const g = likeParameters(wanted);
  const figures = await new TrainingStep(run, common).run(wanted, g, batch);
  const p = make();
  const moments = { m: new Float32Array(p.flat.length), v: new Float32Array(p.flat.length) };
  const steps = new DeviceSteps(device, p, moments, { training, applyBDecToInput: common.applyBDecToInput, bufferFloats }); // prettier-ignore
  const got = await steps.run(batch);
  await steps.update({ t: 1, lr: 1e-3, clip: 1, beta1: 0.9, beta2: 0.999, eps: 1e-8 });
  const state = await steps.state();
  steps.close();
  // m is (1 − β1) of the gradient.
  const gradients = likeParameters(p);
  gradients.flat.set(state.m.map((m) => m / 0.1));
  return { got, figures, gradients, g };
}

onEachDevice('training', (device, provider) => {
  // A software GPU compiles each graph for a while.
  const slow = provider === 'webgpu';
  // Of a pursuit products alone are made there.
  const { 'matching pursuit': toTheEnd, ...stepped } = KINDS;
  const cases = Object.entries(stepped).flatMap(([name, kind]) =>
    (kind.jumpreluInitThreshold || kind.k ? (slow ? [20] : [0, 4, 20]) : [0]).map(
      (dead) => [name, dead, kind] as const,
    ),
  );
  const long = Object.entries(stepped).filter(([name]) => !slow || ['topk', 'skip transcoder', 'crosscoder, standard, dedicated'].includes(name)); // prettier-ignore
  it.each(cases)('takes the steps of the CPU: %s, %i features dead', async (_, dead, kind) => {
    // In one block, and in several, which compile what one does.
    for (const floats of slow ? [F * 20] : [undefined, F * 20]) {
      const { got, figures, gradients, g } = await oneStep(device(), kind, dead, floats);
      for (const term of ['loss', 'mse', 'l1', 'aux', 'l0', 'explainedVariance'] as const)
        expect(Math.abs(got[term] - figures[term]), term).toBeLessThan(1e-5 * Math.max(1, Math.abs(figures[term])));
      expect(got.fired).toEqual(figures.fired);
      for (const name of ['W_encT', 'W_dec', 'b_enc', 'b_dec'] as const)
        expect(apart(gradients[name], g[name]), name).toBeLessThan(2e-5);
      for (const name of Object.keys(g.extra))
        expect(apart(gradients.extra[name], g.extra[name]), name).toBeLessThan(2e-5);
    }
  });

  it.each(long)('follows 50 steps of the CPU within 1e-3 of the loss: %s', async (_, kind) => {
    const options = { ...kind, dSae: F, steps: 50, trainBatchSizeTokens: 64, lr: 3e-3, deadFeatureWindow: 10, logEvery: 1 }; // prettier-ignore
    const source = () => trainingSource(kind.architecture, x);
    const onCpu = await trainSae(source(), options);
    const onDevice = await trainSae(source(), { ...options, device: device() });
    expect(onDevice.history).toHaveLength(50);
    onDevice.history.forEach((row, i) => {
      const wanted = onCpu.history[i];
      expect(Math.abs(row.loss - wanted.loss) / wanted.loss).toBeLessThan(1e-3);
    });
    // And it learned.
    expect(onDevice.history[49].mse).toBeLessThan(onDevice.history[0].mse);
    expect(apart(onDevice.sae.W_dec.data, onCpu.sae.W_dec.data)).toBeLessThan(0.05);
    if (onCpu.sae.threshold) expect(apart(onDevice.sae.threshold!, onCpu.sae.threshold)).toBeLessThan(1e-2);
  });

  it('follows 50 steps of the CPU to its bits in a pursuit to the end', async () => {
    // Each round is a run of its own.
    const [width, features] = slow ? [12, 40] : [24, 96];
    const options = { ...toTheEnd, dSae: features, steps: 50, trainBatchSizeTokens: 32, lr: 3e-3, logEvery: 1 };
    const wide = planted(512, 4, width);
    const onCpu = await trainSae(matrixSource(wide), options);
    const onDevice = await trainSae(matrixSource(wide), { ...options, device: device() });
    expect(onDevice.sae.id).toBe(onCpu.sae.id);
    expect(onDevice.history).toEqual(onCpu.history);
    expect(onCpu.history[49].l0).toBeGreaterThan(width / 3);
    expect(onCpu.history[49].mse).toBeLessThan(onCpu.history[0].mse);
  });

  it('goes on on the CPU where a pursuit was stopped on a device, under the same identity', async () => {
    const options = { ...toTheEnd, dSae: F, steps: 6, trainBatchSizeTokens: 16 };
    const folder = testFolder('sae');
    const stop = new AbortController();
    const onLog = ({ length }: { length: number }) => length >= 3 && stop.abort();
    const there = { ...options, device: device(), checkpoint: { folder }, signal: stop.signal, logEvery: 1, onLog };
    await expect(trainSae(matrixSource(x), there)).rejects.toThrow(/abort|cancel|stopped/i);
    const { sae, history } = await trainSae(matrixSource(x), { ...options, logEvery: 1, checkpoint: { folder } });
    expect(history).toHaveLength(6);
    expect(sae.id).toBe((await trainSae(matrixSource(x), options)).sae.id);
    expect(deviceParameter(placeOf(options, device()))).toEqual({});
    expect(deviceParameter(placeOf(KINDS.topk, device()))).toEqual({ device: provider });
  });

  // Tied weights and skip connections have a state of their own.
  const resumed = slow
    ? ['batchtopk']
    : [
        'batchtopk',
        'topk, tied',
        'skip transcoder',
        'standard, decoder held softly',
        'crosscoder, standard, dedicated',
      ];
  it.each(resumed)('goes on from a checkpoint to the same bits, and leaves nothing on the device: %s', async (name) => {
    const held = device().held;
    const options = { ...KINDS[name], dSae: F, steps: 8, trainBatchSizeTokens: 64, device: device() };
    const source = () => trainingSource(options.architecture, x);
    const whole = await trainSae(source(), options);
    const folder = testFolder('sae');
    const stop = new AbortController();
    const stopped = trainSae(source(), {
      ...{ ...options, checkpoint: { folder }, signal: stop.signal },
      onLog: ({ length }) => length >= 5 && stop.abort(),
    });
    await expect(stopped).rejects.toThrow(/abort|cancel|stopped/i);
    await expect(trainSae(source(), { ...options, device: undefined, checkpoint: { folder } })).rejects.toThrow(
      'device (there "',
    );
    const { sae } = await trainSae(source(), { ...options, checkpoint: { folder } });
    expect(sae.id).toBe(whole.sae.id);
    // Frees are not answered: the next answer tells.
    device().free(await device().upload(Float32Array.of(1), [1]));
    await device().download(await device().upload(Float32Array.of(1), [1]));
    expect(device().held - held).toBeLessThanOrEqual(4);
  });

  it('holds what a baseline holds', async () => {
    for (const baseline of ['frozenDecoder', 'frozenEncoder'] as const) {
      const options = { architecture: 'topk', k: 3, dSae: F, steps: 5, trainBatchSizeTokens: 64, baseline } as const;
      const onCpu = await trainSae(matrixSource(x), options);
      const onDevice = await trainSae(matrixSource(x), { ...options, device: device() });
      const held = baseline === 'frozenDecoder' ? 'W_dec' : 'W_enc';
      if (held === 'W_dec') expect(onDevice.sae.W_dec.data).toEqual(onCpu.sae.W_dec.data);
      expect(apart(onDevice.sae[held].data, onCpu.sae[held].data)).toBeLessThan(1e-5);
      expect(onDevice.history.at(-1)!.loss).toBeCloseTo(onCpu.history.at(-1)!.loss, 4);
    }
    const soft = { ...KINDS['standard, decoder held softly'], dSae: F, steps: 20, trainBatchSizeTokens: 64, lr: 2e-2 };
    const { sae } = await trainSae(matrixSource(x), { ...soft, device: device() });
    const start = initialParameters({ dIn: D, dSae: F }, 0.1, 0).W_dec;
    const cosines = Array.from({ length: F }, (_, f) => cosine(row(sae.W_dec, f), start.subarray(f * D, (f + 1) * D)));
    expect(Math.abs(Math.min(...cosines) - SOFT_COSINE)).toBeLessThan(1e-5);
  });

  it('leaves the weights of dedicated features in other sides at 0', async () => {
    const options = { ...KINDS['crosscoder, standard, dedicated'], dSae: F, steps: 5, trainBatchSizeTokens: 64 };
    const { sae } = await trainSae(matrixSource(x), { ...options, device: device() });
    for (let f = 0; f < 8; f++)
      for (let j = 0; j < D; j++) {
        const isOpen = f >= 7 || f < 4 === j < 5;
        expect([sae.W_dec.data[f * D + j] !== 0, sae.W_enc.data[j * F + f] !== 0]).toEqual([isOpen, isOpen]);
      }
  });

  it('shows activations that are not finite, and changes nothing by that step', async () => {
    const bad = planted(256, 1);
    bad.data.fill(NaN, 0, 12);
    for (const kind of [KINDS.topk, KINDS.batchtopk, KINDS['matching pursuit'], {}])
      await expect(
        trainSae(matrixSource(bad), { ...kind, dSae: F, steps: 9, trainBatchSizeTokens: 64, bDecInitMethod: 'zeros', device: device() }), // prettier-ignore
      ).rejects.toThrow('the activations hold NaN or infinity');
  });
});

/** A device that has no room for more than some rows. */
function small(rows: number): { device: GraphDevice; asked: number[] } {
  const asked: number[] = [];
  const tensor = { tensor: 1, life: 1 };
  const device = {
    upload: () => Promise.resolve(tensor),
    free: () => undefined,
    run: ({ key }: Program, feeds: Record<string, { data: BigInt64Array }>) => {
      if (key.startsWith('train squares'))
        return Promise.resolve({ host: { squares: { data: new Float32Array(F), shape: [F, 1] } } });
      const count = Number(feeds.to.data[0] - feeds.from.data[0]);
      asked.push(count);
      return Promise.reject(count > rows ? new DeviceMemoryError('no room') : new Error('enough'));
    },
  };
  return { device: device as unknown as GraphDevice, asked };
}

describe('a device with little room', () => {
  const start = (device: GraphDevice) =>
    trainSae(matrixSource(x), { architecture: 'topk', k: 3, dSae: F, steps: 2, trainBatchSizeTokens: 64, device });
  it('gets half the rows at a time, down to one, and then the figures are said', async () => {
    const few = small(10);
    await expect(start(few.device)).rejects.toThrow('enough');
    expect(few.asked).toEqual([64, 32, 16, 8]);
    await expect(start(small(0).device)).rejects.toThrow(
      /^training of 40 features of width 12 needs about [\d.]+ kB on the device, and 160 bytes for each row of a block: no room\. Train fewer features, or on the cpu device$/,
    );
  });
});
