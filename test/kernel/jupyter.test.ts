import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JupyterNotebook } from '#kernel/convert/jupyter.js';
import type { NotebookFile } from '#protocol/notebook.js';
import { temporaryFolder } from '#test/kit/folder.js';
import { ensureKernelBuilt, kernelCli, root } from '#test/kit/kernel.js';
import { noJupyterClient, pythonBeside } from '#test/kit/python.js';

const folder = temporaryFolder('jupyter');
const env = { JUPYTER_DATA_DIR: path.join(folder, 'data'), PYTHONPATH: path.join(root, 'test/kit') };
const file = (name: string): string => path.join(folder, name);

const fgnb = (...args: string[]): string => {
  const options = { cwd: folder, encoding: 'utf8', env: { ...process.env, ...env } } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [kernelCli, ...args], options);
  return `${status} ${stdout}${stderr}`;
};

/** Runs a script whose last line printed is JSON. */
async function told<T>(script: string): Promise<T> {
  const text = await pythonBeside(folder, `import json\nfrom jupyter import *\n${script}`, env);
  return JSON.parse(text.trim().split('\n').at(-1) ?? '') as T;
}

type Shown = Array<[string, Record<string, unknown>]>;
type Ran = [reply: Record<string, unknown>, shown: Shown];

beforeAll(() => ensureKernelBuilt());
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

