/**
 * `npm run bench -- NAME [--json] [options of its own]`: runs bench/NAME.ts and prints its results; without a name, lists
 * the benchmarks.
 */
import { readdirSync } from 'node:fs';
import type { BenchResult } from './types.js';

const NOT_BENCHES = ['run.ts', 'types.ts', 'peer.ts'];

function names(): string[] {
  return readdirSync(import.meta.dirname)
    .filter((file) => file.endsWith('.ts') && !NOT_BENCHES.includes(file))
    .map((file) => file.slice(0, -3))
    .sort();
}

const figure = (x: number): string => (Math.abs(x) >= 100 ? x.toFixed(0) : x.toPrecision(3));

function table(results: BenchResult[]): string {
  const rows = results.map((r) => [
    r.name,
    r.size,
    `${figure(r.ours)}`,
    `${figure(r.peer)}`,
    r.unit,
    `${figure(r.speedup)}x`,
    r.note ?? '',
  ]);
  const all = [['name', 'size', 'ours', 'peer', 'unit', 'speedup', 'note'], ...rows];
  const widths = all[0].map((_, c) => Math.max(...all.map((row) => row[c].length)));
  return all
    .map((row) =>
      row
        .map((cell, c) => cell.padEnd(widths[c]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** What a missing peer package looks like in Python's own words, and what to install. */
function explain(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const module = /No module named '([^']+)'/.exec(text)?.[1];
  if (!module) return text;
  const packages: Record<string, string> = {
    torch: 'python3-torch',
    sklearn: 'python3-sklearn',
    numpy: 'python3-numpy',
    umap: 'umap-learn',
  };
  return `the peer needs Python's "${module}" for /usr/bin/python3: apt-get install ${packages[module] ?? `python3-${module}`}`;
}

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  const json = args.includes('--json');
  const name = args.find((a) => !a.startsWith('-'));
  if (name === undefined) {
    console.log(
      `benchmarks:\n${names()
        .map((n) => `  npm run bench -- ${n}`)
        .join('\n')}`,
    );
    return 0;
  }
  if (!names().includes(name)) {
    console.error(`no benchmark is named "${name}"; there are: ${names().join(', ')}`);
    return 2;
  }
  try {
    const { run } = (await import(`./${name}.ts`)) as { run: (args: readonly string[]) => Promise<BenchResult[]> };
    const own = args.slice(args.indexOf(name) + 1).filter((a) => a !== '--json');
    // A bench without options of its own must not seem to read them.
    if (own.length > 0 && run.length === 0) throw new Error(`it has no options, but got ${own.join(' ')}`);
    const results = await run(own);
    console.log(json ? results.map((r) => JSON.stringify(r)).join('\n') : table(results));
    return 0;
  } catch (error) {
    console.error(`benchmark ${name} did not run: ${explain(error)}`);
    return 1;
  }
}

process.exitCode = await main();
