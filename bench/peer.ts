/** Runs a Python peer of a benchmark: bench/peers/NAME.py, JSON on its last line. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A host may have PyTorch elsewhere. */
const PYTHON = process.env.FGNB_PYTHON || '/usr/bin/python3';

/** @throws Error naming Debian's package when Python or a module is missing. */
export function runPeer<T>(name: string, args: readonly (string | number)[] = []): T {
  if (!existsSync(PYTHON))
    throw new Error(
      `peers run with ${PYTHON}, which is missing: apt-get install python3-torch python3-sklearn umap-learn`,
    );
  // Without it Debian's OpenBLAS runs at a tenth of its speed on AVX-512 machines, and would flatter us.
  const avx512 = existsSync('/proc/cpuinfo') && readFileSync('/proc/cpuinfo', 'utf8').includes('avx512f');
  const env = { ...process.env, ...(avx512 ? { OPENBLAS_CORETYPE: 'SKYLAKEX' } : {}) };
  const script = fileURLToPath(new URL(`./peers/${name}.py`, import.meta.url));
  const out = execFileSync(PYTHON, [script, ...args.map(String)], {
    encoding: 'utf8',
    env,
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return JSON.parse(out.trim().split('\n').at(-1)!) as T;
}
