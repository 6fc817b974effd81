import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureKernelBuilt, startKernel, type KernelProcess, type TestClient } from '#test/kit/kernel.js';

let kernel: KernelProcess;
let client: TestClient;

beforeAll(async () => {
  ensureKernelBuilt();
  kernel = await startKernel();
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

  it("gives its namespaces to import from 'fg', the same that fg has", async () => {
    const cell = `import { sae, correlation, synthetic, device, keyFigure, tf as tensors } from 'fg'
import whole, * as all from 'fg'
;[sae === fg.sae, correlation === fg.correlation, tensors === tf, whole === fg, all.maps === fg.maps,
  device.info().device, synthetic.presets().length, typeof keyFigure]`;
    const { status, shown } = await client.run(cell);
    expect([status, shown?.replace(/\s+/g, ' ')]).toEqual([
      'ok',
      "[ true, true, true, true, true, 'cpu', 8, 'function' ]",
    ]);
    const wrong = await client.run("import { seas } from 'fg'; seas");
    expect(wrong.error).toMatchObject({
      message: expect.stringMatching(/'fg' has no export named 'seas'\. It has: .*models, datasets/),
    });
  });

  it('shows a table for scores and one line for a dataset', async () => {
    expect((await client.run("fg.datasets.fromTexts(['a', 'b'])")).shown).toBe(
      'Dataset texts: 2 texts, sequences of 128 tokens',
    );
    const execution = client.begin("fg.show([{ a: 1 }]); await fg.datasets.load('absent.txt')");
    expect((await client.finished(execution)).status).toBe('error');
    const mimes = client.events(execution).flatMap((e) => (e.kind === 'display' ? e.items.map((i) => i.mime) : []));
    expect(mimes).toEqual(['application/vnd.fgnb.table+json', 'text/plain']);
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
