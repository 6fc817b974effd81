import fs from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { LanguageClient } from '#extension/language/client.js';
import { testFolder } from '#test/kit/folder.js';

/** A worker that echoes, fails, and dies on request. */
const WORKER = `
const { parentPort, workerData } = require('node:worker_threads');
parentPort.on('message', ({ id, method, params }) => {
  if (params[0] === 'die') process.exit(3);
  if (params[0] === 'throw') return parentPort.postMessage({ id, error: 'no such thing' });
  if (params[0] === 'crash') throw new Error('out of order');
  if (params[0] !== 'silent') parentPort.postMessage({ id, result: { method, typesFolder: workerData.typesFolder } });
});`;

const clients: LanguageClient[] = [];
function setUp(): { client: LanguageClient; lines: string[]; restarts: () => number; folder: string } {
  const folder = testFolder('client');
  fs.mkdirSync(path.join(folder, 'dist/extension'), { recursive: true });
  fs.writeFileSync(path.join(folder, 'dist/extension/languageWorker.cjs'), WORKER);
  const lines: string[] = [];
  const add =
    (level: string) =>
    (message: string): void =>
      void lines.push(`${level} ${message}`);
  let restarts = 0;
  const log = { info: add('info'), warn: add('warn'), error: add('error') };
  const client = new LanguageClient(folder, log, () => restarts++);
  clients.push(client);
  return { client, lines, restarts: () => restarts, folder };
}

afterEach(() => {
  clients.splice(0).forEach((client) => client.stop());
});

describe('the client of the language worker', () => {
  it('starts the worker with the shipped types and passes answers on', async () => {
    const { client, folder } = setUp();
    expect(await client.ask('close', 'x')).toEqual({
      method: 'close',
      typesFolder: path.join(folder, 'dist', 'types'),
    });
  });

  it('answers undefined and logs when a question fails', async () => {
    const { client, lines } = setUp();
    expect(await client.ask('close', 'throw')).toBeUndefined();
    expect(lines).toEqual(['warn language worker, close: no such thing']);
    expect(await client.ask('close', 'x')).toBeDefined();
  });

  it('starts a dead worker again, once', async () => {
    const { client, lines, restarts } = setUp();
    const waiting = client.ask('close', 'silent');
    expect(await client.ask('close', 'die')).toBeUndefined();
    // Questions that the dead worker had do not hang.
    expect(await waiting).toBeUndefined();
    expect(restarts()).toBe(1);
    expect(await client.ask('close', 'x')).toBeDefined();
    expect(await client.ask('close', 'crash')).toBeUndefined();
    expect(restarts()).toBe(1);
    expect(await client.ask('close', 'x')).toBeUndefined();
    expect(lines.map((line) => line.split('\n')[0])).toEqual([
      'warn language worker ended (code 3); starting it again',
      'error language worker: Error: out of order',
      expect.stringMatching(/^error language worker ended again/),
    ]);
  });

  it('stops quietly and can be asked again', async () => {
    const { client, lines } = setUp();
    await client.ask('close', 'x');
    const waiting = client.ask('close', 'silent');
    client.stop();
    expect(await waiting).toBeUndefined();
    expect(await client.ask('close', 'x')).toBeDefined();
    expect(lines).toEqual([]);
  });
});
