/**
 * A correlation that does not fit the memory: two stores of 32 firings a token on the disk, mapped by a whole kernel
 * process, killed when half of its passes are done and called again. Ours is the larger peak of resident memory of the
 * two processes; the peer is the aim of 2 GB. The note has the time and the passes that were said before, and those
 * that were measured. A small size is compared with an undisturbed call that holds all in memory, byte for byte.
 *
 *   npm run bench -- correlation-size [--tokens 200000] [--features 4096] [--match argmax] [--passes 16]
 *   npm run bench -- correlation-size --tokens 10000000 --features 32768
 *
 * --passes is how many the small size is made to take (memory is cut down to it); the large ones choose themselves.
 */
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { writeActivations } from '#kernel/activations/write.js';
import { openActivations } from '#kernel/activations/store.js';
import { ArtifactStore } from '#kernel/artifacts/store.js';
import { Random } from '#kernel/compute/random.js';
import type { SparseRows } from '#kernel/compute/sparse.js';
import { correlationCost, defaultMemory, leastMemory } from '#kernel/correlation/lists.js';
import { CELL_LANGUAGE } from '#protocol/notebook.js';
import type { BenchResult } from './types.js';

const ROOT = path.resolve(import.meta.dirname, '..');
const kernelCli = path.join(ROOT, 'dist/kernel/cli.cjs');

const PER_TOKEN = 32;
const CONTEXT = 128;
const BLOCK = 65_536;
const AIM_GB = 2;
/** From here on one call takes all the time that there is. */
const COMPARED_TOKENS = 1_000_000;

/**
 * Rows of a side: half of a token's features are those of the token itself, the same numbers in another order on each
 * side, and half are the side's own. Low numbers fire more often, as in SAEs.
 */
function rowsOf(side: number, features: number, first: number, rows: number): SparseRows {
  const [shared, own] = [new Random(first), new Random(first).fork(`side ${side}`)];
  const step = side === 0 ? 1 : features - 1;
  const indptr = Uint32Array.from({ length: rows + 1 }, (_, t) => t * PER_TOKEN);
  const indices = new Uint16Array(rows * PER_TOKEN);
  const seen = new Int32Array(features).fill(-1);
  const pick = (random: Random): number => Math.floor(features * random.next() * random.next());
  for (let t = 0; t < rows; t++) {
    for (let k = 0; k < PER_TOKEN;) {
      const feature = k < PER_TOKEN / 2 ? (pick(shared) * step) % features : pick(own);
      if (seen[feature] === t) continue;
      seen[feature] = t;
      indices[t * PER_TOKEN + k++] = feature;
    }
    indices.subarray(t * PER_TOKEN, (t + 1) * PER_TOKEN).sort();
  }
  return { rows, cols: features, indptr, indices, values: Float32Array.from(indices, () => 1e-3 + own.next()) };
}

async function* blocksOf(side: number, features: number, tokens: number): AsyncGenerator<SparseRows> {
  for (let first = 0; first < tokens; first += BLOCK) {
    await Promise.resolve();
    yield rowsOf(side, features, first, Math.min(BLOCK, tokens - first));
  }
}

/** Lays both stores down as artifacts. */
async function makeStores(folder: string, tokens: number, features: number) {
  const store = new ArtifactStore(folder, { device: () => 'cpu' });
  const ids: string[] = [];
  const stores = [];
  for (const side of [0, 1]) {
    const key = { kind: 'activations', parameters: { side, tokens, features }, inputs: {}, codeVersion: 1 };
    const sae = { name: `SAE ${'AB'[side]}`, id: `sae ${side}` };
    const of = { features, context: CONTEXT, hook: 'none', model: { name: 'none', id: 'none' }, sae, tokenSet: { id: 'numbers', tokenizer: 'none' } }; // prettier-ignore
    const made = await store.compute(key, {
      make: async (at) => {
        await writeActivations(at, blocksOf(side, features, tokens), { ...of, tokenIds: new Int32Array(tokens), id: store.idOf(key) }); // prettier-ignore
      },
      load: (at, record) => openActivations(at, undefined, record.files),
    });
    ids.push(store.idOf(key));
    stores.push(made.value);
  }
  return { ids, stores };
}

const SOURCE = `
const [a, b] = [await fg.artifacts.load(params.a), await fg.artifacts.load(params.b)]
const map = await fg.correlation.map(a, b, { match: params.match, ...(params.memory > 0 ? { memoryBytes: params.memory } : {}) })
map.pairs.r.length
`;

/** Ids of a process and of all that it started. */
function family(pid: number): number[] {
  try {
    const children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return [pid, ...children.split(/\s+/).filter(Boolean).flatMap((child) => family(Number(child)))]; // prettier-ignore
  } catch {
    return [];
  }
}

/** Peak of resident memory of a process, in bytes; 0 when it has ended. */
function peakOf(pid: number): number {
  try {
    const [, kb] = /VmHWM:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return 1024 * Number(kb ?? 0);
  } catch {
    return 0;
  }
}

interface Run {
  seconds: number;
  peak: number;
  killed: boolean;
  text: string;
}

