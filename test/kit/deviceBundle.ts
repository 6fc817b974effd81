/** The device process as it is built, and the software GPU that it runs on in tests. */
import fs from 'node:fs';
import path from 'node:path';
import { kernelBundle } from './kernelBundle.js';

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
export const deviceBundle = async (modules?: string): Promise<string> =>
  (await kernelBundle('compute/graphs/process.ts', modules)).bundle;
