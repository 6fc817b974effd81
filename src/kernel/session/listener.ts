/**
 * The files by which clients find the kernel: socket, token and record in the run folder, written again when they
 * disappear.
 *
 * The run folder lies in the user's runtime folder, which systemd deletes at the last log-out and creates again, empty,
 * at the next log-in; other systems delete old files of the temporary folder. The process lives on, so it must stay
 * reachable.
 */
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { checkRunFolder, readToken, recordedPid, writePrivate } from './runFolder.js';
import type { ControlData } from './threads.js';
import { KERNEL_VERSION } from './version.js';

/** A socket's path must fit in sockaddr_un. */
const MAX_SOCKET_PATH = 100;
const LOOK_MS = 1000;
const WINDOWS = process.platform === 'win32';

type SocketMode = Extract<ControlData['mode'], { kind: 'socket' }>;

export interface ListenerHooks {
  connection: (socket: net.Socket) => void;
  log: (text: string) => void;
  /** The kernel could not listen at its start. */
  failed: () => void;
}

const isThere = (file: string): boolean => fs.lstatSync(file, { throwIfNoEntry: false }) !== undefined;

export class Listener {
  readonly token: string;
  private readonly record: string;
  private readonly tokenFile: string;
  private readonly started = new Date().toISOString();
  private server: net.Server;
  private address: string;
  /** A folder made for the socket when its path in the run folder would be too long. */
  private ownFolder: string | undefined;
  private readonly timer: NodeJS.Timeout;
  private missing = 0;
  private trouble = '';

  /** @throws Error for the user when the run folder is not private or holds no token */
  constructor(
    private readonly mode: SocketMode,
    private readonly hooks: ListenerHooks,
  ) {
    checkRunFolder(mode.runFolder);
    this.token = readToken(mode.runFolder);
    this.record = path.join(mode.runFolder, 'kernel.json');
    this.tokenFile = path.join(mode.runFolder, 'token');
    this.address = this.chooseAddress();
    if (!WINDOWS) fs.rmSync(this.address, { force: true });
    this.server = this.listen((error) => {
      hooks.log(`cannot listen on ${this.address}: ${error.message}`);
      hooks.failed();
    });
    this.timer = setInterval(() => this.look(), LOOK_MS);
  }

  private chooseAddress(): string {
    const { runFolder, session } = this.mode;
    if (WINDOWS) return `\\\\.\\pipe\\fgnb-${session}-${this.token.slice(0, 8)}`;
    const inFolder = path.join(runFolder, 'k.sock');
    if (Buffer.byteLength(inFolder) <= MAX_SOCKET_PATH) return inFolder;
    // mkdtemp makes the folder 0700.
    this.ownFolder = fs.mkdtempSync(path.join(os.tmpdir(), 'fgnb-'));
    return path.join(this.ownFolder, 'k.sock');
  }

  private listen(onError: (error: Error) => void): net.Server {
    const server = net.createServer((socket) => this.hooks.connection(socket));
    server.on('error', onError);
    return server.listen(this.address, () => this.writeRecord());
  }

  /**
   * The record tells clients that the kernel listens, and where. It is renamed into place so that it is never half
   * written.
   */
  private writeRecord(): void {
    if (!WINDOWS) fs.chmodSync(this.address, 0o600);
    const { notebook, session } = this.mode;
    const { address: socket, started } = this;
    const content = { pid: process.pid, socket, session, notebook, started, version: KERNEL_VERSION };
    writePrivate(this.record, JSON.stringify(content, null, 1) + '\n');
    this.hooks.log(`listening on ${socket}, session ${session}, node ${process.version}`);
  }

  /** Checks whether all files are there; files that are missing twice in a row are written again. */
  private look(): void {
    const files = [this.record, this.tokenFile, ...(WINDOWS ? [] : [this.address])];
    this.missing = files.every(isThere) ? 0 : this.missing + 1;
    // Missing once may mean that a client is creating the folder again for a kernel that replaces this one.
    if (this.missing < 2) return;
    this.missing = 0;
    try {
      this.restore();
    } catch (error) {
      // ENOENT: the runtime folder is created again at the next log-in.
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && message !== this.trouble) this.hooks.log(`clients cannot find this kernel: ${message}`);
      this.trouble = message;
    }
  }

  /** @throws Error when the folder is missing or not private; then nothing is written to it */
  private restore(): void {
    const { runFolder } = this.mode;
    for (const folder of [path.dirname(runFolder), runFolder]) {
      if (!isThere(folder)) fs.mkdirSync(folder, { mode: 0o700 });
      checkRunFolder(folder);
    }
    if (isThere(this.tokenFile) && readToken(runFolder) !== this.token) return;
    // Closing deletes the old socket's file if it still exists, so it comes before the new one is made.
    this.server.close();
    writePrivate(this.tokenFile, this.token);
    if (this.ownFolder && !isThere(this.ownFolder)) this.address = this.chooseAddress();
    if (!WINDOWS) fs.rmSync(this.address, { force: true });
    this.hooks.log('the run folder was taken away: clients find this kernel there again');
    this.server = this.listen((error) => this.hooks.log(`cannot listen on ${this.address}: ${error.message}`));
  }

  close(): void {
    clearInterval(this.timer);
    const owner = recordedPid(this.record);
    // Another kernel was started in place of this one: closing would delete its socket.
    if (owner === undefined || owner === process.pid) {
      this.server.close();
      for (const file of [this.record, ...(WINDOWS ? [] : [this.address])]) fs.rmSync(file, { force: true });
    }
    if (this.ownFolder) fs.rmSync(this.ownFolder, { recursive: true, force: true });
  }
}
