/** The real workbench with one notebook open in it: VS Code's web server, the packaged extension, Chromium. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { BrowserContext, Frame, Page } from 'playwright-core';
// @ts-expect-error plain JavaScript: the harness runs without a build
import { openWorkbench, startBrowser } from '#test/harness/browser.mjs';
// @ts-expect-error plain JavaScript
import { startServer } from '#test/harness/server.mjs';
// @ts-expect-error plain JavaScript
import { installVsix } from '../../scripts/vscode.mjs';
import { CHROMIUM, screenshots } from './harness.js';
import { testFolder, temporaryFolder } from '#test/kit/folder.js';

const root = path.resolve(import.meta.dirname, '../..');

/** Why the workbench cannot be opened here, in words; undefined where it can. */
export const NO_WORKBENCH =
  CHROMIUM === undefined
    ? 'no chromium in /usr/bin'
    : existsSync(path.join(root, 'dist/kernel/cli.cjs'))
      ? undefined
      : 'nothing is built (node scripts/build.mjs)';

export const MODEL = path.join(root, 'examples/models/tiny-stories-1L');

/** What test/harness/browser.mjs does in the workbench. */
interface Bench {
  openFile(name: string): Promise<void>;
  notebookReady(): Promise<void>;
  palette(command: string): Promise<void>;
  escape(): Promise<void>;
  findFrame(selector: string, timeout?: number): Promise<Frame>;
}

export interface Workbench {
  folder: string;
  page: Page;
  bench: Bench;
  /** Writes test-results/screenshots/<name>-<what>.png. */
  shot(what: string): Promise<unknown>;
  /** Opens the notebook and makes room for it. */
  openNotebook(): Promise<void>;
  /** Ends the kernels of this workbench: they outlive their window. */
  stopKernels(): void;
  close(): Promise<void>;
}

/** Ends the kernels whose run folders lie here: they outlive their window. */
export function endKernels(runs: string): void {
  for (const run of existsSync(runs) ? readdirSync(runs) : []) {
    const lock = path.join(runs, run, 'kernel.json');
    if (!existsSync(lock)) continue;
    const { pid } = JSON.parse(readFileSync(lock, 'utf8')) as { pid: number };
    if (existsSync(`/proc/${pid}`)) process.kill(pid, 'SIGKILL');
  }
}

/**
 * Starts a workbench on a folder of its own that holds `<name>.fgnb` with these code cells.
 * @param machine settings of the host, where those of machine scope belong
 */
export async function startWorkbench(
  name: string,
  cells: readonly string[],
  settings: object = {},
  machine: object = {},
): Promise<Workbench> {
  mkdirSync(screenshots, { recursive: true });
  const folder = temporaryFolder(name);
  const data = testFolder('workbench');
  const runs = path.join(folder, 'runs');
  let server: { url: string; stop(): Promise<void> } | undefined;
  let context: BrowserContext | undefined;

  const stopKernels = (): void => endKernels(runs);
  const close = async (): Promise<void> => {
    await context?.close();
    await server?.stop();
    stopKernels();
    for (const each of [folder, data]) rmSync(each, { recursive: true, force: true });
  };

  try {
    const written = cells.map((source, i) => ({
      ...{ id: `cell${i}`, kind: 'code', language: 'fgnb-typescript' },
      source: source.split(/(?<=\n)/),
    }));
    writeFileSync(path.join(folder, `${name}.fgnb`), JSON.stringify({ fgnb: 1, metadata: {}, cells: written }));
    const extensionsDir = (await installVsix(path.join(folder, 'vscode-extensions'))) as string;
    const all = { 'workbench.colorTheme': 'Default Dark Modern', ...settings };
    server = (await startServer(data, {
      extensionsDir,
      settings: all,
      machine,
      env: { FGNB_RUN_ROOT: runs },
    })) as typeof server;
    context = (await startBrowser(data)) as BrowserContext;
    const page = context.pages()[0] ?? (await context.newPage());
    const bench = (await openWorkbench(page, server!.url, folder)) as Bench;
    return {
      ...{ folder, page, bench, stopKernels, close },
      shot: (what) => page.screenshot({ path: path.join(screenshots, `${name}-${what}.png`) }),
      async openNotebook() {
        await bench.openFile(`${name}.fgnb`);
        await bench.notebookReady();
        await bench.palette('View: Close Primary Side Bar');
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}
