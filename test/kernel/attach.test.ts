/** The extension's kernel client against real kernels, broken connections and another local user. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { KernelConfig } from '#extension/config.js';
import { Connection } from '#extension/kernelClient/connection.js';
import type { DeathReport } from '#extension/kernelClient/death.js';
import { Kernel, type KernelListener } from '#extension/kernelClient/kernel.js';
import { listKernels, prepareRunFolder, runFolderOf, runRoot } from '#extension/kernelClient/runFolder.js';
import type { KernelState } from '#extension/kernelClient/state.js';
import { encodeFrame } from '#protocol/frames.js';
import type { CellEvent, KernelMessage } from '#protocol/kernel.js';
import { ensureKernelBuilt, kernelMain } from '#test/kit/kernel.js';
import { temporaryFolder } from '#test/kit/folder.js';

const STRANGER = 12345;
const asRoot = process.getuid?.() === 0;
if (!asRoot) console.log('skipped: tests with a second user need root');

const NOTEBOOK = '/somewhere/notebook.fgnb';
const folders: string[] = [];
const children: ChildProcess[] = [];
const kernels: Kernel[] = [];
const folder = (name: string): string => {
  folders.push(temporaryFolder(name));
  return folders[folders.length - 1];
};

beforeAll(() => ensureKernelBuilt());
afterEach(async () => {
  for (const kernel of kernels.splice(0)) await kernel.shutdown();
  for (const child of children.splice(0)) child.kill('SIGKILL');
  delete process.env.FGNB_RUN_ROOT;
});
afterAll(() => folders.forEach((each) => fs.rmSync(each, { recursive: true, force: true })));

interface Watched {
  kernel: Kernel;
  states: KernelState[];
  events: CellEvent[];
  deaths: DeathReport[];
  warnings: string[];
  taken: number;
  disconnected: string[];
}

/** A window with the notebook open. */
function open(notebookFolder: string): Watched {
  const watched: Omit<Watched, 'kernel'> = {
    ...{ states: [], events: [], deaths: [], warnings: [], taken: 0, disconnected: [] },
  };
  const result = watched as Watched;
  const listener: KernelListener = {
    stateChanged: (state) => void watched.states.push(state),
    attached: () => undefined,
    cell: (_execution, _cellId, event) => void watched.events.push(event),
    vitals: () => undefined,
    died: (report) => void watched.deaths.push(report),
    takenOver: () => void result.taken++,
    disconnected: (reason) => void watched.disconnected.push(reason),
  };
  const place = {
    kernelFolder: path.dirname(kernelMain),
    runFolder: runFolderOf(NOTEBOOK),
    notebookFolder,
    artifactFolder: path.join(notebookFolder, '.fgnb'),
    notebook: NOTEBOOK,
  };
  const config = {
    ...{ nodePath: process.execPath, heapSizeMb: 0, device: 'cpu', gpuFolder: '', environment: {} },
  } as unknown as KernelConfig;
  const log = { info: () => undefined, warn: (message: string) => void watched.warnings.push(message) };
  result.kernel = new Kernel(place, () => config, listener, log);
  kernels.push(result.kernel);
  return result;
}

