import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureKernelBuilt, startKernel, type KernelProcess, type TestClient } from './helpers.js';

let kernel: KernelProcess;
let client: TestClient;

beforeAll(async () => {
  ensureKernelBuilt();
  kernel = await startKernel({ bare: false, args: ['--device', 'cpu'] });
  client = await kernel.connect();
});
afterAll(() => kernel.stop());

describe('a kernel with fg and tf', () => {
  it('says which device it started', async () => {
    expect((await client.run('Object.keys(fg).includes("sae") && typeof tf.matMul')).shown).toBe("'function'");
    const device = client.received.map((r) => r.message).find((m) => m.type === 'device');
    expect(device).toMatchObject({ device: { device: 'cpu', backend: expect.any(String) } });
    expect(await client.request('device')).toMatchObject({ device: 'cpu' });
  });

  it('has one copy of tf for cells and imports', async () => {
    expect((await client.run('import * as again from "@tensorflow/tfjs"; again === tf')).shown).toBe('true');
  });

  it('can be interrupted between native products and goes on with right results', async () => {
    await client.run('const left = tf.ones([256, 256]), identity = tf.eye(256)');
    for (const loop of [
      'for (;;) tf.tidy(() => { left.matMul(identity) })',
      'for (;;) { await tf.nextFrame(); tf.tidy(() => { left.matMul(identity) }) }',
    ]) {
      // At several moments: a termination inside the native product would take the process down.
      for (const wait of [400, 131, 57, 203]) {
        const execution = client.begin(loop);
        await client.started(execution);
        await new Promise((resolve) => setTimeout(resolve, wait));
        client.send({ type: 'interrupt' });
        expect((await client.finished(execution, 15_000)).status).toBe('interrupted');
      }
      expect((await client.run('left.matMul(identity).sum().dataSync()[0]')).shown).toBe('65536');
    }
  });

  it('summarises tensors without reading them', async () => {
    expect((await client.run('const weights = tf.zeros([2, 3]); weights')).shown).toBe('Tensor 2 × 3 float32');
    const variables = (await client.request('variables')) as Array<{ name: string }>;
    expect(variables.find((v) => v.name === 'weights')).toMatchObject({
      type: 'Tensor',
      shape: [2, 3],
      dtype: 'float32',
    });
  });
});
