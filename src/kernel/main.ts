/**
 * The kernel process of one notebook:
 * `node --no-force-async-hooks-checks main.cjs --run-folder DIR --notebook-folder DIR [--artifact-folder DIR]
 *  [--notebook FILE] [--device auto|cuda|webgpu|cpu] [--idle-minutes N] [--with-client] [--bare]`
 * `--with-client` ends the kernel when its client leaves.
 * `--bare` leaves `fg` and `tf` out: the language alone, and `live(view, handler)` to make views that answer.
 *
 * `--max-old-space-size` bounds JavaScript objects alone; typed arrays live outside that heap and are bounded by the
 * machine. The run folder (0700) holds `token`, written by the client before the start; the kernel adds `k.sock` and
 * `kernel.json`, and takes both away when it ends.
 */
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { ClientMessage, KernelMessage } from '../protocol/kernel.js';
import type { Json, JsonObject } from '../protocol/notebook.js';
import type { LiveHandler, SessionContext } from './verb/context.js';
import { deviceChoice, type DeviceChoice } from '../protocol/device.js';
import { cellGlobals, deviceSummary } from './globals.js';
import { nativeCall } from './compute/nativeCall.js';
import { hasRequiredFlag, relaunch, startControl, type ControlThread } from './session/launch.js';
import { KernelLog } from './session/log.js';
import { exitProcess } from './session/process.js';
import { recordedPid } from './session/runFolder.js';
import { Session } from './session/session.js';
import type { ToMain } from './session/threads.js';

const { values: options } = parseArgs({
  options: {
    'run-folder': { type: 'string' },
    'notebook-folder': { type: 'string' },
    'artifact-folder': { type: 'string' },
    notebook: { type: 'string', default: '' },
    device: { type: 'string', default: 'auto' },
    'idle-minutes': { type: 'string', default: '1440' },
    'with-client': { type: 'boolean', default: false },
    bare: { type: 'boolean', default: false },
  },
});

type FromClient = Extract<ToMain, { type: 'client' }>;
const log = new KernelLog();

type KernelRequest = Extract<ClientMessage, { type: 'request' }>;

class Kernel {
  private readonly session: Session;
  private readonly control: ControlThread;
  private readonly inbox: FromClient[] = [];
  /** What the control thread was told last. */
  private status = '';

  constructor(
    runFolder: string,
    private readonly notebookFolder: string,
    private readonly device: DeviceChoice,
  ) {
    const artifactFolder = options['artifact-folder'] ?? path.join(notebookFolder, '.fgnb');
    this.session = new Session({
      notebookFolder,
      notebook: options.notebook,
      artifactFolder,
      interruptAsked: () => this.control.isAsked(),
      createGlobals: (context) =>
        options.bare
          ? Promise.resolve({ live: (view: string, handler: LiveHandler) => context.live(view, handler) })
          : this.createGlobals(context),
      sink: {
        cell: (execution, cellId, event, buffers) => this.send({ type: 'cell', execution, cellId, event }, buffers),
        state: (state) => this.send({ type: 'state', state }),
        log: (text) => log.line(text),
      },
    });
    // `fgnb run --param` sets these; notebooks that use them also run here.
    this.session.define('params', {});
    this.control = startControl(
      {
        kind: 'socket',
        runFolder,
        notebook: options.notebook,
        session: this.session.id,
        idleMinutes: Number(options['idle-minutes']) || 0,
        withClient: options['with-client'],
      },
      (message) => this.receive(message),
    );
    this.send({ type: 'state', state: 'idle' });
  }

  private async createGlobals(context: SessionContext): Promise<Record<string, unknown>> {
    const globals = await cellGlobals(context, this.device);
    this.send({ type: 'device', device: await deviceSummary(this.device, this.notebookFolder) });
    return globals;
  }

  private send(message: KernelMessage, buffers: Uint8Array[] = []): void {
    const { executionCount, running } = this.session;
    const status = `${executionCount} ${running}`;
    if (status !== this.status) this.control.post({ type: 'status', executionCount, running });
    this.status = status;
    this.control.post({ type: 'message', message, buffers });
  }

  /** A termination may strike wherever this waits for its end; the interrupt's message, which comes again, goes on here. */
  private receive(message: ToMain): void {
    if (message.type === 'shutdown') return this.shutDown();
    if (message.type === 'client') this.inbox.push(message);
    // First: an interrupt that was asked for before a cell came must not stop that cell.
    if (this.control.isAsked()) {
      this.session.interrupt();
      this.control.answered();
    }
    nativeCall(() => {
      for (let next = this.inbox.shift(); next; next = this.inbox.shift()) this.serve(next);
    });
  }

  private serve({ message, asked }: FromClient): void {
    if (message.type === 'request') void this.answer(message);
    else if (asked < this.control.asked()) this.session.refuse(message);
    else void this.session.execute(message);
  }

  private async answer({ id, method, params }: KernelRequest): Promise<void> {
    try {
      const given = typeof params === 'object' && params !== null && !Array.isArray(params) ? params : {};
      const found = this.valueOf(method, given);
      // What is there at once is sent at once: behind an await a termination could lose it.
      const value = found instanceof Promise ? ((await found) as unknown) : found;
      this.send({ type: 'reply', id, ok: true, value: value as Json });
    } catch (error) {
      this.send({ type: 'reply', id, ok: false, error: error instanceof Error ? error.message : String(error) });
    }
  }

  private valueOf(method: KernelRequest['method'], given: JsonObject): unknown {
    switch (method) {
      case 'variables':
        return this.session.variables();
      case 'complete':
        return this.session.complete(String(given.expression ?? ''));
      case 'inspect':
        return this.session.inspect(String(given.expression ?? '')).then((text) => text ?? null);
      case 'device':
        return deviceSummary(this.device, this.notebookFolder);
      case 'live':
        return this.session.liveCall({
          view: String(given.view),
          method: String(given.method),
          params: given.params ?? null,
        });
    }
  }

  private shutDown(): void {
    this.session.close();
    exitProcess(0);
  }
}

function start(): void {
  const runFolder = options['run-folder'];
  const notebookFolder = options['notebook-folder'];
  if (!runFolder || !notebookFolder) throw new Error('the kernel needs --run-folder and --notebook-folder');
  process.umask(0o077);
  const lock = path.join(runFolder, 'kernel.json');
  // Before the session, which takes away what others hang on the process.
  process.on('exit', () => recordedPid(lock) === process.pid && fs.rmSync(lock, { force: true }));
  // A terminal's Ctrl-C and hang-up are for the client; the client stops its kernel by message.
  process.on('SIGINT', () => undefined);
  process.on('SIGHUP', () => undefined);
  void new Kernel(path.resolve(runFolder), path.resolve(notebookFolder), deviceChoice(options.device));
}

if (hasRequiredFlag()) start();
else {
  const child = relaunch(process.argv[1], process.argv.slice(2));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? (signal ? 128 : 1)));
}