describe('the kernel of a window', () => {
  it('that is killed is said to have died, and never to be used by another window', async () => {
    process.env.FGNB_RUN_ROOT = path.join(folder('root'), 'run');
    const window = open(folder('nb'));
    await window.kernel.ensure();
    process.kill(window.kernel.processId ?? 0, 'SIGKILL');
    await expect.poll(() => window.deaths, { timeout: 20_000 }).toHaveLength(1);
    expect(window.states).toEqual(['starting', 'idle', 'lost', 'dead']);
    expect([window.taken, window.disconnected]).toEqual([0, []]);
    expect(window.deaths[0].summary).toMatch(/SIGKILL/);
  });

  it('that another window attaches to is said to be used there, and can be taken back', async () => {
    process.env.FGNB_RUN_ROOT = path.join(folder('root'), 'run');
    const [first, second] = [open(folder('nb')), open(folder('nb'))];
    await first.kernel.ensure();
    await second.kernel.ensure();
    await expect.poll(() => first.taken, { timeout: 10_000 }).toBe(1);
    expect(first.states).toEqual(['starting', 'idle', 'detached']);
    expect(second.kernel.processId).toBeDefined();
    expect(await listKernels()).toMatchObject([{ record: { pid: second.kernel.processId } }]);
    await first.kernel.ensure();
    await expect.poll(() => second.taken, { timeout: 10_000 }).toBe(1);
    expect(first.kernel.state).toBe('idle');
  });

  it('whose connection breaks is neither dead nor taken, and is attached to again', async () => {
    process.env.FGNB_RUN_ROOT = path.join(folder('root'), 'run');
    const window = open(folder('nb'));
    await window.kernel.ensure();
    const pid = window.kernel.processId;
    const { connection } = window.kernel as unknown as { connection: { socket: net.Socket } };
    connection.socket.destroy();
    await expect.poll(() => window.disconnected, { timeout: 20_000 }).toHaveLength(1);
    expect([window.kernel.state, window.taken, window.deaths]).toEqual(['lost', 0, []]);
    await window.kernel.ensure();
    expect([window.kernel.state, window.kernel.processId]).toEqual(['idle', pid]);
  });
});

describe('a kernel whose run folder is taken away, as at log-out', () => {
  /** Runs a cell in an attached window, which must show `expected`; a new window is told of older cells first. */
  async function run(window: Watched, source: string, expected: string): Promise<void> {
    window.kernel.execute({ execution: source, cellId: 'c', cellIndex: 0, source });
    const shown = (): unknown[] =>
      window.events.flatMap((event) => (event.kind === 'display' ? [event.items[0].text] : []));
    await expect.poll(shown, { timeout: 60_000 }).toContain(expected);
  }
  const inRuntimeFolder = (): string => {
    delete process.env.FGNB_RUN_ROOT;
    return (process.env.XDG_RUNTIME_DIR = path.join(folder('login'), 'runtime'));
  };
  const { XDG_RUNTIME_DIR } = process.env;
  afterEach(() => {
    if (XDG_RUNTIME_DIR === undefined) delete process.env.XDG_RUNTIME_DIR;
    else process.env.XDG_RUNTIME_DIR = XDG_RUNTIME_DIR;
  });

  it('keeps its window, and is found by the next one after the next log-in, variables and all', async () => {
    const runtime = inRuntimeFolder();
    fs.mkdirSync(runtime, { mode: 0o700 });
    const window = open(folder('nb'));
    await window.kernel.ensure();
    const pid = window.kernel.processId;
    await run(window, 'const kept = 41; kept', '41');
    fs.rmSync(runtime, { recursive: true });
    await new Promise((resolve) => setTimeout(resolve, 3500));
    expect(fs.existsSync(runtime)).toBe(false);
    await run(window, 'kept + 1', '42');
    window.kernel.detach();
    // The record is written last.
    fs.mkdirSync(runtime, { mode: 0o700 });
    const runFolder = path.join(runtime, 'fgnb', path.basename(runFolderOf(NOTEBOOK)));
    await expect.poll(() => fs.existsSync(path.join(runFolder, 'kernel.json')), { timeout: 10_000 }).toBe(true);
    expect(fs.lstatSync(path.dirname(runFolder)).mode & 0o777).toBe(0o700);
    const next = open(folder('nb'));
    await next.kernel.ensure();
    expect(next.kernel.processId).toBe(pid);
    await run(next, 'kept + 2', '43');
    // Files that a clean-up of old ones takes, one by one.
    for (const name of ['token', 'kernel.json']) fs.rmSync(path.join(runFolder, name));
    await expect.poll(() => listKernels(), { timeout: 10_000 }).toMatchObject([{ record: { pid } }]);
    expect(next.deaths).toEqual([]);
  });

  it('leaves the folder to a kernel that was started in its place, also when it ends', async () => {
    const runtime = inRuntimeFolder();
    fs.mkdirSync(runtime, { mode: 0o700 });
    const [first, second] = [open(folder('nb')), open(folder('nb'))];
    await first.kernel.ensure();
    const pid = first.kernel.processId as number;
    fs.rmSync(path.join(runtime, 'fgnb'), { recursive: true });
    await second.kernel.ensure();
    expect(second.kernel.processId).not.toBe(pid);
    await new Promise((resolve) => setTimeout(resolve, 3500));
    const listed = [{ record: { pid: second.kernel.processId } }];
    expect(await listKernels()).toMatchObject(listed);
    process.kill(pid, 'SIGTERM');
    await expect.poll(() => first.deaths, { timeout: 10_000 }).toHaveLength(1);
    expect(await listKernels()).toMatchObject(listed);
    await run(second, '1 + 1', '2');
  });

  it.skipIf(!asRoot)('does not come back into a folder of another user', async () => {
    const runtime = inRuntimeFolder();
    fs.mkdirSync(runtime, { mode: 0o700 });
    const window = open(folder('nb'));
    await window.kernel.ensure();
    const [root, runFolder] = [runRoot(), runFolderOf(NOTEBOOK)];
    fs.rmSync(root, { recursive: true });
    fs.mkdirSync(root, { mode: 0o700 });
    fs.chownSync(root, STRANGER, STRANGER);
    await new Promise((resolve) => setTimeout(resolve, 3500));
    expect(fs.existsSync(runFolder)).toBe(false);
    await run(window, '1 + 1', '2');
  });
});

