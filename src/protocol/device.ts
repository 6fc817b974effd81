/**
 * Which device a kernel is asked for, and who says it: `--device` of a command, else the notebook itself
 * (`metadata.device`), else the editor's setting, else 'auto'.
 */
import type { JsonObject } from './notebook.js';

export const DEVICE_CHOICES = ['auto', 'cuda', 'webgpu', 'cpu'] as const;
export type DeviceChoice = (typeof DEVICE_CHOICES)[number];

const WORDS = `it must be one of ${DEVICE_CHOICES.join(', ')}`;
const known = (name: unknown): DeviceChoice | undefined => DEVICE_CHOICES.find((each) => each === name);

/** The --device option. @throws Error that names the choices. */
export function deviceChoice(name: string): DeviceChoice {
  const found = known(name);
  if (!found) throw new Error(`--device is ${name}; ${WORDS}`);
  return found;
}

/** The device that a notebook asks for. @throws Error that names the choices. */
export function deviceOfNotebook({ device }: JsonObject): DeviceChoice | undefined {
  if (device === undefined) return undefined;
  const found = known(device);
  if (!found) throw new Error(`the notebook's metadata.device is ${JSON.stringify(device)}; ${WORDS}`);
  return found;
}
