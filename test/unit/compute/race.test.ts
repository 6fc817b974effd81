import { beforeAll, describe, expect, it } from 'vitest';
import { cardsOfSmi, memoryWords } from '#kernel/compute/deviceMemory.js';
import { initGemm } from '#kernel/compute/gemm.js';
import { FASTER, race, raceWords, won } from '#kernel/compute/graphs/race.js';
import { onEachDevice } from '#test/kit/devices.js';
import { briefBytes, deviceText } from '#extension/views/deviceText.js';

beforeAll(() => initGemm());

onEachDevice('a race with the CPU', (device, provider) => {
  // On a software GPU it would take a minute, and in the kernel it is not run there (below).
  const measured = provider === 'cpu' ? it : () => undefined;
  measured('measures every kind of work, and gives back what it took', async () => {
    const before = device().held;
    const races = await race(device(), { device: 1, cpu: 1 });
    expect(races.map(({ work }) => work)).toEqual(['encoding', 'decoding', 'training', 'neighbours', 'scores']);
    for (const { device, cpu } of races) expect(Math.min(device, cpu)).toBeGreaterThan(0);
    await device().start();
    await device().upload(new Float32Array(1), [1]);
    expect(device().held - before).toBe(4);
  });

  it('is not run where the product of the device is hopeless', async () => {
    const lives = device().lives;
    expect(await race(device(), { device: 0.4, cpu: 1 })).toEqual([]);
    expect(device().lives).toBe(lives);
  });
});

describe('a race', () => {
  it('is won by a margin', () => {
    const races = [
      { work: 'encoding', device: 1, cpu: FASTER },
      { work: 'training', device: 1, cpu: FASTER - 0.01 },
    ] as const;
    expect(won(races)).toEqual(['encoding']);
    expect(raceWords(races)).toBe('measured: encoding 1.0 ms there and 1.3 ms on the CPU; training 1.0 ms there and 1.2 ms on the CPU'); // prettier-ignore
  });
});

describe('memory of GPUs', () => {
  const text = 'NVIDIA H200, 143771, 1024\nNVIDIA L4, 23034, 0\nNVIDIA Odd, [N/A], [N/A]\n';

  it("is read from nvidia-smi's lines; what is no figure is passed over", () => {
    expect(cardsOfSmi(text)).toEqual([
      { name: 'NVIDIA H200', total: 143771 * 2 ** 20, used: 2 ** 30 },
      { name: 'NVIDIA L4', total: 23034 * 2 ** 20, used: 0 },
    ]);
    expect(cardsOfSmi('Failed to initialize NVML')).toEqual([]);
  });

  it('is said with what is held, used and free', () => {
    const [card] = cardsOfSmi(text);
    expect(memoryWords({ held: 3 * 2 ** 20, cards: [card] })).toBe('3.0 MB held by this kernel; NVIDIA H200: 1.0 GB of 140.4 GB used, 139.4 GB free'); // prettier-ignore
    expect([1.5 * 2 ** 30, 255.96 * 2 ** 20, 900].map(briefBytes)).toEqual(['1.5 GB', '256 MB', '900 bytes']);
    expect(memoryWords({ held: 0, cards: [] })).toContain('the driver tells no more');
    const device = { device: 'webgpu', backend: 'wasm', description: 'webgpu: x', notes: ['a note'], work: [{ work: 'training', device: 'webgpu' }, { work: 'tf', device: 'cpu' }, { work: 'neighbours', device: 'webgpu' }] } as const; // prettier-ignore
    const memory = { rssBytes: 1, heapBytes: 1, arrayBufferBytes: 1, systemFreeBytes: 1, gpu: { heldBytes: 2 ** 21, cards: [card] } }; // prettier-ignore
    expect(deviceText({ ...device, notes: [...device.notes], work: [...device.work] }, memory)).toEqual([
      'webgpu: x',
      'GPU memory held by this kernel 2.0 MB',
      'NVIDIA H200: 1.0 GB of 140.4 GB used, 139.4 GB free',
      'On webgpu: training; neighbours',
      'On cpu: tf',
      'a note',
    ]);
  });
});
