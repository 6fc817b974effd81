/**
 * A Jupyter kernel: answers the messages of Jupyter's protocol 5.3 and runs cells in the kernel process that the editor
 * uses too. It is a separate process, so that it answers, interrupts and sends heartbeats whatever a cell does.
 */
import type { CellEvent } from '../../protocol/kernel.js';
import { CELL_LANGUAGE, type Json, type JsonObject } from '../../protocol/notebook.js';
import { OutputLooks } from '../convert/fallbacks.js';
import { KERNEL_NAME, LANGUAGE_INFO } from '../convert/jupyter.js';
import { KERNEL_VERSION } from '../session/version.js';
import { CellMessages, type CellError } from './cellMessages.js';
import { complete, inspect, isComplete } from './code.js';
import type { Connection } from './connection.js';
import { KernelProcess, type KernelPlace } from './kernelProcess.js';
import { JupyterSockets } from './sockets.js';
import { JUPYTER_PROTOCOL, Wire, type Message } from './wire.js';

/** Cells that are remembered, so that late outputs, such as those of timers, still find the message that ran them. */
const REMEMBERED = 1000;
const NO_STDIN = 'this kernel has no input: cells that read process.stdin end with an error';

interface Execution {
  messages: CellMessages;
  /** Called when the cell has ended and all that it showed has been sent. */
  done: (status: 'ok' | 'error' | 'interrupted') => void;
}

type Channel = 'shell' | 'control';
const empty: JsonObject = {};

export class JupyterKernel {
  private readonly wire: Wire;
  private sockets!: JupyterSockets;
  private kernel!: KernelProcess;
  private readonly looks: OutputLooks;
  private readonly queue: Message[] = [];
  private answering = false;
  private count = 0;
  private readonly executions = new Map<string, Execution>();
  private readonly numbers = new Map<string, number>();
  /** Settles when all events so far are published: they go out in their order, and drawing one may take time. */
  private events: Promise<void> = Promise.resolve();
  private running: Execution | undefined;
  private end!: (code: number) => void;
  /** Resolves with the exit code when the kernel has ended. */
  readonly ended = new Promise<number>((resolve) => (this.end = resolve));

  private constructor(
    { key, algorithm }: Connection,
    place: KernelPlace,
    private readonly tell: (text: string) => void,
  ) {
    this.wire = new Wire(key, algorithm);
    this.looks = new OutputLooks(place.notebookFolder);
  }

  /** @throws Error for the user when an address is taken or the kernel does not start */
  static async start(connection: Connection, place: KernelPlace, tell: (text: string) => void): Promise<JupyterKernel> {
    const made = new JupyterKernel(connection, place, tell);
    made.kernel = await KernelProcess.start(place, {
      cell: (execution, _cellId, event, buffers) => made.cellEvent(execution, event, buffers),
      died: (why) => made.died(why),
    });
    try {
      made.sockets = await JupyterSockets.bind(connection, {
        receive: (channel, frames) => made.receive(channel, frames),
        failed: (error) => made.died(error.message),
      });
    } catch (error) {
      await made.kernel.stop();
      throw error;
    }
    made.publish(empty, 'status', { execution_state: 'starting' });
    return made;
  }

  private receive(channel: Channel, frames: Buffer[]): void {
    let message: Message;
    try {
      message = this.wire.read(frames);
    } catch (error) {
      // Not answered: its sender does not hold the key.
      return this.tell(`a message on ${channel} was dropped: ${(error as Error).message}`);
    }
    if (channel === 'control') return void this.answer('control', message);
    this.queue.push(message);
    if (!this.answering) void this.answerAll();
  }

  /** Answers the shell's messages one after the other, as all kernels do: front ends rely on it. */
  private async answerAll(): Promise<void> {
    this.answering = true;
    for (let next = this.queue.shift(); next; next = this.queue.shift()) await this.answer('shell', next);
    this.answering = false;
  }

  private async answer(channel: Channel, message: Message): Promise<void> {
    const { header } = message;
    this.publish(header, 'status', { execution_state: 'busy' });
    try {
      const content = await this.contentFor(message);
      if (content) this.reply(channel, message, content);
      const failed = header.msg_type === 'execute_request' && content?.status === 'error';
      if (failed && message.content.stop_on_error !== false) this.abortQueued();
    } catch (error) {
      const { name, message: why } = error as Error;
      this.reply(channel, message, { status: 'error', ename: name, evalue: why, traceback: [] });
    }
    this.publish(header, 'status', { execution_state: 'idle' });
    if (header.msg_type === 'shutdown_request') await this.close(0);
  }

  private async contentFor({ header, metadata, content }: Message): Promise<JsonObject | undefined> {
    switch (header.msg_type) {
      case 'kernel_info_request':
        return kernelInfo();
      case 'execute_request':
        return this.execute(header, metadata, content);
      case 'interrupt_request':
        this.kernel.interrupt();
        return { status: 'ok' };
      case 'shutdown_request':
        return { status: 'ok', restart: content.restart === true };
      case 'complete_request':
        return complete(this.kernel, content);
      case 'inspect_request':
        return inspect(this.kernel, content);
      case 'is_complete_request':
        return isComplete(content);
      case 'history_request':
        return { status: 'ok', history: [] };
      case 'comm_info_request':
        return { status: 'ok', comms: {} };
      case 'comm_open':
        // The protocol's way to say that the target does not exist.
        this.publish(header, 'comm_close', { comm_id: content.comm_id ?? '', data: {} });
        return undefined;
      case 'comm_msg':
      case 'comm_close':
        return undefined;
      default:
        throw new Error(`this kernel does not answer ${header.msg_type.slice(0, 100)}`);
    }
  }

