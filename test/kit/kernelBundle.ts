/** A program of the kernel that runs in a thread or a process of its own, as it is built, in a folder of its own. */
import fs from 'node:fs';
import path from 'node:path';
import * as esbuild from 'esbuild';
import { temporaryFolder } from './temporary.js';

const root = path.resolve(import.meta.dirname, '../..');

/**
 * Bundles a source file of src/kernel.
 * @param modules packages that it finds, such as ONNX Runtime; default the project's own
 */
export async function kernelBundle(
  source: string,
  modules = path.join(root, 'node_modules'),
): Promise<{ folder: string; bundle: string }> {
  const { name } = path.parse(source);
  const folder = temporaryFolder(name);
  // Packages are found from the bundle's folder, as beside dist/kernel.
  fs.symlinkSync(modules, path.join(folder, 'node_modules'));
  const bundle = path.join(folder, `${name}.cjs`);
  await esbuild.build({
    entryPoints: [path.join(root, 'src/kernel', source)],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    external: ['onnxruntime-node', 'onnxruntime-common'],
    define: { 'import.meta.url': '__bundleUrl' },
    banner: { js: "const __bundleUrl = require('node:url').pathToFileURL(__filename).href;" },
  });
  return { folder, bundle };
}
