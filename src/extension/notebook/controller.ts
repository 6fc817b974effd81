/** The notebook controller and the sessions of the open notebooks. */
import path from 'node:path';
import * as vscode from 'vscode';
import { CELL_LANGUAGE, NOTEBOOK_TYPE } from '../../protocol/notebook.js';
import { artifactFolder, interruptSeconds, keepKernelMinutes, kernelConfig } from '../config.js';
import { COMMAND, CONTROLLER_ID } from '../ids.js';
import type { DeathReport } from '../kernelClient/death.js';
import { Connection } from '../kernelClient/connection.js';
import type { KernelPlace } from '../kernelClient/process.js';
import { isOurKernel, readRecord, readToken, runFolderOf } from '../kernelClient/runFolder.js';
import { NotebookSession, type SessionHost } from './session.js';

/** Folder of a notebook: its file's, else the workspace's, else the home. */
export function notebookFolderOf(notebook: vscode.NotebookDocument): string {
  if (notebook.uri.scheme === 'file') return path.dirname(notebook.uri.fsPath);
  return vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? process.env.HOME ?? process.cwd();
}

const isStopping = (session: NotebookSession): boolean => session.state === 'interrupting';

export class Sessions implements vscode.Disposable {
  private readonly sessions = new Map<string, NotebookSession>();
  private readonly controller: vscode.NotebookController;
  private readonly diagnostics = vscode.languages.createDiagnosticCollection('fgnb');
  private readonly disposables: vscode.Disposable[] = [];
  private readonly reapers = new Map<string, NodeJS.Timeout>();
  private readonly changeEmitter = new vscode.EventEmitter<NotebookSession>();
  private readonly attachEmitter = new vscode.EventEmitter<NotebookSession>();
  private readonly cellEndEmitter = new vscode.EventEmitter<NotebookSession>();
  /** State, memory or device of a session changed. */
  readonly onDidChange = this.changeEmitter.event;
  /** A session has its kernel: before any cell runs that waited for it. */
  readonly onDidAttach = this.attachEmitter.event;
  /** A cell of a session ended. */
  readonly onDidEndCell = this.cellEndEmitter.event;

  constructor(
    private readonly kernelFolder: string,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.controller = vscode.notebooks.createNotebookController(CONTROLLER_ID, NOTEBOOK_TYPE, 'Feature Geometry');
    this.controller.supportedLanguages = [CELL_LANGUAGE];
    this.controller.supportsExecutionOrder = true;
    this.controller.description = 'TypeScript cells, analysis kernel on this host';
    this.controller.executeHandler = (cells, notebook) => this.execute(cells, notebook);
    this.controller.interruptHandler = (notebook) => this.interrupt(this.sessions.get(notebook.uri.toString()));
    const isOurs = (notebook: vscode.NotebookDocument): boolean => notebook.notebookType === NOTEBOOK_TYPE;
    this.disposables.push(
      this.controller,
      this.diagnostics,
      this.changeEmitter,
      this.attachEmitter,
      this.cellEndEmitter,
      this.controller.onDidChangeSelectedNotebooks((e) => e.selected && this.reattach(e.notebook)),
      vscode.workspace.onDidOpenNotebookDocument((n) => isOurs(n) && this.opened(n)),
      vscode.workspace.onDidCloseNotebookDocument((n) => isOurs(n) && this.closed(n)),
      vscode.workspace.onDidGrantWorkspaceTrust(() =>
        vscode.workspace.notebookDocuments.filter(isOurs).forEach((n) => this.reattach(n)),
      ),
    );
    vscode.workspace.notebookDocuments.filter(isOurs).forEach((n) => this.opened(n));
  }

  /** The session of a notebook, made when first asked for. */
  of(notebook: vscode.NotebookDocument): NotebookSession {
    const key = notebook.uri.toString();
    let session = this.sessions.get(key);
    if (!session) {
      session = new NotebookSession(notebook, this.placeOf(notebook), this.host());
      this.sessions.set(key, session);
    }
    return session;
  }

  find(notebook: vscode.NotebookDocument | undefined): NotebookSession | undefined {
    return notebook && this.sessions.get(notebook.uri.toString());
  }

  all(): NotebookSession[] {
    return [...this.sessions.values()];
  }

  private placeOf(notebook: vscode.NotebookDocument): KernelPlace {
    const notebookFolder = notebookFolderOf(notebook);
    const name = notebook.uri.scheme === 'file' ? notebook.uri.fsPath : notebook.uri.toString();
    return {
      kernelFolder: this.kernelFolder,
      runFolder: runFolderOf(name),
      notebook: name,
      notebookFolder,
      artifactFolder: artifactFolder(kernelConfig(notebook.uri), notebookFolder),
    };
  }