/** Runs the notebook; `stop` is asked four times a second whether the process is to be killed. */
function runKernel(
  folder: string,
  parameters: Record<string, string | number>,
  stop: (text: string) => boolean,
): Promise<Run> {
  const cells = [{ id: 'c1', kind: 'code', language: CELL_LANGUAGE, source: SOURCE }];
  fs.writeFileSync(path.join(folder, 'map.fgnb'), JSON.stringify({ fgnb: 1, metadata: {}, cells }));
  const given = Object.entries(parameters).flatMap(([name, value]) => ['--param', `${name}=${value}`]);
  const start = performance.now();
  const child = spawn(
    process.execPath,
    [kernelCli, 'run', 'map.fgnb', '--device', 'cpu', '--out', 'out.fgnb', ...given],
    { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  );
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (text += String(data)));
  let [peak, killed] = [0, false];
  const timer = setInterval(() => {
    peak = Math.max(peak, family(child.pid!).reduce((sum, pid) => sum + peakOf(pid), 0)); // prettier-ignore
    if (killed || !stop(text)) return;
    killed = true;
    process.kill(-child.pid!, 'SIGKILL');
  }, 250);
  return new Promise((resolve, reject) => {
    child.on('close', (code) => {
      clearInterval(timer);
      const out = path.join(folder, 'out.fgnb');
      if (!killed && code !== 0) reject(new Error(`the kernel ended with ${code}: ${text.slice(-2000)}`));
      else {
        const shown = !killed && fs.existsSync(out) ? fs.readFileSync(out, 'utf8') : '';
        resolve({ seconds: (performance.now() - start) / 1000, peak, killed, text: text + shown });
      }
    });
  });
}

/** Blocks of features that are on the disk. */
function finishedBlocks(artifacts: string): number {
  const at = path.join(artifacts, 'unfinished');
  if (!fs.existsSync(at)) return 0;
  return fs
    .readdirSync(at)
    .filter((name) => name.startsWith('correlation-'))
    .reduce((sum, name) => sum + fs.readFileSync(path.join(at, name), 'latin1').split('\n').length - 1, 0);
}

/** The bytes of the map of a folder of artifacts. */
function mapOf(artifacts: string): Buffer {
  const [name] = fs.readdirSync(artifacts).filter((one) => /^correlation-[0-9a-f]+$/.test(one));
  return fs.readFileSync(path.join(artifacts, name, 'map.safetensors'));
}

export async function run(args: readonly string[]): Promise<BenchResult[]> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      tokens: { type: 'string', default: '200000' },
      features: { type: 'string', default: '4096' },
      match: { type: 'string', default: 'argmax' },
      passes: { type: 'string', default: '16' },
    },
  });
  const [features, passes] = [Number(values.features), Number(values.passes)];
  const tokens = Math.ceil(Number(values.tokens) / CONTEXT) * CONTEXT;
  const small = tokens <= COMPARED_TOKENS;
  execFileSync(process.execPath, ['scripts/build.mjs', 'kernel'], { cwd: ROOT, stdio: 'ignore' });
  const folder = fs.mkdtempSync(path.join(tmpdir(), 'fgnb-bench-size-'));
  try {
    const artifacts = path.join(folder, '.fgnb');
    const started = performance.now();
    const { ids, stores } = await makeStores(artifacts, tokens, features);
    const made = (performance.now() - started) / 1000;
    const bytes = fs.readdirSync(artifacts, { recursive: true, withFileTypes: true }).filter((e) => e.isFile()).reduce((sum, e) => sum + fs.statSync(path.join(e.parentPath, e.name)).size, 0); // prettier-ignore
    // A pass of each direction has a block of the next power of two.
    const memory = small ? leastMemory(stores[0].meta, stores[1].meta) + 12 * features * Math.ceil((2 * features) / passes) : 0; // prettier-ignore
    const parameters = { a: ids[0], b: ids[1], match: values.match, memory };
    // The call says its passes unless it takes a few seconds.
    const expected = correlationCost(stores[0].meta, stores[1].meta, memory || defaultMemory()).passes;
    const saidPasses = (text: string): number => Number(/: (\d+) passes/.exec(text)?.[1] ?? expected);
    const first = await runKernel(folder, parameters, (text) => finishedBlocks(artifacts) >= saidPasses(text) / 2);
    const kept = finishedBlocks(artifacts);
    const second = await runKernel(folder, parameters, () => false);
    let compared = '';
    if (small) {
      const killed = mapOf(artifacts);
      for (const name of fs.readdirSync(artifacts).filter((one) => one.startsWith('correlation-'))) fs.rmSync(path.join(artifacts, name), { recursive: true }); // prettier-ignore
      const whole = await runKernel(folder, { ...parameters, memory: 0 }, () => false);
      const same = mapOf(artifacts).equals(killed);
      compared = `; undisturbed and in memory ${whole.seconds.toFixed(0)} s, ${same ? 'the same bytes' : 'OTHER BYTES'}`;
    }
    const said = /correlating ([^"\\\n]*)/.exec(first.text + second.text)?.[1] ?? 'nothing';
    const peak = Math.max(first.peak, second.peak) / 1e9;
    return [
      {
        name: 'correlation-size',
        size: `${tokens.toLocaleString('en')} tokens, ${features} x ${features} features, ${PER_TOKEN} firings a token, ${values.match}`,
        ours: peak,
        peer: AIM_GB,
        unit: 'GB',
        speedup: AIM_GB / peak,
        note:
          `said before: ${said}; measured: ${first.killed ? `killed after ${first.seconds.toFixed(0)} s with ${kept} blocks kept, gone on in ${second.seconds.toFixed(0)} s` : `ended before it was killed, ${first.seconds.toFixed(0)} s`}, ` +
          `peaks ${(first.peak / 1e9).toFixed(2)} and ${(second.peak / 1e9).toFixed(2)} GB${compared}; the stores, ${(bytes / 1e9).toFixed(2)} GB, were made in ${made.toFixed(0)} s`,
      },
    ];
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
