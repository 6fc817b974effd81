/** F5: where a breakpoint in a TypeScript source comes to lie, in every bundle of a build that is no release. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');

interface Bundle {
  lines: string[];
  map: SourceMap;
  sources: string[];
}

function bundleOf(file: string): Bundle {
  const text = fs.readFileSync(path.join(root, file), 'utf8');
  expect(text.slice(-200)).toContain(`sourceMappingURL=${path.basename(file)}.map`);
  const payload = JSON.parse(fs.readFileSync(path.join(root, `${file}.map`), 'utf8')) as SourceMapPayload;
  return { lines: text.split('\n'), map: new SourceMap(payload), sources: payload.sources };
}

/** Source and line, from 1, of what stands at a place of the bundle. */
function sourceOf(
  { map }: Bundle,
  file: string,
  line: number,
  column: number,
): { source: string; line: number } | undefined {
  const entry = map.findEntry(line - 1, column);
  // Generated code, such as esbuild's helpers, has no source.
  if (!('originalSource' in entry) || !(entry.originalSource as string | undefined)) return undefined;
  const source = path.relative(root, path.resolve(root, path.dirname(file), entry.originalSource));
  return { source: source.split(path.sep).join('/'), line: entry.originalLine + 1 };
}

const textOf = (source: string, line: number): string =>
  fs.readFileSync(path.join(root, source), 'utf8').split('\n')[line - 1];

/** The line, from 1, of a source that holds a text. */
function lineOf(source: string, text: string): number {
  const found = fs
    .readFileSync(path.join(root, source), 'utf8')
    .split('\n')
    .findIndex((line) => line.includes(text));
  expect(found, `${source} has "${text}"`).toBeGreaterThanOrEqual(0);
  return found + 1;
}

/** Where a debugger sets a breakpoint of a source: the first place of the bundle that comes from that line. */
function boundPlace(bundle: Bundle, file: string, source: string, line: number): { line: number; column: number } {
  for (const [i, text] of bundle.lines.entries()) {
    const indent = text.search(/\S|$/);
    // What is minified has many statements in a line.
    const last = text.length > 2000 ? text.length : indent + 1;
    for (let column = indent; column < last; column++) {
      const from = sourceOf(bundle, file, i + 1, column);
      if (from?.source === source && from.line === line) return { line: i + 1, column };
    }
  }
  throw new Error(`${file} has nothing of line ${line} of ${source}`);
}

/** A statement of each part, by its text in the source. */
const PLACES = [
  ['dist/extension/extension.cjs', 'src/extension/commands/notebookCommands.ts', 'const examples = path.join('],
  ['dist/kernel/kernel.cjs', 'src/kernel/session/session.ts', 'export class Session'],
  ['dist/kernel/kernel.cjs', 'src/kernel/compute/device.ts', 'const report = await current;'],
  ['dist/webviews/panel.js', 'src/webviews/ui/rpc.ts', 'The view was closed.'],
  ['dist/webviews/renderer.js', 'src/webviews/renderers/outputs.ts', 'expected a JSON object'],
] as const;

const built = PLACES.every(([file]) => fs.existsSync(path.join(root, file)));
if (!built) console.warn('skipped: breakpoints need dist/ (node scripts/build.mjs)');

