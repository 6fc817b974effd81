import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureKernelBuilt, startKernel, type KernelProcess, type TestClient } from '#test/kit/kernel.js';

let kernel: KernelProcess;
let client: TestClient;

beforeAll(async () => {
  ensureKernelBuilt();
  kernel = await startKernel();
  client = await kernel.connect();
  await client.run('const big = new Float32Array(1e6).fill(2); let ticks = 0');
});
afterAll(() => kernel.stop());

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Starts a cell, lets it get going, interrupts it; how it ended. */
async function interrupted(source: string): Promise<string> {
  const execution = client.begin(source);
  await client.started(execution);
  await pause(150);
  client.send({ type: 'interrupt' });
  return (await client.finished(execution, 15_000)).status;
}

const LOOPS: Array<[string, string]> = [
  ['a busy loop', 'while (true) {}'],
  ['a busy loop after an await', 'await 0; while (true) {}'],
  ['a loop of microtasks', 'while (true) await null'],
  ['an idle wait', 'await new Promise(() => {})'],
  ['a busy timer callback', 'await new Promise((r) => setTimeout(() => { while (true) {} }, 5))'],
  ['a loop that catches everything', 'for (;;) { try { for (;;); } catch {} }'],
  ['a busy loop in a promise callback', 'await Promise.resolve().then(() => { for (;;); })'],
  ['a busy loop in a finally', 'try { throw 1 } finally { for (;;); }'],
  ['a loop that prints', 'for (let i = 0; ; i++) console.log("line", i)'],
  ['a loop over timers', 'for (;;) { ticks++; await new Promise((r) => setTimeout(r, 1)) }'],
  ['a loop over immediates', 'for (;;) { ticks++; await new Promise((r) => setImmediate(r)) }'],
];

describe('an interrupt of a cell', () => {
  it.each(LOOPS)('stops %s and keeps variables', async (_, source) => {
    expect(await interrupted(source)).toBe('interrupted');
    expect((await client.run('big[3] + big.length')).shown).toBe('1000002');
  });

  it('ends what the stopped cell still had in timers', async () => {
    await interrupted(
      'setInterval(() => ticks++, 1); for (;;) { ticks++; await new Promise((r) => setTimeout(r, 1)) }',
    );
    // Calls that clean up when their signal is aborted have two seconds.
    await pause(2200);
    const before = (await client.run('ticks')).shown;
    await pause(100);
    expect((await client.run('ticks')).shown).toBe(before);
  });

  it('stops five cells one after the other', async () => {
    for (let i = 0; i < 5; i++) expect(await interrupted('for (;;) {}')).toBe('interrupted');
    expect((await client.run('big[3]')).shown).toBe('2');
  });

  it('may be asked for twice, and when nothing runs', async () => {
    client.send({ type: 'interrupt' });
    const execution = client.begin('for (;;) {}');
    await client.started(execution);
    await pause(100);
    client.send({ type: 'interrupt' });
    client.send({ type: 'interrupt' });
    expect((await client.finished(execution)).status).toBe('interrupted');
    client.send({ type: 'interrupt' });
    await pause(200);
    expect((await client.run('1 + 1')).shown).toBe('2');
  });

  it('drops the cells that wait', async () => {
    const running = client.begin('for (;;) {}');
    const waiting = client.begin('globalThis.waited = true');
    await client.started(running);
    await pause(100);
    client.send({ type: 'interrupt' });
    expect((await client.finished(running)).status).toBe('interrupted');
    expect((await client.finished(waiting)).status).toBe('interrupted');
    expect((await client.run('typeof waited')).shown).toBe("'undefined'");
  });

  it('survives garbage collection afterwards', async () => {
    await interrupted('await 0; for (;;) {}');
    const ran = await client.run('for (let i = 0; i < 300; i++) new Array(1e5).fill(i); big[3]');
    expect(ran.shown).toBe('2');
  });

  it('tells the cell and leaves no stack of ours', async () => {
    const execution = client.begin('for (;;) {}');
    await client.started(execution);
    client.send({ type: 'interrupt' });
    await client.finished(execution);
    const error = client.events(execution).find((event) => event.kind === 'error');
    expect(error).toMatchObject({ name: 'Interrupted', stack: [] });
  });

  it('leaves heartbeats alive while a cell spins', async () => {
    const execution = client.begin('for (;;) {}');
    await client.started(execution);
    const count = client.received.filter(({ message }) => message.type === 'heartbeat').length;
    const beat = await client.until(
      () =>
        client.received
          .map((r) => r.message)
          .filter((m) => m.type === 'heartbeat')
          .slice(count)[1],
      15_000,
      'heartbeat',
    );
    expect(beat.type === 'heartbeat' && beat.busyMs).toBeGreaterThan(1500);
    expect(beat.type === 'heartbeat' && beat.memory.rssBytes).toBeGreaterThan(1e7);
    client.send({ type: 'interrupt' });
    expect((await client.finished(execution)).status).toBe('interrupted');
  });
});
