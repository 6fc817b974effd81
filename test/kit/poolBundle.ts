/** The worker of the kernel's pool as it is built, in a folder of its own. */
import fs from 'node:fs';
import { kernelBundle } from './kernelBundle.js';

/** Bundles the worker. `remove` deletes it: programs of bench/ use it too, where no test ends. */
export async function poolBundle(): Promise<{ bundle: string; remove: () => void }> {
  const { folder, bundle } = await kernelBundle('compute/poolWorker.ts');
  return { bundle, remove: () => fs.rmSync(folder, { recursive: true }) };
}