describe.skipIf(!built)('a breakpoint in a source', () => {
  it.each(PLACES)('comes to lie in %s where the same statement stands: %s', (file, source, text) => {
    const bundle = bundleOf(file);
    const own = bundle.sources
      .map((name) => path.resolve(root, path.dirname(file), name))
      .filter((name) => name.startsWith(path.join(root, 'src')));
    expect(own.length).toBeGreaterThan(5);
    for (const name of own) expect(fs.existsSync(name), name).toBe(true);
    const line = lineOf(source, text);
    const bound = boundPlace(bundle, file, source, line);
    const names = (code: string): string[] => code.match(/[A-Za-z_]{4,}/g) ?? [];
    const there = names(bundle.lines[bound.line - 1].slice(bound.column, bound.column + 300));
    expect(names(textOf(source, line)).filter((name) => there.includes(name))).not.toEqual([]);
  });

  const debuggers: Array<ReturnType<typeof spawn>> = [];
  afterAll(() => debuggers.forEach((each) => each.kill()));

  it('stops a real kernel process there', { timeout: 120_000 }, async () => {
    const [file, source, text] = PLACES[2];
    const bundle = bundleOf(file);
    const line = lineOf(source, text);
    const bound = boundPlace(bundle, file, source, line);
    const client = spawn(process.execPath, ['inspect', '--port=0', path.join(root, 'dist/kernel/cli.cjs'), 'doctor'], {
      cwd: root,
    });
    debuggers.push(client);
    let said = '';
    client.stdout.setEncoding('utf8').on('data', (chunk: string) => (said += chunk));
    client.stderr.setEncoding('utf8').on('data', (chunk: string) => (said += chunk));
    const until = async (what: RegExp, from = 0): Promise<number> => {
      for (;;) {
        const found = what.exec(said.slice(from));
        if (found) return from + found.index + found[0].length;
        if (client.exitCode !== null) throw new Error(`the debugger ended: ${said}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    let at = await until(/debug> /);
    client.stdin.write(`sb('${path.basename(file)}', ${bound.line})\n`);
    at = await until(/debug> /, at);
    client.stdin.write('c\n');
    at = await until(/break in \S*kernel\.cjs:\d+/, at);
    const stopped = Number(/:(\d+)$/.exec(said.slice(0, at))?.[1]);
    const { lines } = bundle;
    expect(sourceOf(bundle, file, stopped, lines[stopped - 1].search(/\S|$/))).toEqual({ source, line });
    client.stdin.write('.exit\n');
  });
});

interface Launch {
  name: string;
  program?: string;
  outFiles?: string[];
  preLaunchTask?: string;
  port?: number;
  env?: Record<string, string>;
}

describe.skipIf(!built)('.vscode', () => {
  const json = <T>(file: string): T => JSON.parse(fs.readFileSync(path.join(root, file), 'utf8')) as T;
  const { configurations, compounds } = json<{
    configurations: Launch[];
    compounds: Array<{ configurations: string[] }>;
  }>('.vscode/launch.json');
  const { tasks } = json<{
    tasks: Array<{ label: string; script: string; problemMatcher: { background?: Record<string, string | boolean> } }>;
  }>('.vscode/tasks.json');
  const { scripts, main } = json<{ scripts: Record<string, string>; main: string }>('package.json');
  const inTree = (name: string): string => name.replace('${workspaceFolder}/', '');
  /** Files of a pattern with ** for folders and * in names. */
  const filesOf = (pattern: string): string[] => {
    const [start] = pattern.split('*');
    const parts = pattern.split('**/').map((part) => part.replaceAll('.', '\\.').replaceAll('*', '[^/]*'));
    const fits = new RegExp(`^${parts.join('(.*/)?')}$`);
    const folder = start.slice(0, start.lastIndexOf('/'));
    return fs
      .readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
      .map((name) => `${folder}/${name.split(path.sep).join('/')}`)
      .filter((name) => fits.test(name));
  };

  it('launches what there is, after tasks and scripts that there are', () => {
    for (const { name, program, preLaunchTask } of configurations) {
      if (program) expect(fs.existsSync(path.join(root, inTree(program))), `${name}: ${program}`).toBe(true);
      if (preLaunchTask) expect(tasks.map(({ label }) => label)).toContain(preLaunchTask);
    }
    expect(tasks.map(({ script }) => script).filter((script) => !scripts[script])).toEqual([]);
    const names = configurations.map(({ name }) => name);
    expect(compounds.flatMap((each) => each.configurations).filter((name) => !names.includes(name))).toEqual([]);
  });

  it('looks for breakpoints in bundles that the build makes, each with its source map; the extension is among them', () => {
    const patterns = configurations.flatMap(({ outFiles = [] }) => outFiles.map(inTree));
    expect(patterns.length).toBeGreaterThan(2);
    for (const pattern of patterns) expect(filesOf(pattern).length, pattern).toBeGreaterThan(0);
    const bundles = [...new Set(patterns.flatMap(filesOf))];
    expect(bundles).toContain(path.posix.normalize(main));
    // A line that only starts the kernel's bundle has no source.
    const isStarter = (name: string): boolean =>
      /^(#!.*\n)?[^\n]*require\('\.\/kernel\.cjs'\)[^\n]*\n$/.test(fs.readFileSync(path.join(root, name), 'utf8'));
    const withSource = bundles.filter((name) => !isStarter(name));
    expect(withSource.length).toBeGreaterThan(2);
    expect(withSource.filter((name) => !fs.existsSync(path.join(root, `${name}.map`)))).toEqual([]);
  });

  it('waits for the words that the build says, and attaches where the kernel listens', () => {
    const build = fs.readFileSync(path.join(root, 'scripts/build.mjs'), 'utf8');
    const background = tasks.find(({ label }) => label === 'watch')!.problemMatcher.background!;
    for (const key of ['beginsPattern', 'endsPattern']) {
      const said = [...build.matchAll(/console\.log\('([^']*)'\)/g)].map(([, words]) => words);
      expect(
        said.filter((words) => new RegExp(String(background[key])).test(words)),
        key,
      ).toHaveLength(1);
    }
    const port = configurations.find(({ env }) => env?.FGNB_KERNEL_INSPECT)!.env!.FGNB_KERNEL_INSPECT;
    expect(configurations.filter((each) => String(each.port) === port)).toHaveLength(1);
    const starts = fs.readFileSync(path.join(root, 'src/extension/kernelClient/process.ts'), 'utf8');
    expect(starts).toContain('FGNB_KERNEL_INSPECT');
  });
});
