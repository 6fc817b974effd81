/** Settings, read when they are needed so that a change applies to the next use. */
import { homedir } from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import { CONFIGURATION } from './ids.js';

export const DEVICES = ['auto', 'cuda', 'webgpu', 'cpu'] as const;
export type DeviceChoice = (typeof DEVICES)[number];

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
    device: DEVICES.find((d) => d === device) ?? 'auto',
    gpuFolder: c.get<string>('gpuFolder', '').trim() || defaultGpuFolder(),
    heapSizeMb: c.get<number>('heapSizeMb', 0),
    environment: c.get<Record<string, string>>('environment', {}),
    artifactFolder: c.get<string>('artifactFolder', '').trim(),
  };
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
