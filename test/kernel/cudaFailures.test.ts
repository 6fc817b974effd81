/** A kernel on a stand-in of @tensorflow/tfjs-node-gpu that runs out of memory and loses its device. */
import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { testFolder } from '#test/kit/folder.js';
import { ensureKernelBuilt, startKernel } from '#test/kit/kernel.js';
import { fakeTfjsGpu, preparedHost } from '#test/kit/preparedHosts.js';

const linux = process.platform === 'linux' && process.arch === 'x64';
if (!linux) console.log(`prepared hosts are Linux x64, and this is ${process.platform} ${process.arch}`);
beforeAll(() => ensureKernelBuilt());

const product = (rows: number): string => `tf.matMul(tf.ones([${rows}, 3]), tf.ones([3, 8])).dataSync()[0]`;

describe.skipIf(!linux)('a kernel on cuda', () => {
  it('ends a cell that finds no room or loses the device with figures and what to do, and goes on', async () => {
    const folder = testFolder('cuda-failures');
    const env = preparedHost(folder, { driver: '550.54.14', cuda: '11' });
    const at = path.join(env.FGNB_GPU_FOLDER, 'node_modules/@tensorflow/tfjs-node-gpu');
    fakeTfjsGpu(at, {
      beforeProduct: `
      if (a.shape.includes(600)) throw new Error('Invalid TF_Status: 8\\nMessage: OOM when allocating tensor with shape[600,8] and type float on /job:localhost/device:GPU:0 by allocator GPU_0_bfc');
      if (a.shape.includes(601)) throw new Error('Invalid TF_Status: 13\\nMessage: CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered')`,
    });
    fs.writeFileSync(path.join(at, 'installed'), '');
    const kernel = await startKernel({ args: ['--device', 'cuda'], env });
    try {
      const client = await kernel.connect();
      expect((await client.run(product(5))).shown).toBe('3');
      const full = await client.run(product(600));
      expect(full.status).toBe('error');
      expect(full.error).toMatchObject({ name: 'DeviceMemoryError' });
      expect(full.error?.message).toMatch(/no room for a tensor of \[600, 8\] \(18\.8 kB\); .* held by this kernel; .*: use fewer rows at a time, such as \[300, 8\]/); // prettier-ignore
      expect((await client.run(product(300))).shown).toBe('3');
      const lost = await client.run(product(601));
      expect(lost.error).toMatchObject({ name: 'DeviceLostError' });
      expect(lost.error?.message).toMatch(/the GPU was lost \(CUDA_ERROR_ILLEGAL_ADDRESS\): .*restart the kernel/);
      expect((await client.run('fg.device.info().memory.held > 0')).shown).toBe('true');
    } finally {
      await kernel.stop();
    }
  });
});
