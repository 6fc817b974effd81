/** Commands that act on kernels. */
import fs from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import { DEVICE_CHOICES, type DeviceChoice } from '../../protocol/device.js';
import { kernelConfig, namesDevice, notebookConfig, setDevice, setNotebookDevice } from '../config.js';
import { COMMAND } from '../ids.js';
import { killKernel } from '../kernelClient/process.js';
import { listKernels } from '../kernelClient/runFolder.js';
import { isAttached, STATE_TEXT } from '../kernelClient/state.js';
import type { NotebookSession } from '../notebook/session.js';
import { activeNotebook } from '../views/activeNotebook.js';
import { runCli } from './cli.js';
import type { CommandContext } from './context.js';

function requireSession(context: CommandContext): NotebookSession {
  const notebook = activeNotebook();
  if (!notebook) throw new Error('Open a .fgnb notebook first.');
  return context.sessions.of(notebook);
}

function requireTrust(): void {
  if (!vscode.workspace.isTrusted) throw new Error('The kernel runs with your rights: trust this workspace first.');
}

export async function restartKernel(context: CommandContext): Promise<NotebookSession> {
  requireTrust();
  const session = requireSession(context);
  await vscode.window.withProgress({ location: vscode.ProgressLocation.Window, title: 'Restarting kernel' }, () =>
    session.restart(),
  );
  return session;
}

export async function restartAndRunAll(context: CommandContext): Promise<void> {
  const session = await restartKernel(context);
  session.run(session.notebook.getCells().filter((cell) => cell.kind === vscode.NotebookCellKind.Code));
}

export function interruptKernel(context: CommandContext): void {
  context.sessions.interrupt(requireSession(context));
}

interface DeviceReason {
  device: string;
  chosen: boolean;
  reason: string;
}

/** The doctor's list of devices, wherever its report puts it. */
function reasonsIn(report: unknown): DeviceReason[] {
  if (typeof report !== 'object' || report === null) return [];
  const { reasons } = report as { reasons?: unknown };
  if (Array.isArray(reasons)) return reasons as DeviceReason[];
  return Object.values(report).reduce<DeviceReason[]>(
    (found, part) => (found.length > 0 ? found : reasonsIn(part)),
    [],
  );
}

async function deviceReasons(context: CommandContext, folder: string): Promise<DeviceReason[]> {
  if (!vscode.workspace.isTrusted) return [];
  const { stdout } = await runCli(['doctor', '--json'], {
    kernelFolder: context.kernelFolder,
    config: kernelConfig(),
    cwd: folder,
  });
  try {
    return reasonsIn(JSON.parse(stdout));
  } catch {
    return [];
  }
}

const ABOUT: Record<DeviceChoice, string> = {
  auto: 'the fastest that works, for each kind of work',
  cuda: 'NVIDIA GPU without Vulkan; Set Up GPU installs what it needs',
  webgpu: 'any GPU with current drivers',
  cpu: 'the embedded device, works everywhere',
};

interface DeviceItem extends vscode.QuickPickItem {
  device?: DeviceChoice;
  /** Another place is chosen for. */
  elsewhere?: true;
}

async function deviceItems(context: CommandContext, folder: string, current: DeviceChoice): Promise<DeviceItem[]> {
  const reasons = await deviceReasons(context, folder).catch((error: unknown) => {
    context.log.warn(`doctor: ${String(error)}`);
    return [];
  });
  return DEVICE_CHOICES.map((name) => {
    const known = reasons.find((r) => r.device === name);
    return {
      label: name,
      description: [ABOUT[name], name === current ? '(selected)' : ''].filter(Boolean).join(' '),
      detail: known && `${known.chosen ? '$(check)' : '$(circle-slash)'} ${known.reason}`,
      device: name,
    };
  });
}