  private host(): SessionHost {
    return {
      controller: this.controller,
      diagnostics: this.diagnostics,
      log: this.log,
      changed: (session) => this.changeEmitter.fire(session),
      attached: (session) => this.attachEmitter.fire(session),
      cellEnded: (session) => this.cellEndEmitter.fire(session),
      died: (session, report) => void this.reportDeath(session, report),
    };
  }

  private async reportDeath(session: NotebookSession, report: DeathReport): Promise<void> {
    const name = path.basename(session.notebook.uri.path);
    const restart = 'Restart Kernel';
    const showLog = 'Show Log';
    const text = `${name}: ${report.summary} ${report.cause}`;
    const choice = await vscode.window.showWarningMessage(text, restart, showLog);
    if (choice === restart) await session.restart();
    if (choice === showLog) await vscode.commands.executeCommand(COMMAND.showLog);
  }

  private execute(cells: readonly vscode.NotebookCell[], notebook: vscode.NotebookDocument): void {
    if (!vscode.workspace.isTrusted) {
      void vscode.window.showWarningMessage('Cells run with your rights: trust this workspace to run them.');
      return;
    }
    this.of(notebook).run(cells);
  }

  /** Stop: the first press asks the cell, a press while it is still stopping offers the restart. */
  interrupt(session: NotebookSession | undefined): void {
    if (!session) return;
    const again = isStopping(session);
    session.interrupt();
    if (again) void this.offerRestart(session);
    else if (isStopping(session))
      setTimeout(() => isStopping(session) && void this.offerRestart(session), interruptSeconds() * 1000);
  }

  private async offerRestart(session: NotebookSession): Promise<void> {
    const restart = 'Restart Kernel';
    const text =
      'The cell is still stopping: a native call returns only when it is done. Restarting stops it at once and loses the variables.';
    const choice = await vscode.window.showWarningMessage(text, restart, 'Keep Waiting');
    if (choice === restart && session.state !== 'idle') await session.restart();
  }

  private opened(notebook: vscode.NotebookDocument): void {
    clearTimeout(this.reapers.get(notebook.uri.toString()));
    this.reapers.delete(notebook.uri.toString());
    this.controller.updateNotebookAffinity(notebook, vscode.NotebookControllerAffinity.Preferred);
  }

  /** After a reload the kernel of a notebook may still run: follow it again. */
  private reattach(notebook: vscode.NotebookDocument): void {
    if (!vscode.workspace.isTrusted) return;
    const session = this.of(notebook);
    if (session.state !== 'none') return;
    session.kernel.attachExisting().catch((error: unknown) => this.log.warn(String(error)));
  }

  private closed(notebook: vscode.NotebookDocument): void {
    const key = notebook.uri.toString();
    const session = this.sessions.get(key);
    if (!session) return;
    this.sessions.delete(key);
    session.leave();
    this.changeEmitter.fire(session);
    this.reapLater(key, session);
  }

  /** A kernel whose notebook stays closed is stopped when it is idle. */
  private reapLater(key: string, session: NotebookSession): void {
    const minutes = Math.max(keepKernelMinutes(), 0.05);
    const reap = (): void => {
      this.reapers.delete(key);
      this.stopIfIdle(session).then(
        (stopped) => stopped || this.reapLater(key, session),
        (error: unknown) => this.log.warn(String(error)),
      );
    };
    this.reapers.set(key, setTimeout(reap, minutes * 60_000));
  }

  /** True when the kernel is gone; false when it is busy and goes on. */
  private async stopIfIdle(session: NotebookSession): Promise<boolean> {
    const folder = session.kernel.place.runFolder;
    const record = await readRecord(folder);
    if (!record || !(await isOurKernel(record.pid, folder))) return true;
    const token = await readToken(folder);
    const none = { message: () => undefined, closed: () => undefined };
    const o = { socket: record.socket, token, lastSeq: 0, timeoutMs: 3000 };
    const { connection, welcome } = await Connection.attach(o, none);
    connection.dispose();
    if (welcome.running !== undefined) return false;
    await session.kernel.shutdown();
    this.log.info(`Stopped kernel ${record.pid}: its notebook is closed and it was idle`);
    return true;
  }

  dispose(): void {
    for (const timer of this.reapers.values()) clearTimeout(timer);
    for (const session of this.sessions.values()) session.detach();
    this.sessions.clear();
    vscode.Disposable.from(...this.disposables).dispose();
  }
}
