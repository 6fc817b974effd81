/**
 * The kernel's one bundle, kernel.cjs: what the small files beside it start. `main.cjs` is the kernel process of a
 * notebook, `cli.cjs` the command line, `library.cjs` what other programs import.
 */
import type { KernelOptions, OpenKernel } from './library.js';

export const main = (): Promise<unknown> => import('./main.js');

export const cli = (): Promise<unknown> => import('./cli.js');

/** See library.ts. */
export async function openKernel(options?: KernelOptions): Promise<OpenKernel> {
  const library = await import('./library.js');
  return library.openKernel(options);
}
