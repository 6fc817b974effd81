/**
 * The connection file that Jupyter writes for a kernel: the addresses to listen on, and the key that signs messages.
 */
import { getHashes } from 'node:crypto';
import { readText } from '../io/files.js';
import { isJsonObject } from '../../protocol/objects.js';

export const CHANNELS = ['shell', 'control', 'iopub', 'stdin', 'hb'] as const;
export type ChannelName = (typeof CHANNELS)[number];

export interface Connection {
  addresses: Readonly<Record<ChannelName, string>>;
  key: string;
  /** Name of the hash in Node: "sha256". */
  algorithm: string;
}

const isPort = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535;

/** @throws Error for the user when the text is no connection file, or would let anyone run code */
export function parseConnection(text: string, where: string): Connection {
  const wrong = (why: string): Error => new Error(`${where}: ${why}; expected a connection file of Jupyter`);
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    throw wrong('it is no JSON');
  }
  if (!isJsonObject(given)) throw wrong('it is no JSON object');
  const { transport = 'tcp', ip, key, signature_scheme: scheme = 'hmac-sha256' } = given;
  if (transport !== 'tcp' && transport !== 'ipc') throw wrong('transport must be "tcp" or "ipc"');
  if (typeof ip !== 'string' || !/^[\w.:*/\\~ -]+$/.test(ip)) throw wrong('ip must be an address');
  if (typeof key !== 'string' || key === '')
    throw new Error(`${where}: it has no key, so that anyone on this machine could run code; start Jupyter with one`);
  const algorithm = typeof scheme === 'string' && scheme.startsWith('hmac-') ? scheme.slice('hmac-'.length) : '';
  if (!getHashes().includes(algorithm)) throw wrong('signature_scheme must be hmac- and a hash, such as hmac-sha256');
  const addresses = Object.fromEntries(
    CHANNELS.map((name) => {
      const port = given[`${name}_port`];
      if (!isPort(port)) throw wrong(`${name}_port must be a port`);
      return [name, transport === 'tcp' ? `tcp://${ip}:${port}` : `ipc://${ip}-${port}`];
    }),
  ) as Record<ChannelName, string>;
  return { addresses, key, algorithm };
}

/** Reads a connection file. @throws as parseConnection */
export async function readConnection(file: string): Promise<Connection> {
  return parseConnection(await readText(file), file);
}
