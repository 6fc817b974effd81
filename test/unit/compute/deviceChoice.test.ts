/** What `auto` takes where more than the CPU is there: devices are stood in for, the choice is the kernel's own. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { StartedGraphs } from '#kernel/compute/graphDevices.js';

const devices = vi.hoisted(() => {
  const closed: string[] = [];
  const started = (provider: 'webgpu' | 'cuda', kinds: string[], ms: number) =>
    ({
      device: { provider, held: 4096, close: () => Promise.resolve(void closed.push(provider)) },
      check: { error: 1e-6, gflops: 4000, transfer: { up: 1e9, down: 1e9 } },
      name: provider,
      drivers: 'nvidia',
      kinds,
      races: kinds.map((work) => ({ work, device: ms, cpu: 5 })),
    }) as unknown as StartedGraphs;
  const graphs: string[] | undefined = undefined;
  return { cuda: true, webgpu: [] as string[] | undefined, graphs: graphs as string[] | undefined, closed, started };
});
vi.mock('#kernel/compute/gpu.js', () => ({
  startCuda: () =>
    devices.cuda ? Promise.resolve({ driver: '550.1', gflops: 9000 }) : Promise.reject(new Error('no CUDA here')),
  startWebgpu: () =>
    devices.webgpu
      ? Promise.resolve(devices.started('webgpu', devices.webgpu, 1))
      : Promise.reject(new Error('slower than the CPU')),
}));
vi.mock('#kernel/compute/cudaGraphs.js', () => ({
  startCudaGraphs: () =>
    devices.graphs
      ? Promise.resolve(devices.started('cuda', devices.graphs, 0.5))
      : Promise.reject(new Error('no CUDA here')),
}));

async function choose(cuda: boolean, webgpu: string[] | undefined, graphs?: string[]) {
  Object.assign(devices, { cuda, webgpu, graphs });
  const { initDevice } = await import('#kernel/compute/device.js');
  const { graphDevice, heldOnDevice } = await import('#kernel/compute/graphs/current.js');
  const report = await initDevice();
  const kinds = (['encoding', 'training', 'neighbours'] as const).map((kind) => graphDevice(kind)?.provider ?? 'cpu');
  return { report, kinds, held: heldOnDevice() };
}

describe('auto', () => {
  beforeEach(() => vi.resetModules());
  afterEach(() => vi.resetModules());

  it('gives each kind of work to the device that was measured to be faster', async () => {
    const { report, kinds, held } = await choose(false, ['training', 'neighbours']);
    expect(report.device).toBe('webgpu');
    expect(kinds).toEqual(['cpu', 'webgpu', 'webgpu']);
    expect(report.work.map(({ device }) => device)).toEqual(['cpu', 'cpu', 'webgpu', 'webgpu', 'cpu', 'cpu', 'cpu']);
    expect(report.work[0].why).toBe('webgpu cannot do it or is not faster');
    expect(report.reasons).toEqual([
      { device: 'cuda', chosen: false, reason: 'no CUDA here' },
      { device: 'webgpu', chosen: true, reason: 'faster than the CPU at training, neighbours' },
    ]);
    expect(report.notes).toContain(
      'measured: training 1.0 ms there and 5.0 ms on the CPU; neighbours 1.0 ms there and 5.0 ms on the CPU',
    );
    expect(held).toBe(4096);
  });

  it('takes cuda for tensors and webgpu for graphs where both work', async () => {
    const { report, kinds } = await choose(true, ['encoding', 'training']);
    expect(report.device).toBe('cuda');
    expect(kinds).toEqual(['webgpu', 'webgpu', 'cpu']);
    expect(report.work.map(({ device }) => device)).toEqual(['webgpu', 'cpu', 'webgpu', 'cpu', 'cpu', 'cuda', 'cpu']);
    expect(report.description).toMatch(/^cuda: .* driver 550\.1, 9\.00e\+3 GFLOP\/s; webgpu: .*\(nvidia\)/);
  });

  it('gives a kind of work to the faster of two devices, and closes one that wins nothing', async () => {
    const both = await choose(false, ['encoding', 'training'], ['encoding', 'neighbours']);
    expect(both.kinds).toEqual(['cuda', 'webgpu', 'cuda']);
    expect(both.report.device).toBe('cuda');
    expect(both.held).toBe(2 * 4096);
    expect(both.report.work.map(({ device }) => device)).toEqual(['cuda', 'cpu', 'webgpu', 'cuda', 'cpu', 'cpu', 'cpu']); // prettier-ignore
    vi.resetModules();
    const one = await choose(false, ['encoding'], ['encoding']);
    expect([one.kinds[0], devices.closed]).toEqual(['cuda', ['webgpu']]);
  });

  it('stays with cuda alone, or with the cpu, and keeps the reasons', async () => {
    const cuda = await choose(true, undefined);
    expect(cuda.report.device).toBe('cuda');
    expect(cuda.report.work.map(({ device }) => device)).toEqual([
      'cuda',
      'cpu',
      'cpu',
      'cpu',
      'cpu',
      'cpu',
      'cuda',
      'cpu',
    ]);
    vi.resetModules();
    const none = await choose(false, undefined);
    expect(none.report.device).toBe('cpu');
    expect(none.kinds).toEqual(['cpu', 'cpu', 'cpu']);
    expect(none.report.reasons.map(({ chosen }) => chosen)).toEqual([false, false, true]);
    expect(none.report.gemm.gflops).toBeGreaterThan(0);
  });
});
