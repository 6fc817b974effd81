import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Inspection } from '#kernel/inspect/types.js';
import type { NotebookFile } from '#protocol/notebook.js';
import { FakeHub } from '#test/kit/hub.js';
import { runCli, type During } from '#test/kit/cli.js';
import { ensureKernelBuilt, root } from '#test/kit/kernel.js';
import { testFolder } from '#test/kit/folder.js';

const folder = testFolder('cli');
beforeAll(() => ensureKernelBuilt());

const fgnb = (args: string[], during?: During, env?: Record<string, string>) => runCli(folder, args, { during, env });

function notebook(name: string, ...sources: string[]): string {
  const cells = [
    { id: 'head', kind: 'markdown', source: '# A title & <more>' },
    ...sources.map((source, i) => ({
      id: `c${i}`,
      kind: 'code',
      source,
      outputs: [{ items: [{ mime: 'text/plain', text: ['old'] }] }],
    })),
  ];
  fs.writeFileSync(path.join(folder, name), JSON.stringify({ fgnb: 1, metadata: {}, cells }));
  return name;
}

const read = (file: string): NotebookFile =>
  JSON.parse(fs.readFileSync(path.join(folder, file), 'utf8')) as NotebookFile;

describe('fgnb', () => {
  it('says how it is used, and what is wrong with a wrong use', async () => {
    const version = (JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string })
      .version;
    expect(await fgnb(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n` });
    expect((await fgnb(['--help'])).stdout).toMatch(/fgnb run NOTEBOOK/);
    for (const args of [['bogus'], ['run'], ['run', 'a', 'b'], ['run', 'a', '--nope'], ['export', 'a.fgnb']]) {
      expect(await fgnb(args)).toMatchObject({ code: 2, stderr: expect.stringMatching(/^fgnb: /) });
    }
    expect(await fgnb(['run', 'absent.fgnb'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/absent\.fgnb: there is no such file/),
    });
    fs.writeFileSync(path.join(folder, 'broken.fgnb'), '{"fgnb": 1,\n');
    expect((await fgnb(['run', 'broken.fgnb', '--out', 'o.fgnb'])).stderr).toMatch(/broken\.fgnb: .*line 2/);
    expect(fs.existsSync(path.join(folder, 'o.fgnb'))).toBe(false);
  });

  it('refuses what a command does not take, and names the commands there are', async () => {
    for (const [args, words] of [
      [['doctor', '--html', 'x.html'], /fgnb doctor: Unknown option '--html'/],
      [
        ['bogus'],
        /unknown command bogus; there are run, submit, jobs, export, inspect, convert, artifacts, jupyter, doctor, gpu, task/,
      ],
      [['--json', 'run', 'a.fgnb'], /--json comes behind a command: run, /],
      [['convert', 'a.fgnb'], /fgnb convert needs two files: IN and OUT/],
      [['constructor'], /unknown command constructor/],
      [['artifacts'], /fgnb artifacts needs list, show, load, verify or prune/],
      [['artifacts', 'list', '--out', 'x', '--artifacts', '.'], /fgnb artifacts list takes no --out/],
    ] as const)
      expect(await fgnb([...args])).toMatchObject({ code: 2, stderr: expect.stringMatching(words) });
    expect(await fgnb(['artifacts', 'list', '--artifacts', 'nowhere'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no artifact folder .*nowhere: notebooks keep theirs in \.fgnb beside them/),
    });
    const { stdout } = await fgnb(['inspect', '--help']);
    expect(stdout).toMatch(/fgnb inspect PATH/);
    expect(stdout).not.toMatch(/fgnb run/);
  });

  it('lists, shows, checks, copies and deletes the results that a folder keeps', { timeout: 120_000 }, async () => {
    const rows = 'Array.from({ length: 40 }, (_, i) => [Math.cos(i), Math.sin(i), i % 3])';
    notebook(
      'kept.fgnb',
      `await fg.mapper.lens(${rows}, 'pca')`,
      `const { id } = await fg.maps.pca(${rows})
       await fg.artifacts.note(id, 'the one to cite')
       fg.keyFigure('layout', id)`,
    );
    expect((await fgnb(['run', 'kept.fgnb', '--artifacts', 'kept'])).code).toBe(0);
    const at = ['--artifacts', 'kept'];
    const of = async (...args: string[]): Promise<string[]> =>
      (await fgnb(['artifacts', 'list', ...args, ...at])).stdout.trimEnd().split('\n');
    const all = await of();
    expect(all).toHaveLength(3);
    expect(all[2]).toBe('2 of 2 artifacts in kept');
    const [id] = all[0].split(' ');
    expect(await of('--note', 'CITE')).toHaveLength(2);
    expect(await of('--kind', 'lens', '--notebook', 'kept.fgnb', '--since', '2026-01-01')).toHaveLength(2);
    expect(await of('--before', '2026-01-01')).toEqual(['0 of 2 artifacts in kept']);
    expect(await fgnb(['artifacts', 'list', '--since', 'May', ...at])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--since is "May"; expected a date such as 2026-11-29/),
    });
    const shown = JSON.parse((await fgnb(['artifacts', 'show', id, '--json', ...at])).stdout) as Record<string, string>;
    expect((await fgnb(['artifacts', 'show', id, ...at])).stdout).toMatch(/kind +\w+\nid +[0-9a-f]{64}\n/);
    expect((await fgnb(['artifacts', 'load', id, '--out', 'copy', ...at])).code).toBe(0);
    const names = fs.readdirSync(path.join(folder, 'copy'));
    expect(names).toEqual(fs.readdirSync(shown.folder));
    expect(await fgnb(['artifacts', 'load', id, '--out', 'copy', ...at])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/copy exists already/),
    });
    expect(await fgnb(['artifacts', 'verify', ...at])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^2 of 2 artifacts are whole \([\d.]+ .?B read\), 0 damaged, 0 without hashes\n$/),
    });
    const file = path.join(
      shown.folder,
      names.find((name) => name.endsWith('.safetensors'))!,
    );
    const bytes = fs.readFileSync(file);
    bytes[bytes.length - 1] ^= 1;
    fs.writeFileSync(file, bytes);
    const damaged = await fgnb(['artifacts', 'verify', ...at]);
    expect(damaged.code).toBe(1);
    expect(damaged.stdout).toMatch(/is damaged between bytes 0 and \d+.*\n1 of 2 artifacts are whole .*1 damaged/);
    expect((await fgnb(['artifacts', 'load', id, '--out', 'copy2', ...at])).code).toBe(1);
    expect((await fgnb(['artifacts', 'prune', '--unused-days', '-1', ...at])).code).toBe(2);
    expect((await fgnb(['artifacts', 'prune', '--unused-days', '0', ...at])).stdout).toMatch(/2 artifacts deleted/);
    expect(await of()).toEqual(['0 of 0 artifacts in kept']);
  });

  it('inspects a model: words, JSON, and whether it loads as exit code', async () => {
    const model = path.join(root, 'examples/models/tiny-stories-1L');
    const said = await fgnb(['inspect', model]);
    expect(said).toMatchObject({ code: 0, stderr: '' });
    expect(said.stdout).toMatch(
      /gpt_neo: 1 layers of width 128[\s\S]*Loads by\n {2}const lm = await fg\.models\.load\(/,
    );
    const json = JSON.parse((await fgnb(['inspect', model, '--json'])).stdout) as Inspection;
    expect(json).toMatchObject({
      inspection: 1,
      kind: 'model',
      loads: true,
      parameters: 738_816,
      unusual: [{ code: 'tied-embeddings' }],
    });
    const file = await fgnb(['inspect', model, '--inside', 'model.safetensors', '--json']);
    expect(JSON.parse(file.stdout)).toMatchObject({ kind: 'model', loads: true });
    fs.writeFileSync(path.join(folder, 'cut.safetensors'), 'cut');
    const refused = await fgnb(['inspect', 'cut.safetensors']);
    expect(refused).toMatchObject({ code: 1, stdout: expect.stringMatching(/refused: .*cut\.safetensors/) });
    const absent = await fgnb(['inspect', './absent', '--json']);
    expect(absent).toMatchObject({ code: 1, stderr: expect.stringMatching(/nothing to inspect at .*absent/) });
    expect(JSON.parse(absent.stdout)).toEqual({
      inspection: 1,
      path: './absent',
      error: expect.stringMatching(/nothing/),
    });
    for (const args of [['inspect'], ['inspect', 'a', 'b']]) expect(await fgnb(args)).toMatchObject({ code: 2 });
    expect((await fgnb(['--help'])).stdout).toMatch(/fgnb inspect PATH\|HUB_ID/);
  });

  it('inspects a repository of the hub with the token of the environment, which it never prints', async () => {
    const hub = new FakeHub();
    await hub.start();
    const token = 'hf_secretoftests';
    const file = (name: string) => ({
      data: new Uint8Array(fs.readFileSync(path.join(root, 'examples/models/tiny-stories-1L', name))),
    });
    const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json'];
    const files = {
      ...Object.fromEntries(names.map((name) => [name, file(name)])),
      'model.safetensors': { ...file('model.safetensors'), lfs: true },
    };
    hub.repos = [{ type: 'model', id: 'owner/tiny', commit: 'c'.repeat(40), revisions: ['main', 'v1'], files, token }];
    const env = { HF_ENDPOINT: hub.endpoint, HF_HOME: path.join(folder, 'hf-home'), HF_TOKEN: token };
    try {
      const found = await fgnb(['inspect', 'owner/tiny', '--revision', 'v1'], undefined, env);
      expect(found.stdout).toMatch(/owner\/tiny \(model repository, commit c+\): Hugging Face model, safetensors/);
      expect(found.code).toBe(0);
      expect(hub.sent).toBeLessThan(file('model.safetensors').data.length);
      const refused = await fgnb(['inspect', 'owner/tiny', '--json'], undefined, { ...env, HF_TOKEN: 'hf_wrongtoken' });
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/does not exist or is private \(401\)/) });
      const offline = await fgnb(['inspect', 'owner/none'], undefined, { ...env, HF_HUB_OFFLINE: '1' });
      expect(offline).toMatchObject({ code: 1, stderr: expect.stringMatching(/HF_HUB_OFFLINE forbids/) });
      for (const { stdout, stderr } of [found, refused, offline])
        expect(stdout + stderr).not.toMatch(/hf_secret|hf_wrong/);
      const kept = fs.readdirSync(path.join(folder, 'hf-home'), { recursive: true, withFileTypes: true });
      expect(kept.length).toBeGreaterThan(5);
      for (const entry of kept)
        if (entry.isFile())
          expect(fs.readFileSync(path.join(entry.parentPath, entry.name), 'latin1')).not.toContain(token);
    } finally {
      await hub.stop();
    }
  });

  it('runs a notebook with parameters and writes the executed notebook and its report', async () => {
    const source = notebook(
      'ok.fgnb',
      '// Add them\nconst sum = params.a + params.b.c\nconsole.log("sum", sum)\nfg.keyFigure("sum", sum)\nsum',
      'params.text + tf.tensor1d([1, 2]).sum().dataSync()[0]',
    );
    const before = fs.readFileSync(path.join(folder, source), 'utf8');
    const args = ['--param', 'a=2', '--param', 'b={"c":3}', '--param', 'text=plain words', '--device', 'cpu'];
    const ended = await fgnb(['run', source, '--out', 'res/ok.fgnb', '--html', 'res/ok.html', ...args]);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(ended.stdout).toMatch(/\[1\/2\] Add them/);
    expect(ended.stdout).toMatch(/sum {2}5/);
    expect(ended.stdout).toContain(path.join('res', 'ok.html'));
    expect(fs.readFileSync(path.join(folder, source), 'utf8')).toBe(before);
    const [, first, second] = read('res/ok.fgnb').cells;
    expect(first.outputs).toEqual([
      { items: [{ mime: 'application/vnd.code.notebook.stdout', text: ['sum 5\n'] }] },
      { items: [{ mime: 'text/plain', text: ['5'] }] },
    ]);
    expect(first.execution).toMatchObject({ order: 1, status: 'ok' });
    expect(second.outputs?.[0].items[0].text).toEqual(["'plain words3'"]);
    const html = fs.readFileSync(path.join(folder, 'res/ok.html'), 'utf8');
    expect(html).toContain('<title>A title &amp; &lt;more&gt;</title>');
  });

  it('runs a TypeScript file and a Jupyter notebook as it runs its own', async () => {
    fs.writeFileSync(
      path.join(folder, 'script.ts'),
      `import { keyFigure } from 'fg'\nenum Size { Small = 2 }\nconst twice: number = Size.Small * (params.by as number)\nkeyFigure('twice', twice)\n`,
    );
    const ran = await fgnb(['run', 'script.ts', '--param', 'by=21', '--json', '--out', 'script-out.fgnb']);
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(ran.stdout.trimEnd().split('\n').at(-1)!)).toMatchObject({ keyFigures: { twice: '42' } });
    expect(read('script-out.fgnb').cells).toHaveLength(1);
    expect((await fgnb(['convert', 'script-out.fgnb', 'script.ipynb'])).code).toBe(0);
    const again = await fgnb(['run', 'script.ipynb', '--param', 'by=4', '--json']);
    expect(JSON.parse(again.stdout.trimEnd().split('\n').at(-1)!)).toMatchObject({ keyFigures: { twice: '8' } });
    for (const [args, words] of [
      [['run', 'script.py'], /script\.py: expected a file that ends in \.fgnb, \.ipynb, \.ts/],
      [['run', 'script.ts', '--out', 'x.ipynb'], /--out x\.ipynb: the executed notebook is written as \.fgnb/],
    ] as const)
      expect(await fgnb([...args])).toMatchObject({ stdout: '', stderr: expect.stringMatching(words) });
  });

  it('stops at a failing cell, says where, and leaves the cells behind it', async () => {
    const source = notebook('bad.fgnb', 'const a = 1', 'function bad() {\n  return missing.x\n}\nbad()', '3');
    const ended = await fgnb(['run', source, '--out', 'bad-out.fgnb']);
    expect(ended.code).toBe(1);
    expect(ended.stdout).toContain('ReferenceError: missing is not defined\n  2 |   return missing.x');
    expect(ended.stdout).toContain('at bad (cell 3:2:');
    const [, , failed, after] = read('bad-out.fgnb').cells;
    expect(failed.execution?.status).toBe('error');
    expect(failed.outputs?.[0].items[0]).toMatchObject({
      mime: 'application/vnd.code.notebook.error',
      json: { name: 'ReferenceError' },
    });
    expect(after.execution).toBeUndefined();
    expect(after.outputs?.[0].items[0].text).toEqual(['old']);
  });

  it('prints a run as lines of JSON', async () => {
    const ended = await fgnb(['run', notebook('json.fgnb', 'console.log("noise")', 'throw new Error("no")'), '--json']);
    const lines = ended.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatchObject({ index: 1, id: 'c0', status: 'ok', ms: expect.any(Number) });
    expect(lines[1]).toMatchObject({
      index: 2,
      status: 'error',
      error: { message: 'no', stack: [{ cellId: 'c1', line: 1, column: 7 }] },
    });
    expect(lines[2]).toMatchObject({ status: 'error', cells: 2 });
    expect(ended.code).toBe(1);
  });

  it.skipIf(process.platform === 'win32')('ends a busy cell on Ctrl-C and writes what there is', async () => {
    const source = notebook('stop.fgnb', '1', 'for (;;) {}', '3');
    let pressed = false;
    const ended = await fgnb(['run', source, '--out', 'stop-out.fgnb'], (child, stdout) => {
      const timer = setInterval(() => {
        if (pressed || !stdout().includes('[1/3]')) return;
        pressed = true;
        clearInterval(timer);
        setTimeout(() => child.kill('SIGINT'), 500);
      }, 50);
    });
    expect(ended.code).toBe(130);
    expect(read('stop-out.fgnb').cells.map((cell) => cell.execution?.status)).toEqual([
      undefined,
      'ok',
      'interrupted',
      undefined,
    ]);
  });

  it('writes a report from saved outputs without running', async () => {
    const ended = await fgnb([
      'export',
      notebook('saved.fgnb', 'throw new Error("must not run")'),
      '--html',
      'saved.html',
    ]);
    expect(ended).toMatchObject({ code: 0 });
    expect(fs.readFileSync(path.join(folder, 'saved.html'), 'utf8')).toContain('"old"');
  });

  it('tells what the host has and lacks', async () => {
    const ended = await fgnb(['doctor', '--json', '--device', 'cpu']);
    expect(ended.code).toBe(0);
    expect(JSON.parse(ended.stdout)).toMatchObject({ device: expect.anything() });
  });
});