/** The device, and whether the notebook or the settings keep it; undefined where nothing was chosen. */
async function pickDevice(
  context: CommandContext,
  { notebook, folder }: NotebookSession,
  current: DeviceChoice,
): Promise<{ device: DeviceChoice | undefined; inNotebook: boolean } | undefined> {
  const items = deviceItems(context, folder, current);
  let inNotebook = namesDevice(notebook);
  for (;;) {
    const other: DeviceItem = inNotebook
      ? { label: '$(settings-gear) Leave It to the Settings', description: 'takes the device out of this notebook' }
      : { label: '$(notebook) Keep a Device in This Notebook…', description: 'goes before the settings, and travels with the file' }; // prettier-ignore
    const separator: DeviceItem = { label: '', kind: vscode.QuickPickItemKind.Separator };
    const title = inNotebook ? 'Compute device of this notebook (kept in it)' : 'Compute device for this workspace';
    const shown = items.then((devices) => [...devices, separator, { ...other, elsewhere: true as const }]);
    const chosen = await vscode.window.showQuickPick(shown, { title });
    if (!chosen) return undefined;
    if (!chosen.elsewhere) return { device: chosen.device, inNotebook };
    if (inNotebook) return { device: undefined, inNotebook };
    inNotebook = true;
  }
}

/** `choice` spares the quick pick. Where the notebook names a device, it is that which changes. */
export async function selectDevice(context: CommandContext, choice?: DeviceChoice): Promise<void> {
  const session = requireSession(context);
  const { notebook } = session;
  const current = notebookConfig(notebook).device;
  const chosen = choice ? { device: choice, inNotebook: namesDevice(notebook) } : await pickDevice(context, session, current); // prettier-ignore
  if (!chosen) return;
  if (chosen.inNotebook) await setNotebookDevice(notebook, chosen.device);
  else if (chosen.device && chosen.device !== current) await setDevice(chosen.device);
  const { device } = notebookConfig(notebook);
  if (device === current) return;
  if (choice || !isAttached(session.state)) return;
  const restart = 'Restart Kernel';
  const text = `The kernel still uses ${session.kernel.device?.device ?? current}. Restart it to use ${device}? Variables are lost.`;
  if ((await vscode.window.showInformationMessage(text, restart)) === restart) await session.restart();
}

/** Stops every kernel of this user on this host, those of other windows included. Returns how many. */
export async function stopAllKernels(context: CommandContext, sure = false): Promise<number> {
  const kernels = await listKernels();
  if (kernels.length === 0) {
    if (!sure) void vscode.window.showInformationMessage('No kernel is running on this host.');
    return 0;
  }
  if (!sure) {
    const stop = 'Stop All';
    const names = kernels.map(({ record }) => `${path.basename(record.notebook)} (process ${record.pid})`).join('\n');
    const answer = await vscode.window.showWarningMessage(
      `Stop ${kernels.length} kernel${kernels.length === 1 ? '' : 's'} on this host? Variables are lost.`,
      { modal: true, detail: names },
      stop,
    );
    if (answer !== stop) return 0;
  }
  await Promise.all(context.sessions.all().map((session) => session.shutdown()));
  for (const { folder, record } of kernels) await killKernel(record.pid, folder);
  return kernels.length;
}

/** What a click on the status bar offers. */
export async function kernelMenu(context: CommandContext): Promise<void> {
  const session = context.sessions.find(activeNotebook());
  const state = session?.state ?? 'none';
  const busy = state === 'busy' || state === 'interrupting';
  const items: Array<vscode.QuickPickItem & { command: string }> = [
    ...(busy ? [{ label: '$(debug-stop) Interrupt', command: COMMAND.interruptKernel }] : []),
    { label: '$(debug-restart) Restart Kernel', command: COMMAND.restartKernel },
    { label: '$(run-all) Restart Kernel and Run All', command: COMMAND.restartAndRunAll },
    {
      label: '$(circuit-board) Select Device',
      description: session?.kernel.device?.device,
      command: COMMAND.selectDevice,
    },
    { label: '$(pulse) Doctor', command: COMMAND.doctor },
    { label: '$(output) Show Log', command: COMMAND.showLog },
    { label: '$(trash) Stop All Kernels', command: COMMAND.stopAllKernels },
  ];
  const chosen = await vscode.window.showQuickPick(items, { title: `Kernel: ${STATE_TEXT[state]}` });
  if (chosen) await vscode.commands.executeCommand(chosen.command);
}

/** Shows our log, and the kernel's own file beside it when there is one. */
export async function showLog(context: CommandContext): Promise<void> {
  context.log.show(true);
  const session = context.sessions.find(activeNotebook());
  const file = session && path.join(session.kernel.place.runFolder, 'kernel.log');
  if (!file) return;
  const size = await fs.stat(file).then(
    (s) => s.size,
    () => 0,
  );
  if (size > 0) context.log.info(`The kernel's own log: ${file} (${size} bytes)`);
}
