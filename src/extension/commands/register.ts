/** Every command with what it does. A command that fails says why, once. */
import * as vscode from 'vscode';
import { VIEW_NAMES } from '../../protocol/views.js';
import type { DeviceChoice } from '../../protocol/device.js';
import { COMMAND, openCommand } from '../ids.js';
import type { CommandContext } from './context.js';
import { doctor, setUpGpu } from './hostCommands.js';
import * as convert from './convertCommands.js';
import * as kernel from './kernelCommands.js';
import * as notebook from './notebookCommands.js';

/** The first argument of a toolbar command is VS Code's own record: only plain values are ours. */
const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
/** A path, or the file that the explorer's menu was opened on. */
const fileOf = (value: unknown): string | undefined =>
  value instanceof vscode.Uri && value.scheme === 'file' ? value.fsPath : text(value);
const number = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);

export function registerCommands(context: CommandContext): vscode.Disposable {
  const table: Record<string, (...given: unknown[]) => unknown> = {
    [COMMAND.newNotebook]: () => notebook.newNotebook().then(() => undefined),
    [COMMAND.openSample]: (folder) => notebook.openSample(context, text(folder)),
    ...Object.fromEntries(
      VIEW_NAMES.map((view) => [
        openCommand(view),
        (index: unknown) => notebook.openView(context, view, number(index)),
      ]),
    ),
    [COMMAND.exportReport]: (target) => notebook.exportReport(context, text(target)),
    [COMMAND.exportJupyter]: (target) => convert.exportAs(context, '.ipynb', text(target)),
    [COMMAND.exportScript]: (target) => convert.exportAs(context, '.ts', text(target)),
    [COMMAND.importNotebook]: (source, target) => convert.importNotebook(context, fileOf(source), text(target)),
    [COMMAND.openFeatureById]: (feature) => notebook.openFeatureById(context, number(feature)),
    [COMMAND.restartKernel]: () => kernel.restartKernel(context).then(() => undefined),
    [COMMAND.restartAndRunAll]: () => kernel.restartAndRunAll(context),
    [COMMAND.interruptKernel]: () => kernel.interruptKernel(context),
    [COMMAND.selectDevice]: (device) => kernel.selectDevice(context, text(device) as DeviceChoice | undefined),
    [COMMAND.stopAllKernels]: (sure) => kernel.stopAllKernels(context, sure === true),
    [COMMAND.kernelMenu]: () => kernel.kernelMenu(context),
    [COMMAND.showLog]: () => kernel.showLog(context),
    [COMMAND.doctor]: () => doctor(context),
    [COMMAND.setUpGpu]: (device) => setUpGpu(context, text(device)),
  };
  const guarded =
    (action: (...given: unknown[]) => unknown) =>
    async (...given: unknown[]) => {
      try {
        return await Reflect.apply(action, undefined, given);
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        context.log.error(message);
        const showLog = 'Show Log';
        void vscode.window
          .showErrorMessage(message, showLog)
          .then((choice) => choice === showLog && context.log.show());
        return undefined;
      }
    };
  return vscode.Disposable.from(
    ...Object.entries(table).map(([id, action]) => vscode.commands.registerCommand(id, guarded(action))),
  );
}
