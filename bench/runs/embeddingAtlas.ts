/**
 * UMAP of npm's embedding-atlas (Apple, MIT; WebAssembly), installed on demand into a temporary folder: nothing else needs
 * its 6.5 MB.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ATLAS = '0.26.0';

/** Seconds from the rows of FOLDER/x.f32 to the layout, which it writes to FOLDER/z.f32. */
export function runAtlas(folder: string, rows: number, columns: number, epochs: number): number {
  const at = mkdtempSync(path.join(tmpdir(), 'fgnb-atlas-'));
  try {
    // Its peers are of its viewer; one of them is on no registry.
    const npm = [
      'install',
      '--prefix',
      at,
      '--no-save',
      '--no-audit',
      '--no-fund',
      '--ignore-scripts',
      '--legacy-peer-deps',
    ];
    execFileSync('npm', [...npm, `embedding-atlas@${ATLAS}`], { stdio: ['ignore', 'ignore', 'inherit'] });
    const program = path.join(at, 'node_modules/embedding-atlas/dist/umap.js');
    const script = fileURLToPath(new URL('./atlasRun.mjs', import.meta.url));
    const out = execFileSync(process.execPath, [script, program, folder, ...[rows, columns, epochs].map(String)], {
      encoding: 'utf8',
    });
    return (JSON.parse(out.trim().split('\n').at(-1)!) as { seconds: number }).seconds;
  } finally {
    rmSync(at, { recursive: true, force: true });
  }
}
