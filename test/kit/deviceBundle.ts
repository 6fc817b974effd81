/** The device process as it is built, and the software GPU that it runs on in tests. */
import fs from 'node:fs';
import path from 'node:path';
import * as esbuild from 'esbuild';
import { temporaryFolder } from './temporary.js';

const root = path.resolve(import.meta.dirname, '../..');

/**
 * Where a software Vulkan driver (SwiftShader) and a Vulkan loader lie together: FGNB_TEST_VULKAN, or Debian's chromium,
 * which ships both.
 */
const FOLDERS = [process.env.FGNB_TEST_VULKAN, '/usr/lib/chromium', '/usr/lib/chromium-browser'];

/** Environment of a process whose only GPU is SwiftShader; a text that says why there is none. */
export function softwareGpu(): Record<string, string> | string {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return `SwiftShader is looked for on Linux x64 alone, and this is ${process.platform} ${process.arch}`;
  for (const folder of FOLDERS) {
    if (!folder) continue;
    const driver = path.join(folder, 'vk_swiftshader_icd.json');
    if (fs.existsSync(driver) && fs.existsSync(path.join(folder, 'libvulkan.so.1')))
      return { LD_LIBRARY_PATH: folder, VK_ICD_FILENAMES: driver, VK_DRIVER_FILES: driver };
  }
  return `no vk_swiftshader_icd.json with a libvulkan.so.1 in ${FOLDERS.filter(Boolean).join(', ')} (install chromium, or set FGNB_TEST_VULKAN)`;
}

/** The bundle of the device process in a folder of its own, with these packages instead of the project's. */
export async function deviceBundle(modules = path.join(root, 'node_modules')): Promise<string> {
  const folder = temporaryFolder('device');
  fs.symlinkSync(modules, path.join(folder, 'node_modules'));
  const bundle = path.join(folder, 'deviceProcess.cjs');
  await esbuild.build({
    entryPoints: [path.join(root, 'src/kernel/compute/graphs/process.ts')],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    external: ['onnxruntime-node', 'onnxruntime-common'],
    define: { 'import.meta.url': '__bundleUrl' },
    banner: { js: "const __bundleUrl = require('node:url').pathToFileURL(__filename).href;" },
  });
  return bundle;
}