describe('a replay of messages', () => {
  it('repeats to a client what it handled, which is handled once', async () => {
    const socket = path.join(folder('replay'), 's');
    const stream = (text: string): KernelMessage => ({
      type: 'cell',
      execution: 'e',
      cellId: 'c',
      event: { kind: 'stream', name: 'stdout', text },
    });
    const server = net.createServer((client) => {
      const send = (seq: number, message: KernelMessage): void =>
        encodeFrame(seq, message).forEach((piece) => void client.write(piece));
      client.once('data', () => {
        send(0, { type: 'welcome', protocol: 1, pid: 1, session: 's', executionCount: 0 });
        for (const seq of [3, 4, 5, 4, 5, 5, 6, 2]) send(seq, stream(String(seq)));
        send(0, { type: 'state', state: 'idle' });
      });
    });
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    const handled: string[] = [];
    const { connection } = await Connection.attach(
      { socket, token: 't', lastSeq: 3, timeoutMs: 5000 },
      {
        message: (message) =>
          void handled.push(
            message.type === 'cell' && message.event.kind === 'stream' ? message.event.text : message.type,
          ),
        closed: () => undefined,
      },
    );
    await expect.poll(() => handled.at(-1)).toBe('state');
    expect(handled).toEqual(['4', '5', '6', 'state']);
    expect(connection.lastSeq).toBe(6);
    connection.dispose();
    server.close();
  });
});

/** A program that looks like the kernel of a run folder: it listens there and says so. It notes what it is sent. */
const IMPOSTOR = `
const [, , folder, notes] = process.argv
const fs = require('node:fs'), net = require('node:net')
process.umask(0)
fs.writeFileSync(folder + '/token', 't'.repeat(64))
net.createServer((s) => s.on('data', (d) => fs.appendFileSync(notes, d))).listen(folder + '/k.sock', () => {
  fs.chmodSync(folder + '/k.sock', 0o777)
  const record = { pid: process.pid, socket: folder + '/k.sock', session: 'x', notebook: '', started: '', version: '0' }
  fs.writeFileSync(folder + '/kernel.json', JSON.stringify(record))
})`;

