/** Commands about this host: the doctor and GPU packages. */
import * as vscode from 'vscode';
import { kernelConfig, namesDevice, notebookConfig } from '../config.js';
import { notebookFolderOf } from '../notebook/controller.js';
import { activeNotebook } from '../views/activeNotebook.js';
import { runCli } from './cli.js';
import type { CommandContext } from './context.js';

/**
 * Runs `fgnb doctor` on the device of the notebook or the settings, shows its report and returns it. Where that device
 * cannot be used the reason stands first, then the report of what can.
 */
export async function doctor(context: CommandContext): Promise<string> {
  const notebook = activeNotebook();
  const folder = notebook
    ? notebookFolderOf(notebook)
    : (vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? process.cwd());
  context.doctor.clear();
  context.doctor.show(true);
  const editor = `${vscode.env.appName} ${vscode.version}, ${vscode.env.remoteName ? `remote (${vscode.env.remoteName})` : 'local'}`;
  context.doctor.appendLine(`editor    ${editor}`);
  const config = notebook ? notebookConfig(notebook) : kernelConfig();
  const whose = notebook && namesDevice(notebook) ? 'kept in this notebook' : 'by the settings';
  context.doctor.appendLine(`device    ${config.device}, ${whose}\n`);
  const report = (...more: string[]) =>
    runCli(['doctor', ...more], {
      kernelFolder: context.kernelFolder,
      config,
      cwd: folder,
      onOutput: (text) => context.doctor.append(text),
    });
  const result = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Window, title: 'Feature Geometry doctor' },
    async () => {
      const own = await report('--device', config.device);
      if (own.code === 0 || config.device === 'auto') return own;
      context.doctor.appendLine('');
      return report();
    },
  );
  if (result.code !== 0) context.doctor.appendLine(`\nThe doctor ended with exit code ${result.code}.`);
  return result.stdout;
}

const SETUP_ABOUT = {
  auto: 'what this host can do without an installation, else CUDA',
  webgpu: 'any GPU with current drivers; installs nothing',
  cuda: 'NVIDIA GPU without Vulkan; installs the package that fits the CUDA of this host',
} as const;
type SetupDevice = keyof typeof SETUP_ABOUT;

async function chooseSetup(): Promise<SetupDevice | undefined> {
  const items = (Object.keys(SETUP_ABOUT) as SetupDevice[]).map((label) => ({
    label,
    description: SETUP_ABOUT[label],
  }));
  return (await vscode.window.showQuickPick(items, { title: 'Set up which device on the machine where kernels run?' }))
    ?.label;
}

/**
 * Runs `fgnb gpu setup`: its plan first, then, with leave, the setup itself; both in Doctor's channel.
 * @param choice spares the quick pick
 * @returns the exit code; undefined where nobody agreed
 */
export async function setUpGpu(context: CommandContext, choice?: string): Promise<number | null | undefined> {
  const device = choice ?? (await chooseSetup());
  if (!device) return undefined;
  const run = (title: string, ...more: string[]) =>
    vscode.window.withProgress(
      { location: vscode.ProgressLocation.Notification, title, cancellable: true },
      (_, token) => {
        const abort = new AbortController();
        token.onCancellationRequested(() => abort.abort());
        return runCli(['gpu', 'setup', '--device', device, ...more], {
          kernelFolder: context.kernelFolder,
          config: kernelConfig(),
          cwd: vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? process.cwd(),
          onOutput: (text) => context.doctor.append(text),
          signal: abort.signal,
        });
      },
    );
  context.doctor.clear();
  context.doctor.show(true);
  const plan = await run('Looking at this host', '--dry-run');
  if (plan.code !== 0) {
    const text = `${device === 'auto' ? 'A GPU' : device} cannot be set up yet: the output says what is missing and what to do.`;
    void vscode.window.showWarningMessage(text);
    return plan.code;
  }
  const go = 'Set Up';
  const answer = await vscode.window.showWarningMessage(
    'Set up a GPU for Feature Geometry?',
    { modal: true, detail: plan.stdout },
    go,
  );
  if (answer !== go) return undefined;
  const done = await run('Setting up', '--yes');
  if (done.code === 0)
    void vscode.window.showInformationMessage('The device works. Restart running kernels to use it.');
  else void vscode.window.showErrorMessage('The device was not set up: the output says why and what to do.');
  return done.code;
}
