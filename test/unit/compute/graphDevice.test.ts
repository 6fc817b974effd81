/** Graphs on the device process: on ONNX Runtime's CPU everywhere, and on WebGPU over SwiftShader where that is found. */
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkDevice } from '#kernel/compute/graphs/check.js';
import { Graph } from '#kernel/compute/graphs/graph.js';
import { DeviceLostError, DeviceMemoryError } from '#kernel/compute/graphs/failures.js';
import { GraphDevice } from '#kernel/compute/graphs/host.js';
import { deviceBundle, softwareGpu } from '#test/kit/deviceBundle.js';
import { testFolder } from '#test/kit/folder.js';

const gpu = softwareGpu();
if (typeof gpu === 'string') console.log(`WebGPU is not tested: ${gpu}`);

const doubled = {
  key: 'doubled',
  build: () => {
    const g = new Graph();
    const x = g.input('x');
    return g.build({ y: g.add(x, x), first: g.slice(x, 0, 0, 1) });
  },
};
const values = Float32Array.of(1, -2, 3, 0.5);

describe.each(['cpu', 'webgpu'] as const)('a device of provider %s', (provider) => {
  const absent = provider === 'webgpu' && typeof gpu === 'string';
  let device: GraphDevice;
  beforeAll(async () => {
    if (provider === 'webgpu' && typeof gpu !== 'string') Object.assign(process.env, gpu);
    device = new GraphDevice(provider, await deviceBundle());
  });
  afterAll(() => device.close());

  it.skipIf(absent)('passes its check against float64', async () => {
    const { error, gflops, transfer } = await checkDevice(device);
    expect(error).toBeLessThan(2e-5);
    expect(gflops).toBeGreaterThan(0);
    expect(Math.min(transfer.up, transfer.down)).toBeGreaterThan(0);
  });

  it.skipIf(absent)('keeps what stays, gives the rest back, and counts the bytes', async () => {
    await device.run(doubled, { x: { data: values, shape: [4] } });
    const before = device.held;
    const x = await device.upload(values, [4]);
    const { host, device: kept } = await device.run(doubled, { x }, { stay: ['y'] });
    expect(Object.keys(host)).toEqual(['first']);
    const again = await device.run(doubled, { x: kept.y });
    expect(Array.from(again.host.y.data, Number)).toEqual([4, -8, 12, 2]);
    expect(device.held - before).toBe(32);
    device.free(x, kept.y);
    await expect(device.run(doubled, { x: kept.y })).rejects.toThrow('was given back already');
    expect(device.held).toBe(before);
  });

  it.skipIf(absent)(
    'goes on when its process is ended: what runs is rejected, the next call starts another',
    async () => {
      const x = await device.upload(values, [4]);
      const lives = device.lives;
      process.kill((await device.pid())!, 'SIGSTOP');
      const running = device.run(doubled, { x });
      running.catch(() => undefined);
      process.kill((await device.pid())!, 'SIGKILL');
      await expect(running).rejects.toThrow(DeviceLostError);
      await expect(device.run(doubled, { x })).rejects.toThrow('upload it again');
      const { host } = await device.run(doubled, { x: { data: values, shape: [4] } });
      expect(host.y.data[0]).toBe(2);
      expect(device.lives).toBe(lives + 1);
    },
  );
});

/** A package onnxruntime-node of a few lines: sessions hand their input on, until `run` says otherwise. */
async function fakeRuntime(create: string, run: string): Promise<GraphDevice> {
  const modules = path.join(testFolder('fake'), 'node_modules');
  fs.mkdirSync(path.join(modules, 'onnxruntime-node'), { recursive: true });
  fs.writeFileSync(
    path.join(modules, 'onnxruntime-node', 'index.js'),
    `class Tensor { constructor(type, data, dims) { Object.assign(this, { type, data, dims }); } dispose() {} }
    exports.Tensor = Tensor;
    exports.InferenceSession = { async create() { ${create}; return { async run({ x }) { ${run}; return { y: x }; } }; } };`,
  );
  return new GraphDevice('webgpu', await deviceBundle(modules));
}

describe('a device that fails', () => {
  it('says why it cannot start', async () => {
    const device = await fakeRuntime("throw new Error('Failed to get a WebGPU adapter: none\\nmore')", '');
    await expect(device.start()).rejects.toThrow(/^Failed to get a WebGPU adapter: none$/);
    const aborting = await fakeRuntime("console.error('vk: bad driver'); process.abort()", '');
    await expect(aborting.start()).rejects.toThrow(/ended while it started: .*SIGABRT/);
  });

  it('says what it has no room for, with figures, and takes the next call', async () => {
    const device = await fakeRuntime(
      '',
      "if (x.data.length > 9) throw new Error('Failed to allocate memory for buffer')",
    );
    await device.upload(values, [4]);
    const tooMuch = device.upload(new Float32Array(1 << 20), [1 << 20]);
    await expect(tooMuch).rejects.toThrow(DeviceMemoryError);
    await expect(tooMuch).rejects.toThrow('no room for 4.0 MB more; 16 bytes are in use: Failed to allocate memory');
    await device.upload(values, [4]);
    expect(device.held).toBe(32);
    await device.close();
  });

  it('is started anew after it was lost, and after its driver aborted', async () => {
    const device = await fakeRuntime(
      '',
      "if (x.data[0] === 7) throw new Error('Device was lost: GPU hung'); if (x.data[0] === 8) process.abort()",
    );
    for (const [number, why] of [
      [7, 'the device was lost: Device was lost: GPU hung; the next call starts it again'],
      [8, /the device process died \(ended by SIGABRT.*the kernel goes on/],
    ] as const) {
      const bad = device.upload(Float32Array.of(number), [1]);
      await expect(bad).rejects.toThrow(DeviceLostError);
      await expect(bad).rejects.toThrow(why);
      await device.upload(values, [4]);
    }
    expect(device.lives).toBe(3);
    await device.close();
  });
});