describe.skipIf(noJupyterClient() !== undefined)('the Jupyter kernel', () => {
  beforeAll(() => {
    expect(fgnb('jupyter', 'install', '--device', 'cpu')).toContain('0 kernel "fgnb" installed in ');
  });

  it('runs a notebook under nbclient, with injected parameters; nbconvert shows it, fgnb reads it', async () => {
    const seen = await told<JupyterNotebook>(`
import nbformat
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat.v4 import new_notebook, new_code_cell
cells = [new_code_cell('const rows: number = 1;', metadata={'tags': ['parameters']}),
  new_code_cell('const rows = 3;', metadata={'tags': ['injected-parameters']})]
cells += [new_code_cell(source) for source in [
  "console.log('out'); console.error('err'); rows + 1",
  "await fg.show(Array.from({ length: rows }, (_, i) => ({ name: '<' + i + '>', r: i / 2 })), { title: 'Scores' })",
  "await fg.show({ data: { values: [{ x: 1, y: 2 }] }, mark: 'point', encoding: { x: { field: 'x', type: 'quantitative' } } })",
  "throw new TypeError('on purpose')",
  "rows * 2"]]
notebook = new_notebook(cells=cells)
NotebookClient(notebook, kernel_name='fgnb', allow_errors=True, timeout=60).execute()
nbformat.validate(notebook)
nbformat.write(notebook, 'ran.ipynb')
open('ran.html', 'w').write(HTMLExporter().from_notebook_node(notebook)[0])
print(json.dumps(notebook))`);
    const outputs = seen.cells.map((cell) => cell.outputs ?? []) as unknown as Array<
      Array<{ output_type: string; name: string; text: string; data: Record<string, string>; metadata: object }>
    >;
    expect(outputs[2]).toMatchObject([
      { output_type: 'stream', name: 'stdout', text: 'out\n' },
      { output_type: 'stream', name: 'stderr', text: 'err\n' },
      { output_type: 'execute_result', data: { 'text/plain': '4' }, execution_count: 3 },
    ]);
    expect(outputs[3][0].data['text/html']).toContain('&lt;2&gt;');
    expect(outputs[4][0].data['image/png']).toMatch(/^iVBORw0KGgo/);
    expect(outputs[5]).toEqual([
      {
        output_type: 'error',
        ename: 'TypeError',
        evalue: 'on purpose',
        traceback: ['TypeError: on purpose', '    at cell 6:1:7'],
      },
    ]);
    expect(outputs[6][0].data).toEqual({ 'text/plain': '6' });
    const html = fs.readFileSync(file('ran.html'), 'utf8');
    expect(html).toContain('&lt;2&gt;');
    expect(html).toContain('data:image/png;base64,');
    expect(fgnb('convert', 'ran.ipynb', 'ran.fgnb')).toBe('0 notebook  ran.fgnb\n');
    const back = JSON.parse(fs.readFileSync(file('ran.fgnb'), 'utf8')) as NotebookFile;
    expect(back.cells.map((cell) => cell.language ?? 'fgnb-typescript')).toEqual(Array(7).fill('fgnb-typescript'));
    expect(back.cells[3].outputs?.[0].items.map((item) => item.mime)).toEqual([
      'application/vnd.fgnb.table+json',
      'text/plain',
    ]);
  });

  it('answers what front ends ask, and refuses what it has not', async () => {
    const seen = await told<{
      info: Record<string, unknown>;
      names: Record<string, unknown>;
      fg: { matches: string[]; cursor_start: number };
      none: object;
      help: { found: boolean; data: Record<string, string> };
      variable: { data: Record<string, string> };
      complete: string[];
      history: object;
      comms: object;
      comm: Shown;
      unknown: object;
      stdin: Ran;
      beside: Ran;
      silent: Ran;
      count: number;
      queued: string[];
      goesOn: string[];
    }>(`
manager, client = start()
seen = {}
seen['info'] = ask(client, 'kernel_info_request')['content']
run(client, "const größe = new Float32Array(6); const grün = '🙂'")
seen['names'] = ask(client, 'complete_request', {'code': "'🙂'; grö", 'cursor_pos': 8})['content']
seen['fg'] = ask(client, 'complete_request', {'code': 'await fg.sae.tr(x)', 'cursor_pos': 15})['content']
seen['none'] = ask(client, 'complete_request', {'code': 'f(1).', 'cursor_pos': 5})['content']
seen['help'] = ask(client, 'inspect_request', {'code': 'await fg.sae.train(lm, ', 'cursor_pos': 23})['content']
seen['variable'] = ask(client, 'inspect_request', {'code': 'größe', 'cursor_pos': 2})['content']
seen['complete'] = [ask(client, 'is_complete_request', {'code': code})['content']['status']
  for code in ['const a = 1', 'for (const a of b) {', 'const a = \`x', '/* a', 'const = 1', 'await x(']]
seen['history'] = ask(client, 'history_request')['content']
seen['comms'] = ask(client, 'comm_info_request')['content']
comm = client.session.msg('comm_open', {'comm_id': 'c1', 'target_name': 'jupyter.widget', 'data': {}})
client.shell_channel.send(comm)
seen['comm'] = [[m['msg_type'], m['content']] for m in published(client, comm['header']['msg_id'])]
seen['unknown'] = ask(client, 'do_magic_request')['content']
seen['stdin'] = run(client, "process.stdin.on('data', () => 0)")
seen['beside'] = run(client, '1', user_expressions={'a': '1 + 1'})
before = seen['beside'][0]['execution_count']
seen['silent'] = run(client, "console.log('x'); 2", silent=True)
seen['count'] = run(client, '3')[0]['execution_count'] - before
later = "await new Promise((end) => setTimeout(end, 300)); throw new Error('x')"
ids = [client.execute(code) for code in [later, '1', '2']]
seen['queued'] = [answer(client, one)['content']['status'] for one in ids]
ids = [client.execute(code, stop_on_error=False) for code in [later, '1']]
seen['goesOn'] = [answer(client, one)['content']['status'] for one in ids]
client.stop_channels()
manager.shutdown_kernel()
print(json.dumps(seen))`);
    expect(seen.info).toMatchObject({ status: 'ok', protocol_version: '5.3', implementation: 'fgnb' });
    expect(seen.names).toMatchObject({ matches: ['größe'], cursor_start: 5, cursor_end: 8 });
    expect(seen.fg.matches).toContain('train');
    expect(seen.fg.cursor_start).toBe(13);
    expect(seen.none).toMatchObject({ status: 'ok', matches: [] });
    expect(seen.help.data['text/plain']).toMatch(/^fg\.sae\.train\(\w+, .*options\)\n[^]*\n {2}features: /);
    expect(seen.variable.data['text/plain']).toContain('größe: Float32Array, shape [6]');
    expect(seen.complete).toEqual(['complete', 'incomplete', 'incomplete', 'incomplete', 'invalid', 'incomplete']);
    expect(seen.history).toEqual({ status: 'ok', history: [] });
    expect(seen.comms).toEqual({ status: 'ok', comms: {} });
    expect(seen.comm).toContainEqual(['comm_close', { comm_id: 'c1', data: {} }]);
    expect(seen.unknown).toMatchObject({ status: 'error', evalue: 'this kernel does not answer do_magic_request' });
    expect(seen.stdin[0]).toMatchObject({ status: 'error', ename: 'Error' });
    expect(seen.stdin[0].evalue).toContain('A cell has no input');
    expect(seen.beside[0]).toMatchObject({ status: 'ok', user_expressions: { a: { status: 'error' } } });
    expect(seen.silent[0]).toMatchObject({ status: 'ok' });
    expect(seen.silent[1]).toEqual([]);
    expect(seen.count).toBe(1);
    expect(seen.queued).toEqual(['error', 'aborted', 'aborted']);
    expect(seen.goesOn).toEqual(['error', 'ok']);
  });

  it('stops a cell by message and by SIGINT; what a call tells replaces itself; the session stays', async () => {
    const seen = await told<{ training: Ran; progress: Shown; loop: Ran; alive: Ran; idle: Ran }>(`
import os, signal, time
manager, client = start()
run(client, "const kept = 7")
training = client.execute("""const rows = { rows: 2000, cols: 16, data: Float32Array.from({ length: 2000 * 16 }, (_, i) => Math.sin(i * i)) };
await fg.maps.umap(rows, { nEpochs: 200000, init: 'random' })""")
shown = []
def words(m): return list(m['content'].get('data', {})) == ['text/plain']
def moved(m): return m['msg_type'] == 'update_display_data' and 'image/png' in m['content']['data']
# Words begin after two seconds, the picture before: which of them comes first is the machine's affair.
while not (any(map(moved, shown)) and any(map(words, shown))):
  shown += published(client, training, 'update_display_data', 60)
ask(client, 'interrupt_request', {}, 'control')
seen = {'training': [answer(client, training)['content'], []]}
seen['progress'] = [[m['msg_type'], m['content']] for m in shown + published(client, training) if 'display' in m['msg_type']]
loop = client.execute('for (;;);')
published(client, loop, 'execute_input')
time.sleep(0.5)
os.kill(manager.provisioner.pid, signal.SIGINT)
seen['loop'] = [answer(client, loop)['content'], []]
published(client, loop)
ask(client, 'interrupt_request', {}, 'control')
seen['alive'] = run(client, 'kept')
client.stop_channels()
manager.shutdown_kernel()
print(json.dumps(seen))`);
    expect(seen.training[0]).toMatchObject({ status: 'error', ename: 'Interrupted' });
    // The words of the call, which are taken away at its end, and the picture of the points as they move.
    const idOf = ([, { transient }]: Shown[number]): string => JSON.stringify(transient);
    // Once it is stopped, words below the picture say so.
    const isEnd = ([, { data }]: Shown[number]): boolean =>
      JSON.stringify(data).includes('the picture is not finished');
    const end = seen.progress.filter(isEnd);
    expect(end.map(([type, { data }]) => [type, data])).toEqual([['display_data', { 'text/plain': expect.stringMatching(/^UMAP of 2000 points, epoch \d+ of 200000: stopped there/) as string }]]); // prettier-ignore
    const moving = seen.progress.filter((each) => !isEnd(each));
    const outputs = [...new Set(moving.map(idOf))].map((id) => moving.filter((each) => idOf(each) === id));
    expect(outputs.length).toBe(2);
    const [words, picture] = outputs.sort((p, q) => Object.keys(p[0][1].data as object).length - Object.keys(q[0][1].data as object).length); // prettier-ignore
    for (const [[type], ...rest] of [words, picture]) {
      expect(type).toBe('display_data');
      expect(new Set(rest.map(([each]) => each))).toEqual(new Set(['update_display_data']));
    }
    expect(words[0][1].data).toEqual({ 'text/plain': expect.stringMatching(/UMAP|neighbours|layout|epoch/i) as string }); // prettier-ignore
    expect(words.at(-1)?.[1].data).toEqual({ 'text/plain': '' });
    expect(picture[0][1].data).toEqual({ 'image/png': expect.stringMatching(/^iVBOR/) as string, 'text/plain': expect.stringMatching(/^UMAP of 2000 points, epoch /) as string }); // prettier-ignore
    expect(seen.loop[0]).toMatchObject({ status: 'error', ename: 'Interrupted' });
    expect(seen.alive[1]).toMatchObject([['execute_result', { data: { 'text/plain': '7' } }]]);
  });

  it('drops messages with a wrong signature, repeated and broken ones, and refuses one that is too large', async () => {
    const seen = await told<{ signed: Ran; after: Ran; log: string[] }>(`
import zmq
manager, client = start()
seen = {'signed': run(client, 'globalThis.ran = 0')}
def sender():
  socket = zmq.Context.instance().socket(zmq.DEALER)
  socket.linger = 0
  socket.connect(f'tcp://{manager.ip}:{manager.shell_port}')
  return socket
session = client.session
message = session.msg('execute_request', {'code': 'globalThis.ran += 1', 'silent': False})
good = session.serialize(message)
raw = sender()
raw.send_multipart([good[0], b'0' * 64] + good[2:])
raw.send_multipart([good[0], b''] + good[2:])
raw.send_multipart(good[:2])
raw.send_multipart([b'<IDS|MSG>'])
raw.send_multipart([b'x'])
raw.send_multipart(good)
raw.send_multipart(good)
changed = list(good); changed[5] = changed[5].replace(b'+= 1', b'+= 9')
raw.send_multipart(changed)
large = sender()
large.send_multipart([b'<IDS|MSG>', b'x', b'y' * (65 << 20)])
heart = zmq.Context.instance().socket(zmq.REQ)
heart.connect(f'tcp://{manager.ip}:{manager.hb_port}')
heart.send(b'ping')
assert heart.recv() == b'ping'
seen['after'] = run(client, 'ran')
client.stop_channels()
manager.shutdown_kernel()
print(json.dumps(seen))`);
    expect(seen.after[1]).toMatchObject([['execute_result', { data: { 'text/plain': '1' } }]]);
  });

  it('tells when its kernel process dies; leaves none behind when it is killed itself', async () => {
    const seen = await told<{ died: { ename: string; evalue: string }; ended: number; left: boolean }>(`
import os, signal, time
def gone(pid):
  for _ in range(100):
    try: os.kill(pid, 0)
    except ProcessLookupError: return True
    if open(f'/proc/{pid}/stat').read().split(')')[1].split()[0] == 'Z': return True
    time.sleep(0.1)
  return False
manager, client = start()
cell = client.execute('process.kill(process.pid, "SIGKILL"); await new Promise(() => 0)')
seen = {'died': answer(client, cell)['content']}
seen['ended'] = manager.provisioner.process.wait(20)
client.stop_channels()
manager.shutdown_kernel(now=True)
manager, client = start()
pid = int(run(client, 'process.pid')[1][0][1]['data']['text/plain'])
assert pid != manager.provisioner.pid
os.kill(manager.provisioner.pid, signal.SIGKILL)
seen['left'] = not gone(pid)
client.stop_channels()
manager.shutdown_kernel(now=True)
print(json.dumps(seen))`);
    expect(seen.died).toMatchObject({ ename: 'KernelDied' });
    expect(seen.died.evalue).toContain('the kernel process ended with SIGKILL');
    expect(seen.ended).toBe(1);
    expect(seen.left).toBe(false);
  });

  it('is removed as it was installed, and leaves other kernels of its name alone', () => {
    const spec = path.join(folder, 'prefix/share/jupyter/kernels/fgnb');
    expect(fgnb('jupyter', 'install', '--prefix', 'prefix')).toContain(`0 kernel "fgnb" installed in `);
    expect(JSON.parse(fs.readFileSync(path.join(spec, 'kernel.json'), 'utf8'))).toMatchObject({
      argv: [process.execPath, kernelCli, 'jupyter', 'kernel', '{connection_file}', '--device', 'auto'],
      interrupt_mode: 'message',
      language: 'typescript',
    });
    expect(fgnb('jupyter', 'uninstall', '--prefix', 'prefix')).toContain('0 kernel "fgnb" removed from');
    expect(fs.existsSync(spec)).toBe(false);
    expect(fgnb('jupyter', 'uninstall', '--prefix', 'prefix')).toMatch(/^1 .*is not installed in/);
    fs.mkdirSync(spec, { recursive: true });
    fs.writeFileSync(path.join(spec, 'kernel.json'), '{"argv": ["python", "-m", "other"]}');
    expect(fgnb('jupyter', 'install', '--prefix', 'prefix')).toMatch(/^1 .*holds another kernel/);
    expect(fgnb('jupyter', 'uninstall', '--prefix', 'prefix')).toMatch(/^1 .*is not installed/);
    expect(fgnb('jupyter', 'install', '--user', '--prefix', 'x')).toMatch(/^2 .*not both/);
    expect(fgnb('jupyter', 'kernel', 'none.json')).toMatch(/^1 .*none\.json/);
  });
});
