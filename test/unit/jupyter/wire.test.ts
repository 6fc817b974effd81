import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseConnection } from '#kernel/jupyter/connection.js';
import { Wire } from '#kernel/jupyter/wire.js';

const header = { msg_id: 'm', msg_type: 'execute_request', session: 's' };

/** Frames as a client signs them, apart from the code under test. */
function frames(parts: unknown[], key = 'secret', identities = ['client']): Buffer[] {
  const texts = parts.map((part) => (typeof part === 'string' ? part : JSON.stringify(part)));
  const signature = createHmac('sha256', key).update(texts.join('')).digest('hex');
  return [...identities, '<IDS|MSG>', signature, ...texts].map((text) => Buffer.from(text));
}

describe("messages of Jupyter's protocol", () => {
  it('are read when the key signed them, with the identities that lead to their sender', () => {
    const { identities, content } = new Wire('secret', 'sha256').read(frames([header, {}, {}, { code: '1 ≠ 2' }]));
    expect(identities.map(String)).toEqual(['client']);
    expect(content).toEqual({ code: '1 ≠ 2' });
  });

  it('are written so that another holder of the key reads them', () => {
    const sent = new Wire('secret', 'sha256').write({
      identities: [Buffer.from('a')],
      type: 'status',
      parent: header,
      content: { execution_state: 'idle' },
    });
    const read = new Wire('secret', 'sha256').read(sent);
    expect(read).toMatchObject({
      header: { msg_type: 'status', version: '5.3' },
      content: { execution_state: 'idle' },
    });
    expect(JSON.parse(String(sent[4]))).toEqual(header);
    expect(() => new Wire('other', 'sha256').read(sent)).toThrow('its signature is wrong');
  });

  it.each([
    ['another key', frames([header, {}, {}, {}], 'other'), 'its signature is wrong'],
    ['no signature', frames([header, {}, {}, {}]).with(2, Buffer.alloc(0)), 'its signature is wrong'],
    ['changed content', frames([header, {}, {}, { a: 1 }]).with(6, Buffer.from('{"a":2}')), 'its signature is wrong'],
    ['no delimiter', [Buffer.from('x')], 'it has no <IDS|MSG>'],
    ['missing parts', frames([header, {}]), 'it has 2 of 4 parts'],
    ['nothing', [], 'it has no <IDS|MSG>'],
    ['no JSON', frames([header, {}, {}, '{']), 'its content is no JSON'],
    ['a list', frames([header, {}, [], {}]), 'its metadata is no JSON object'],
    ['a header without a type', frames([{ msg_id: 'm', session: 's' }, {}, {}, {}]), 'its header lacks'],
  ])('are refused with %s', (_, given, why) => {
    expect(() => new Wire('secret', 'sha256').read(given)).toThrow(why);
  });

  it('are taken once', () => {
    const wire = new Wire('secret', 'sha256');
    const given = frames([header, {}, {}, {}]);
    wire.read(given);
    expect(() => wire.read(given)).toThrow('it came before');
  });
});

describe('connection files', () => {
  const ports = { shell_port: 1, control_port: 2, iopub_port: 3, stdin_port: 4, hb_port: 65535 };
  const file = (changes: object): string =>
    JSON.stringify({
      transport: 'tcp',
      ip: '127.0.0.1',
      key: 'k',
      signature_scheme: 'hmac-sha256',
      ...ports,
      ...changes,
    });

  it('give the five addresses, over tcp and ipc', () => {
    expect(parseConnection(file({}), 'f')).toEqual({
      addresses: {
        shell: 'tcp://127.0.0.1:1',
        control: 'tcp://127.0.0.1:2',
        iopub: 'tcp://127.0.0.1:3',
        stdin: 'tcp://127.0.0.1:4',
        hb: 'tcp://127.0.0.1:65535',
      },
      key: 'k',
      algorithm: 'sha256',
    });
    expect(parseConnection(file({ transport: 'ipc', ip: '/tmp/k' }), 'f').addresses.hb).toBe('ipc:///tmp/k-65535');
  });

  it.each([
    [{ key: '' }, 'f: it has no key, so that anyone on this machine could run code'],
    [{ signature_scheme: 'none' }, 'f: signature_scheme must be hmac- and a hash'],
    [{ signature_scheme: 'hmac-nothing' }, 'f: signature_scheme must be hmac- and a hash'],
    [{ transport: 'http' }, 'f: transport must be "tcp" or "ipc"'],
    [{ hb_port: '1' }, 'f: hb_port must be a port'],
    [{ shell_port: 65_536 }, 'f: shell_port must be a port'],
    [{ ip: 7 }, 'f: ip must be an address'],
  ])('are refused with %j', (changes, why) => {
    expect(() => parseConnection(file(changes), 'f')).toThrow(why);
  });

  it('are refused when they are none', () => {
    expect(() => parseConnection('[]', 'f')).toThrow('f: it is no JSON object; expected a connection file of Jupyter');
    expect(() => parseConnection('{', 'f')).toThrow('f: it is no JSON');
  });
});