  private reply(channel: Channel, { identities, header }: Message, content: JsonObject): void {
    const type = header.msg_type.replace(/_request$/, '_reply');
    void this.sockets.send(channel, this.wire.write({ identities, type, parent: header, content }));
  }

  private publish(parent: JsonObject, type: string, content: JsonObject): void {
    const identities = [Buffer.from(`kernel.${KERNEL_NAME}.${type}`)];
    void this.sockets.send('iopub', this.wire.write({ identities, type, parent, content }));
  }

  private async execute(header: JsonObject, metadata: JsonObject, content: JsonObject): Promise<JsonObject> {
    const code = typeof content.code === 'string' ? content.code : '';
    const silent = content.silent === true;
    if (!silent && content.store_history !== false) this.count++;
    const executionCount = this.count;
    const publish = (type: string, told: JsonObject): void => {
      if (!silent) this.publish(header, type, told);
    };
    publish('execute_input', { code, execution_count: executionCount });
    const cellId = typeof metadata.cellId === 'string' ? metadata.cellId.slice(0, 100) : `in-${executionCount}`;
    this.numbers.set(cellId, executionCount);
    const execution = this.kernel.execute(cellId, code);
    const messages = new CellMessages({
      ...{ execution, executionCount, looks: this.looks, publish },
      cellNumber: (id) => this.numbers.get(id),
      problem: this.tell,
    });
    const status = await new Promise<'ok' | 'error' | 'interrupted'>((done) => {
      this.running = { messages, done };
      this.executions.set(execution, this.running);
    });
    this.running = undefined;
    const [oldest] = this.executions.keys();
    if (this.executions.size > REMEMBERED) this.executions.delete(oldest);
    const error = messages.error ?? (status === 'ok' ? undefined : interrupted());
    if (!error)
      return { status: 'ok', execution_count: executionCount, payload: [], user_expressions: expressions(content) };
    return { status: 'error', execution_count: executionCount, ...error };
  }

  /** Cells that were sent before one failed are answered without being run. */
  private abortQueued(): void {
    const waiting = this.queue.splice(0);
    for (const message of waiting) {
      if (message.header.msg_type !== 'execute_request') {
        this.queue.push(message);
        continue;
      }
      this.publish(message.header, 'status', { execution_state: 'busy' });
      this.reply('shell', message, { status: 'aborted', execution_count: this.count });
      this.publish(message.header, 'status', { execution_state: 'idle' });
    }
  }

  private cellEvent(id: string, event: CellEvent, buffers: Uint8Array[]): void {
    const execution = this.executions.get(id);
    if (!execution) return;
    this.events = this.events
      .then(() => execution.messages.add(event, buffers))
      .catch((error: unknown) => this.tell(`an output is not shown: ${(error as Error).message}`))
      .then(() => {
        if (event.kind === 'finished') execution.done(event.status);
      });
  }

  interrupt(): void {
    this.kernel.interrupt();
  }

  /**
   * The kernel process died, or a socket failed: the running cell shows why. Jupyter itself notices and reports that
   * this process ends.
   */
  private died(why: string): void {
    this.tell(why);
    if (this.running) {
      const evalue = why.slice(0, 2000);
      const traceback = `KernelDied: ${evalue}`.split('\n');
      void this.running.messages.add({ kind: 'error', name: 'KernelDied', message: evalue, stack: [] }, []);
      this.running.messages.error = { ename: 'KernelDied', evalue, traceback };
      this.running.done('error');
    }
    // The reply of the running cell is sent first.
    setImmediate(() => void this.close(1));
  }

  /** Ends the kernel process and closes everything of this process. */
  async close(code: number): Promise<void> {
    await this.kernel.stop();
    await this.looks.close();
    await this.sockets.close();
    this.end(code);
  }
}

const interrupted = (): CellError => ({
  ename: 'Interrupted',
  evalue: 'the cell was interrupted',
  traceback: ['Interrupted: the cell was interrupted'],
});

/** Expressions beside a cell are not evaluated; each is answered with an error that says so. */
function expressions({ user_expressions: asked }: JsonObject): JsonObject {
  const names = typeof asked === 'object' && asked !== null && !Array.isArray(asked) ? Object.keys(asked) : [];
  const evalue = 'user_expressions are not supported; run them as a cell';
  const refused: Json = { status: 'error', ename: 'Error', evalue, traceback: [] };
  return Object.fromEntries(names.map((name) => [name, refused]));
}

function kernelInfo(): JsonObject {
  return {
    status: 'ok',
    protocol_version: JUPYTER_PROTOCOL,
    implementation: KERNEL_NAME,
    implementation_version: KERNEL_VERSION,
    language_info: { ...LANGUAGE_INFO, version: process.versions.node },
    banner: `Feature Geometry Notebooks ${KERNEL_VERSION}: ${CELL_LANGUAGE} cells; ${NO_STDIN}`,
    help_links: [],
    debugger: false,
  };
}
