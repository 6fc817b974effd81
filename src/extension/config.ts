/** Settings, read when they are needed so that a change applies to the next use. */
import { homedir } from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import { DEVICE_CHOICES, deviceOfNotebook, type DeviceChoice } from '../protocol/device.js';
import type { JsonObject } from '../protocol/notebook.js';
import { CONFIGURATION } from './ids.js';

export interface KernelConfig {
  nodePath: string;
  device: DeviceChoice;
  gpuFolder: string;
  heapSizeMb: number;
  environment: Record<string, string>;
  /** As set: empty, absolute, or relative to the notebook's folder. */
  artifactFolder: string;
}

function section(scope?: vscode.Uri): vscode.WorkspaceConfiguration {
  return vscode.workspace.getConfiguration(CONFIGURATION, scope);
}

/** A folder per host and user for GPU packages that are never bundled. */
function defaultGpuFolder(): string {
  const data = process.env.XDG_DATA_HOME || path.join(homedir(), '.local', 'share');
  return path.join(data, 'fgnb', 'gpu');
}

/** Settings that a kernel is started with; `scope` is the notebook. */
export function kernelConfig(scope?: vscode.Uri): KernelConfig {
  const c = section(scope);
  const device = c.get<string>('device', 'auto');
  return {
    nodePath: c.get<string>('nodePath', '').trim(),
    device: DEVICE_CHOICES.find((d) => d === device) ?? 'auto',
    gpuFolder: c.get<string>('gpuFolder', '').trim() || defaultGpuFolder(),
    heapSizeMb: c.get<number>('heapSizeMb', 0),
    environment: c.get<Record<string, string>>('environment', {}),
    artifactFolder: c.get<string>('artifactFolder', '').trim(),
  };
}

/** What a notebook's file has as its metadata. */
const metadataOf = (notebook: vscode.NotebookDocument): JsonObject =>
  (notebook.metadata as { metadata?: JsonObject }).metadata ?? {};

/** Whether the notebook itself says its device, whatever it says. */
export const namesDevice = (notebook: vscode.NotebookDocument): boolean => metadataOf(notebook).device !== undefined;

/** Settings of a notebook's kernel; the device is the notebook's own where it names one. `warn` hears of one that is none. */
export function notebookConfig(notebook: vscode.NotebookDocument, warn?: (problem: string) => void): KernelConfig {
  const config = kernelConfig(notebook.uri);
  try {
    return { ...config, device: deviceOfNotebook(metadataOf(notebook)) ?? config.device };
  } catch (error) {
    warn?.(`${(error as Error).message}. The setting is used: ${config.device}.`);
    return config;
  }
}

/** Stores the device in the notebook, from where it goes before the setting; undefined takes it out. */
export async function setNotebookDevice(
  notebook: vscode.NotebookDocument,
  device: DeviceChoice | undefined,
): Promise<void> {
  const { device: _, ...rest } = metadataOf(notebook);
  const metadata = device === undefined ? rest : { ...rest, device };
  const edit = new vscode.WorkspaceEdit();
  edit.set(notebook.uri, [vscode.NotebookEdit.updateNotebookMetadata({ ...notebook.metadata, metadata })]);
  await vscode.workspace.applyEdit(edit);
}

/** Where results are kept for a notebook in `notebookFolder`. */
export function artifactFolder(config: Pick<KernelConfig, 'artifactFolder'>, notebookFolder: string): string {
  return path.resolve(notebookFolder, config.artifactFolder || '.fgnb');
}

export const keepKernelMinutes = (): number => section().get<number>('keepKernelMinutes', 10);
export const interruptSeconds = (): number => section().get<number>('interruptSeconds', 5);
export const saveOutputs = (): boolean => section().get<boolean>('saveOutputs', true);
export const outputLimitBytes = (): number => section().get<number>('outputLimitKb', 2048) * 1024;

/** Stores the device for this workspace, or for the user when no folder is open. */
export async function setDevice(device: DeviceChoice): Promise<void> {
  const target = vscode.workspace.workspaceFolders?.length
    ? vscode.ConfigurationTarget.Workspace
    : vscode.ConfigurationTarget.Global;
  await section().update('device', device, target);
}
