import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LIVE_GONE, LIVE_SUPERSEDED } from '#protocol/live.js';
import type { Json } from '#protocol/notebook.js';
import { ensureKernelBuilt, startKernel, type KernelProcess, type TestClient } from '#test/kit/kernel.js';

let kernel: KernelProcess;
let client: TestClient;
let next = 1000;

/** Sends a call; resolves with its one reply: the value, or the error after "!". */
async function ask(view: string, method: string, params: Json = null): Promise<Json> {
  const id = next++;
  client.send({ type: 'request', id, method: 'live', params: { view, method, params } });
  const reply = await client.until(
    () =>
      client.received.flatMap(({ message }) => (message.type === 'reply' && message.id === id ? [message] : [])).at(0),
    30_000,
    `reply to ${method}`,
  );
  return reply.ok ? reply.value : `!${reply.error}`;
}

const REGISTER = `
let asked = [], running = 0, together = 0, ended = 0
live('view', async (method, params, signal) => {
  asked.push(method + ' ' + params)
  together = Math.max(together, ++running)
  try {
    if (method === 'double') return params * 2
    if (method === 'slow') { await new Promise((r) => setTimeout(r, 150)); return params }
    if (method === 'spin') for (;;);
    if (method === 'wait' || method === 'hear')
      return await new Promise((resolve, reject) => {
        if (params === 'now') resolve('done')
        signal.addEventListener('abort', () => { ended++; reject(new Error('stopped')) })
      })
    if (method === 'deaf') return params === 'now' ? 'heard' : await new Promise(() => undefined)
    if (method === 'nothing') return undefined
    throw new RangeError('no method ' + method)
  } finally { running-- }
})
const kept = 42`;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const value = async (source: string): Promise<string | undefined> => (await client.run(source)).shown;

beforeAll(async () => {
  ensureKernelBuilt();
  // Bare: only a bare kernel lends cells `live()`, by which they make views of their own.
  kernel = await startKernel({ bare: true });
  client = await kernel.connect();
  await client.run(REGISTER);
});
afterAll(() => kernel.stop());

describe('live views of the kernel', () => {
  it('answer, with null for nothing and with the words of an error', async () => {
    expect(await ask('view', 'double', 21)).toBe(42);
    expect(await ask('view', 'nothing')).toBe(null);
    expect(await ask('view', 'other')).toBe('!no method other');
  });

  it('that the session does not have are said to be gone', async () => {
    expect(await ask('another', 'double', 1)).toMatch(new RegExp(`^!${LIVE_GONE}: run its cell`));
  });

  it('answer behind a running cell, and never two at once', async () => {
    const cell = client.begin('await new Promise((r) => setTimeout(r, 400)); asked.length');
    await client.started(cell);
    const order: string[] = [];
    const noted = (method: string, params?: Json) => ask('view', method, params).finally(() => order.push(method));
    const answers = [noted('slow', 1), noted('double', 4), noted('nothing')];
    expect((await client.finished(cell).finally(() => order.push('cell'))).status).toBe('ok');
    expect(await Promise.all(answers)).toEqual([1, 8, null]);
    expect(order[0]).toBe('cell');
    expect(await value('together')).toBe('1');
  });

  it('run the newest of the calls that wait; the others are told', async () => {
    await client.run('asked = []');
    const cell = client.begin('await new Promise((r) => setTimeout(r, 300))');
    await client.started(cell);
    const answers = await Promise.all([1, 2, 3, 4].map((n) => ask('view', 'double', n)));
    expect(answers).toEqual([`!${LIVE_SUPERSEDED}`, `!${LIVE_SUPERSEDED}`, `!${LIVE_SUPERSEDED}`, 8]);
    expect(await value('asked.join()')).toBe("'double 4'");
  });

  it('tell a running call by its signal that a newer one waits', async () => {
    const first = ask('view', 'wait');
    await pause(300);
    expect(await ask('view', 'wait', 'now')).toBe('done');
    expect(await first).toBe(`!${LIVE_SUPERSEDED}`);
  });

  it('give way to another method of the same view, and run again behind it', async () => {
    await client.run('asked = []; ended = 0');
    const first = ask('view', 'hear');
    await pause(300);
    expect(await ask('view', 'double', 8)).toBe(16);
    await pause(200);
    expect(await ask('view', 'hear', 'now')).toBe('done');
    expect(await first).toBe(`!${LIVE_SUPERSEDED}`);
    expect(await value('asked.join()')).toBe("'hear null,double 8,hear null,hear now'");
  });

  it('make way for a cell, and run again behind it', async () => {
    await client.run('asked = []; ended = 0');
    const answer = ask('view', 'hear');
    await pause(300);
    expect(await value('asked.length + " " + ended')).toBe("'1 1'");
    await pause(300);
    expect(await value('asked.length + " " + ended')).toBe("'2 2'");
    client.send({ type: 'interrupt' });
    expect(await answer).toBe('!Interrupted');
  });

  it('that do not hear their signal hold no cell up for long', async () => {
    const answer = ask('view', 'deaf');
    await pause(300);
    expect(await value('kept')).toBe('42');
    client.send({ type: 'interrupt' });
    expect(await answer).toBe('!Interrupted');
  });

  it('that loop are stopped by an interrupt; variables stay', async () => {
    const answer = ask('view', 'spin');
    await pause(200);
    client.send({ type: 'interrupt' });
    expect(await answer).toBe('!Interrupted');
    expect(await value('kept')).toBe('42');
    expect(await ask('view', 'double', 5)).toBe(10);
  });

  it('go on after a cell that failed', async () => {
    const cell = client.begin('await new Promise((r) => setTimeout(r, 200)); throw new Error("no")');
    await client.started(cell);
    const answer = ask('view', 'double', 7);
    expect((await client.finished(cell)).status).toBe('error');
    expect(await answer).toBe(14);
  });
});
