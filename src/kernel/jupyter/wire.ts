/**
 * Messages of Jupyter's protocol 5.3 as ZeroMQ carries them (jupyter-client.readthedocs.io, "The wire protocol"):
 * `identities… <IDS|MSG> signature header parent_header metadata content buffers…`. Pure.
 */
import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { isJsonObject } from '../../protocol/objects.js';
import type { JsonObject } from '../../protocol/notebook.js';

export const JUPYTER_PROTOCOL = '5.3';
const DELIMITER = '<IDS|MSG>';
/** Signatures that are remembered, so that a recorded message cannot be sent a second time. */
const REMEMBERED = 65_536;
const SIGNED_PARTS = 4;

export interface Header extends JsonObject {
  msg_id: string;
  msg_type: string;
  session: string;
  username: string;
  date: string;
  version: string;
}

export interface Message {
  /** The sender: the routing prefix of ROUTER sockets. */
  identities: Buffer[];
  header: Header;
  metadata: JsonObject;
  content: JsonObject;
}

export interface Outgoing {
  /** Routing prefix, or the topic of a PUB socket. */
  identities: readonly Buffer[];
  type: string;
  parent: JsonObject;
  metadata?: JsonObject;
  content: JsonObject;
}

/** The received frames are no message, or their sender does not hold the key. */
export class WireError extends Error {}

const isHeader = (value: JsonObject): value is Header =>
  ['msg_id', 'msg_type', 'session'].every((key) => typeof value[key] === 'string');

function parsed(frame: Buffer, what: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(frame.toString('utf8'));
  } catch {
    throw new WireError(`its ${what} is no JSON`);
  }
  if (!isJsonObject(value)) throw new WireError(`its ${what} is no JSON object`);
  return value;
}

/** Signs, checks and reads messages with the connection's key. */
export class Wire {
  private readonly seen = new Set<string>();
  private readonly session = randomUUID();

  /** @param key the key of the connection file; never empty, or anyone on the machine could run code */
  constructor(
    private readonly key: string,
    private readonly algorithm: string,
  ) {}

  private sign(parts: readonly Buffer[]): string {
    const hmac = createHmac(this.algorithm, this.key);
    for (const part of parts) hmac.update(part);
    return hmac.digest('hex');
  }

  /** @throws WireError for the log when the frames are no message, or it cannot be trusted */
  read(frames: readonly Buffer[]): Message {
    const at = frames.findIndex((frame) => frame.toString('latin1') === DELIMITER);
    if (at < 0) throw new WireError(`it has no ${DELIMITER}`);
    const [signature, ...rest] = frames.slice(at + 1);
    if (rest.length < SIGNED_PARTS) throw new WireError(`it has ${rest.length} of ${SIGNED_PARTS} parts`);
    const parts = rest.slice(0, SIGNED_PARTS);
    const expected = Buffer.from(this.sign(parts), 'latin1');
    if (signature.length !== expected.length || !timingSafeEqual(signature, expected))
      throw new WireError('its signature is wrong');
    this.once(expected.toString('latin1'));
    const [header, , metadata, content] = ['header', 'parent header', 'metadata', 'content'].map((what, i) =>
      parsed(parts[i], what),
    );
    if (!isHeader(header)) throw new WireError('its header lacks msg_id, msg_type or session');
    return { identities: frames.slice(0, at), header, metadata, content };
  }

  private once(signature: string): void {
    if (this.seen.has(signature)) throw new WireError('it came before');
    this.seen.add(signature);
    if (this.seen.size > REMEMBERED) this.seen.delete(this.seen.values().next().value as string);
  }

  write({ identities, type, parent, metadata = {}, content }: Outgoing): Buffer[] {
    const header: Header = {
      msg_id: randomUUID(),
      msg_type: type,
      session: this.session,
      username: 'fgnb',
      date: new Date().toISOString(),
      version: JUPYTER_PROTOCOL,
    };
    const parts = [header, parent, metadata, content].map((part) => Buffer.from(JSON.stringify(part)));
    return [...identities, Buffer.from(DELIMITER), Buffer.from(this.sign(parts)), ...parts];
  }
}
