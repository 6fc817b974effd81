/** The worker of the kernel's pool as it is built, in a folder of its own. */
import fs from 'node:fs';
import path from 'node:path';
import * as esbuild from 'esbuild';
import { temporaryFolder } from './temporary.js';

/** Bundles the worker. `remove` deletes it: programs of bench/ use it too, where no test ends. */
export async function poolBundle(): Promise<{ bundle: string; remove: () => void }> {
  const folder = temporaryFolder('pool');
  const root = path.resolve(import.meta.dirname, '../..');
  // ONNX Runtime is found from the bundle's folder, as beside dist/kernel.
  fs.symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  const bundle = path.join(folder, 'poolWorker.cjs');
  await esbuild.build({
    entryPoints: [path.join(root, 'src/kernel/compute/poolWorker.ts')],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    external: ['onnxruntime-node', 'onnxruntime-common'],
    define: { 'import.meta.url': '__bundleUrl' },
    banner: { js: "const __bundleUrl = require('node:url').pathToFileURL(__filename).href;" },
  });
  return { bundle, remove: () => fs.rmSync(folder, { recursive: true }) };
}
