/** Devices that graphs are tested on: ONNX Runtime's CPU everywhere, WebGPU over SwiftShader where that is found. */
import { afterAll, beforeAll, describe } from 'vitest';
import { GraphDevice } from '#kernel/compute/graphs/host.js';
import type { Provider } from '#kernel/compute/graphs/messages.js';
import { deviceBundle, softwareGpu } from './deviceBundle.js';

/** Runs a group of tests on each device; where there is none they are skipped, and the reason is printed. */
export function onEachDevice(name: string, tests: (device: () => GraphDevice, provider: Provider) => void): void {
  for (const provider of ['cpu', 'webgpu'] as const) {
    const gpu = softwareGpu();
    const absent = provider === 'webgpu' && typeof gpu === 'string';
    if (absent) console.log(`${name} on WebGPU is skipped: ${gpu}`);
    describe.skipIf(absent)(`${name} on ${provider === 'cpu' ? "ONNX Runtime's CPU" : 'WebGPU (SwiftShader)'}`, () => {
      let device: GraphDevice | undefined;
      beforeAll(async () => {
        // The loader looks for its driver when the process starts.
        if (provider === 'webgpu') Object.assign(process.env, gpu);
        device = new GraphDevice(provider, await deviceBundle());
      });
      afterAll(() => device?.close());
      tests(() => device!, provider);
    });
  }
}
