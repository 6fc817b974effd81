import { beforeAll, describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { kernelFailure } from '#kernel/compute/tfFailures.js';
import { tf } from '#kernel/compute/tf.js';

beforeAll(() => initDevice({ device: 'cpu' }));

describe('dataSync', () => {
  it('names data() where the backend cannot be read at once, and reads as before elsewhere', async () => {
    const Plain = tf.findBackend('cpu').constructor as new () => object;
    class Asynchronous extends Plain {
      readSync(): never {
        throw new ReferenceError('OffscreenCanvas is not defined');
      }
      read(id: object): Promise<Float32Array> {
        return Promise.resolve((Plain.prototype as { readSync(id: object): Float32Array }).readSync.call(this, id));
      }
    }
    expect(Array.from(tf.tensor1d([1, 2]).dataSync())).toEqual([1, 2]);
    const before = tf.getBackend();
    tf.registerBackend('webgpu', () => new Asynchronous() as unknown as ReturnType<typeof tf.backend>);
    await tf.setBackend('webgpu');
    try {
      const x = tf.tensor1d([3, 4]);
      expect(() => x.dataSync()).toThrow(
        'dataSync() cannot read a tensor of the webgpu backend at once: use await x.data()',
      );
      expect(() => x.arraySync()).toThrow('await x.array()');
      expect(Array.from(await x.data())).toEqual([3, 4]);
    } finally {
      await tf.setBackend(before);
      tf.removeBackend('webgpu');
    }
  });
});

describe('a failure of a kernel', () => {
  it('of memory names the size, a smaller one, or what can be freed', () => {
    const words = (shape: string, type = ''): string =>
      (kernelFailure(new Error(`OOM when allocating tensor with shape[${shape}]${type} on GPU:0`)) as Error).message;
    expect(words('4096,2304', ' and type float')).toMatch(/\[4096, 2304\] \(36\.0 MB\).*such as \[2048, 2304\]/);
    expect(words('1,10', ' and type half')).toMatch(/\[1, 10\] \(20 bytes\).*free tensors/);
    expect(words('')).toContain('free tensors');
  });

  it('of another kind stays as it is', () => {
    const error = new Error('shapes do not match');
    expect(kernelFailure(error)).toBe(error);
    expect(kernelFailure('odd')).toBe('odd');
    expect(kernelFailure(new Error('CUBLAS_STATUS_NOT_INITIALIZED'))).toMatchObject({ name: 'DeviceLostError' });
  });
});