/** A copy of this Node where every user can run it: the harness keeps its own in the home folder of its user. */
let nodeForAll = '';
function everyonesNode(): string {
  if (nodeForAll) return nodeForAll;
  const at = folder('node');
  fs.chmodSync(at, 0o755);
  nodeForAll = path.join(at, path.basename(process.execPath));
  fs.copyFileSync(process.execPath, nodeForAll, fs.constants.COPYFILE_FICLONE);
  fs.chmodSync(nodeForAll, 0o755);
  return nodeForAll;
}

/** Another user's program, started in a run folder of that user. */
async function impostor(runFolder: string): Promise<{ notes: string; child: ChildProcess }> {
  const own = folder('impostor');
  fs.writeFileSync(path.join(own, 'main.cjs'), IMPOSTOR);
  fs.chmodSync(own, 0o755);
  fs.chownSync(own, STRANGER, STRANGER);
  const notes = path.join(own, 'notes');
  const child = spawn(everyonesNode(), [path.join(own, 'main.cjs'), runFolder, notes], {
    ...{ uid: STRANGER, gid: STRANGER, cwd: '/', stdio: 'inherit' },
  });
  children.push(child);
  await expect.poll(() => fs.existsSync(path.join(runFolder, 'kernel.json')), { timeout: 10_000 }).toBe(true);
  return { notes, child };
}

