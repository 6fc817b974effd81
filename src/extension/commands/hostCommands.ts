/** Commands about this host: the doctor and GPU packages. */
import fs from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import { kernelConfig } from '../config.js';
import { notebookFolderOf } from '../notebook/controller.js';
import { activeNotebook } from '../views/activeNotebook.js';
import { runCli } from './cli.js';
import type { CommandContext } from './context.js';

/** Runs `fgnb doctor`, shows its report and returns it. */
export async function doctor(context: CommandContext): Promise<string> {
  const notebook = activeNotebook();
  const folder = notebook
    ? notebookFolderOf(notebook)
    : (vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? process.cwd());
  context.doctor.clear();
  context.doctor.show(true);
  const editor = `${vscode.env.appName} ${vscode.version}, ${vscode.env.remoteName ? `remote (${vscode.env.remoteName})` : 'local'}`;
  context.doctor.appendLine(`editor    ${editor}\n`);
  const result = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Window, title: 'Feature Geometry doctor' },
    () =>
      runCli(['doctor'], {
        kernelFolder: context.kernelFolder,
        config: kernelConfig(notebook?.uri),
        cwd: folder,
        onOutput: (text) => context.doctor.append(text),
      }),
  );
  if (result.code !== 0) context.doctor.appendLine(`\nThe doctor ended with exit code ${result.code}.`);
  return result.stdout;
}

const GPU_PACKAGE = '@tensorflow/tfjs-node-gpu@4.22.0';

/** Installs the CUDA build of TensorFlow.js for this host, in a terminal where everything can be seen. */
export async function setUpGpu(): Promise<void> {
  const { gpuFolder } = kernelConfig();
  const install = 'Install';
  const detail = [
    `Runs "npm install ${GPU_PACKAGE}" in ${gpuFolder}, on the machine where kernels run.`,
    'npm downloads the package from the npm registry; its install script downloads libtensorflow 2.9.1 with CUDA support (about 400 MB) from storage.googleapis.com.',
    'It needs an NVIDIA driver, CUDA 11.2 and cuDNN 8.1 on the host. Nothing is added to your notebooks or projects.',
  ].join('\n\n');
  const answer = await vscode.window.showWarningMessage(
    'Set up CUDA for Feature Geometry?',
    { modal: true, detail },
    install,
  );
  if (answer !== install) return;
  await fs.mkdir(gpuFolder, { recursive: true });
  const manifest = path.join(gpuFolder, 'package.json');
  await fs
    .writeFile(manifest, '{ "private": true, "description": "GPU packages of Feature Geometry Notebooks" }\n', {
      flag: 'wx',
    })
    .catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  const terminal = vscode.window.createTerminal({ name: 'Feature Geometry: GPU', cwd: gpuFolder });
  terminal.show();
  terminal.sendText(`npm install ${GPU_PACKAGE} && echo "Done: run the command Doctor, then restart the kernel."`);
}