describe.skipIf(!asRoot)('another user of the machine', () => {
  /** A shared folder as /tmp is. */
  function shared(): string {
    const place = folder('shared');
    fs.chmodSync(place, 0o1777);
    return place;
  }

  it('who made the folder beforehand, with a program that looks like a kernel, gets no cell', async () => {
    const root = path.join(shared(), 'fgnb-0');
    process.env.FGNB_RUN_ROOT = root;
    const runFolder = runFolderOf(NOTEBOOK);
    for (const mode of [0o700, 0o777]) {
      fs.rmSync(root, { recursive: true, force: true });
      fs.mkdirSync(runFolder, { recursive: true });
      for (const each of [root, runFolder]) fs.chmodSync(each, mode);
      for (const each of [root, runFolder]) fs.chownSync(each, STRANGER, STRANGER);
      const { notes } = await impostor(runFolder);
      const window = open(folder('nb'));
      expect(await window.kernel.attachExisting()).toBe(false);
      await expect(window.kernel.ensure()).rejects.toThrow(
        /fgnb-0 belongs to another user \(user id 12345, yours is 0\)\. No kernel is started or used there\./,
      );
      expect(window.warnings.join()).toMatch(/belongs to another user/);
      expect(fs.existsSync(notes)).toBe(false);
      expect(await listKernels()).toEqual([]);
    }
  });

  it('whose folder is in ours, or whose process a record of ours names, gets no cell either', async () => {
    const root = path.join(shared(), 'fgnb-0');
    process.env.FGNB_RUN_ROOT = root;
    const runFolder = runFolderOf(NOTEBOOK);
    fs.mkdirSync(runFolder, { recursive: true, mode: 0o755 });
    fs.chownSync(runFolder, STRANGER, STRANGER);
    fs.chmodSync(root, 0o755);
    const { notes, child } = await impostor(runFolder);
    const window = open(folder('nb'));
    expect(await window.kernel.attachExisting()).toBe(false);
    // Everything is ours but the process: ids are reused.
    await prepareRunFolder(runFolder);
    const record = { pid: child.pid, socket: path.join(runFolder, 'k.sock'), session: '', notebook: '', started: '' };
    fs.writeFileSync(path.join(runFolder, 'kernel.json'), JSON.stringify(record), { mode: 0o600 });
    expect(await window.kernel.attachExisting()).toBe(false);
    await window.kernel.ensure();
    expect(window.kernel.processId).not.toBe(child.pid);
    expect([child.exitCode, child.signalCode, fs.existsSync(notes)]).toEqual([null, null, false]);
  });

  it('cannot have a kernel start in a folder or with a token of theirs, or through a link', async () => {
    const start = async (prepare: (runFolder: string) => void): Promise<{ code: number | null; log: string }> => {
      const runFolder = folder('run');
      fs.writeFileSync(path.join(runFolder, 'token'), 't'.repeat(64), { mode: 0o600 });
      prepare(runFolder);
      const args = ['--run-folder', runFolder, '--notebook-folder', runFolder, '--bare'];
      const child = spawn(process.execPath, ['--no-force-async-hooks-checks', kernelMain, ...args]);
      children.push(child);
      let log = '';
      child.stderr.on('data', (chunk) => (log += String(chunk)));
      const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
      expect(fs.existsSync(path.join(runFolder, 'kernel.json'))).toBe(false);
      return { code, log };
    };
    const token = (runFolder: string): string => path.join(runFolder, 'token');
    for (const [prepare, words] of [
      [(f: string) => fs.chownSync(f, STRANGER, STRANGER), /belongs to another user \(user id 12345/],
      [(f: string) => fs.chmodSync(f, 0o755), /is open to other users \(mode 0755\): the kernel does not start there/],
      [(f: string) => fs.chmodSync(token(f), 0o644), /token is open to other users/],
      [(f: string) => fs.chownSync(token(f), STRANGER, STRANGER), /token belongs to another user/],
      [(f: string) => (fs.renameSync(token(f), `${f}/t`), fs.symlinkSync(`${f}/t`, token(f))), /ELOOP/],
    ] as const) {
      const { code, log } = await start((runFolder) => void prepare(runFolder));
      expect([code === 0, log]).toEqual([false, expect.stringMatching(words)]);
    }
  });
});

describe('the run folder', () => {
  it('is in the user’s runtime folder where that is private, else in one of the user in the temporary folder', () => {
    const runtime = folder('runtime');
    const fallback = path.join(os.tmpdir(), `fgnb-${os.userInfo().uid}`);
    expect(runRoot({ XDG_RUNTIME_DIR: runtime })).toBe(path.join(runtime, 'fgnb'));
    const link = path.join(folder('link'), 'runtime');
    fs.symlinkSync(runtime, link);
    for (const XDG_RUNTIME_DIR of ['', 'relative', path.join(runtime, 'absent'), link, undefined])
      expect(runRoot({ XDG_RUNTIME_DIR })).toBe(fallback);
    fs.chmodSync(runtime, 0o755);
    expect(runRoot({ XDG_RUNTIME_DIR: runtime })).toBe(fallback);
  });

  it('is never made or read through a link, and what was in it goes', async () => {
    const target = folder('target');
    fs.writeFileSync(path.join(target, 'kernel.log'), 'mine');
    process.env.FGNB_RUN_ROOT = path.join(folder('parent'), 'run');
    fs.symlinkSync(target, process.env.FGNB_RUN_ROOT);
    await expect(prepareRunFolder(runFolderOf(NOTEBOOK))).rejects.toThrow(
      /run is a link; a folder of yours is expected/,
    );
    expect(fs.readdirSync(target)).toEqual(['kernel.log']);
    fs.rmSync(process.env.FGNB_RUN_ROOT);
    fs.mkdirSync(process.env.FGNB_RUN_ROOT, { mode: 0o755 });
    const runFolder = runFolderOf(NOTEBOOK);
    expect(path.basename(runFolder)).toBe(createHash('sha256').update(NOTEBOOK).digest('hex').slice(0, 16));
    fs.symlinkSync(target, runFolder);
    const token = await prepareRunFolder(runFolder);
    expect(fs.readFileSync(path.join(target, 'kernel.log'), 'utf8')).toBe('mine');
    expect([fs.lstatSync(runFolder).mode & 0o777, fs.readdirSync(runFolder)]).toEqual([0o700, ['token']]);
    expect(fs.statSync(path.dirname(runFolder)).mode & 0o777).toBe(0o700);
    expect(fs.readFileSync(path.join(runFolder, 'token'), 'utf8')).toBe(token);
  });
});
