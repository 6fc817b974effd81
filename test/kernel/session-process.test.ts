import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureKernelBuilt, startKernel, TestClient, type KernelProcess } from '#test/kit/kernel.js';

let kernel: KernelProcess;
beforeAll(async () => {
  ensureKernelBuilt();
  kernel = await startKernel();
});
afterAll(() => kernel.stop());

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('the kernel process', () => {
  it('listens on a private socket that the lock file names', async () => {
    const mode = (file: string): number => fs.statSync(file).mode & 0o777;
    const lockFile = path.join(kernel.runFolder, 'kernel.json');
    expect(mode(lockFile)).toBe(0o600);
    expect(mode(kernel.lock.socket)).toBe(0o600);
    expect(kernel.lock).toMatchObject({
      pid: kernel.child.pid,
      version: expect.stringMatching(/^\d/),
      session: expect.any(String),
    });
  });

  it('welcomes a client and refuses a wrong token, an old protocol and noise', async () => {
    const client = await kernel.connect();
    const welcome = await client.until(() => client.received[0]?.message);
    expect(welcome).toMatchObject({
      type: 'welcome',
      protocol: 1,
      pid: kernel.child.pid,
      session: kernel.lock.session,
    });
    for (const token of ['', 'wrong', kernel.token.slice(1), `${kernel.token}x`]) {
      const stranger = await TestClient.connect(kernel.lock.socket, token);
      await stranger.until(() => stranger.closed, 5000, 'close').catch(() => undefined);
      expect(stranger.closed).toBe(true);
      expect(stranger.received).toEqual([]);
    }
    const noisy = await TestClient.connect(kernel.lock.socket, 'x');
    noisy.socket.write(Buffer.alloc(100, 0xff));
    await noisy.until(() => noisy.closed).catch(() => undefined);
    expect(noisy.closed).toBe(true);
    expect(client.closed).toBe(false);
    expect((await client.run('1 + 1')).shown).toBe('2');
    client.close();
  });

  it('lets a second client take over', async () => {
    const first = await kernel.connect();
    await first.run('const shared = 5');
    const second = await kernel.connect(first.lastSeq);
    await first.until(() => first.closed, 5000).catch(() => undefined);
    expect(first.closed).toBe(true);
    expect((await second.run('shared')).shown).toBe('5');
    second.close();
  });

  it('replays to a reconnecting client all that it missed, once and in order', async () => {
    const first = await kernel.connect();
    const execution = first.begin(
      'for (let i = 0; i < 40; i++) { console.log("line " + i); await new Promise((r) => setTimeout(r, 30)) }; "done"',
    );
    await first.until(() => first.text(execution).includes('line 3'));
    const before = first.received.filter((r) => r.seq > 0);
    first.close();
    await pause(500);
    const second = await kernel.connect(first.lastSeq);
    const welcome = await second.until(() => second.received[0]?.message);
    expect(welcome).toMatchObject({ type: 'welcome', running: execution });
    await second.finished(execution);
    expect(second.shown(execution)).toBe("'done'");
    const lines = (first.text(execution) + second.text(execution)).trim().split('\n');
    expect(lines).toEqual(Array.from({ length: 40 }, (_, i) => `line ${i}`));
    const all = [...before, ...second.received.filter((r) => r.seq > 0)].map((r) => r.seq);
    expect(all).toEqual(all.map((_, i) => all[0] + i));
    second.close();
  });

  it('runs on while no client is there and keeps the result', async () => {
    const first = await kernel.connect();
    const execution = first.begin(
      'await new Promise((r) => setTimeout(r, 300)); globalThis.away = 7; "finished alone"',
    );
    await first.started(execution);
    first.close();
    await pause(800);
    const second = await kernel.connect(first.lastSeq);
    await second.finished(execution, 3000);
    expect(second.shown(execution)).toBe("'finished alone'");
    second.close();
  });

  it('sends 100,000 lines as few messages, capped, with the whole text in a file', async () => {
    const client = await kernel.connect();
    const execution = client.begin(
      'for (let i = 0; i < 100_000; i++) console.log(`line ${i} ${"x".repeat(30)}`)',
      'many lines',
    );
    await client.finished(execution, 60_000);
    const streams = client.events(execution).filter((e) => e.kind === 'stream');
    expect(streams.length).toBeLessThan(200);
    const text = client.text(execution);
    expect(text.length).toBeLessThan(2.2 * 2 ** 20);
    expect(text.startsWith('line 0 x')).toBe(true);
    expect(text.endsWith(`line 99999 ${'x'.repeat(30)}\n`)).toBe(true);
    const [, file] = /goes to (\S+);/.exec(client.text(execution, 'stderr')) ?? [];
    const lines = fs.readFileSync(file, 'utf8').trimEnd().split('\n');
    expect(lines).toHaveLength(100_000);
    expect(lines[50_000]).toBe(`line 50000 ${'x'.repeat(30)}`);
    client.close();
  });

  it('does not grow for a client that never acknowledges', async () => {
    const slow = await kernel.connect();
    slow.acknowledge = false;
    const source = `const D = Symbol.for('fgnb.display')
      for (let i = 0; i < 3; i++) console.log(i)
      ;({ [D]: () => [{ mime: 'application/octet-stream', base64: Buffer.alloc(6 * 2 ** 20, 1).toString('base64') }] })`;
    const executions = Array.from({ length: 8 }, () => slow.begin(source));
    await pause(4000);
    const got = slow.received.filter(({ buffers }) => buffers.length > 0).length;
    expect(got).toBeGreaterThan(0);
    expect(got).toBeLessThan(8);
    slow.acknowledge = true;
    slow.send({ type: 'ack', seq: slow.lastSeq });
    await slow.finished(executions[7]);
    expect(slow.received.filter(({ buffers }) => buffers[0]?.length === 6 * 2 ** 20)).toHaveLength(8);
    slow.close();
  });

  it("answers for variables and completions without running the user's code", async () => {
    const client = await kernel.connect();
    await client.run(`let touched = 0
      const trap = { get secret() { touched++; return 1 }, plain: { deep: 2 } }
      const proxy = new Proxy({}, { get() { touched++ }, getPrototypeOf() { touched++; return null }, ownKeys() { touched++; return [] } })
      const m = { rows: 2, cols: 3, data: new Float32Array(6) }`);
    const variables = (await client.request('variables')) as Array<{ name: string }>;
    expect(variables.find((v) => v.name === 'm')).toMatchObject({ shape: [2, 3], dtype: 'Float32Array', bytes: 24 });
    expect(variables.map((v) => v.name)).toEqual(expect.arrayContaining(['trap', 'proxy', 'touched']));
    expect(await client.request('complete', { expression: 'trap' })).toEqual(['secret', 'plain']);
    expect(await client.request('complete', { expression: 'trap.plain' })).toEqual(['deep']);
    expect(await client.request('complete', { expression: 'trap.secret' })).toEqual([]);
    expect(await client.request('complete', { expression: 'touched++' })).toEqual([]);
    expect((await client.run('touched')).shown).toBe('0');
    client.close();
  });

  it('keeps going after errors that nobody caught', async () => {
    const client = await kernel.connect();
    await client.run(
      'setTimeout(() => { throw new Error("stray timer") }, 5); Promise.reject(new Error("stray promise")); 0',
    );
    await client.until(
      () =>
        client.received.filter(
          ({ message }) => message.type === 'cell' && message.event.kind === 'error' && message.event.late,
        ).length === 2,
    );
    expect((await client.run('6 * 7')).shown).toBe('42');
    client.close();
  });

  it('shares no names with another kernel', async () => {
    const other = await startKernel();
    const [a, b] = [await kernel.connect(), await other.connect()];
    await a.run('const mine = 1');
    expect((await b.run('typeof mine')).shown).toBe("'undefined'");
    a.close();
    await other.stop();
  });

  it('closes the connection when it is killed', async () => {
    const other = await startKernel();
    const client = await other.connect();
    const execution = client.begin('for (;;) {}');
    await client.started(execution);
    other.child.kill('SIGKILL');
    await client.until(() => client.closed, 5000).catch(() => undefined);
    expect(client.closed).toBe(true);
    expect(await other.exited).toBe('SIGKILL');
    await other.stop();
  });

  it('shuts down on request, even from a busy loop, and takes its files away', async () => {
    const other = await startKernel();
    const client = await other.connect();
    await client.started(client.begin('for (;;) {}'));
    client.send({ type: 'shutdown' });
    await other.exited;
    expect(fs.existsSync(path.join(other.runFolder, 'kernel.json'))).toBe(false);
    expect(fs.existsSync(other.lock.socket)).toBe(false);
    await other.stop();
  });

  it('starts itself again with the flag that interrupts need', async () => {
    const other = await startKernel({ flags: [] });
    const client = await other.connect();
    const execution = client.begin('await new Promise((r) => setTimeout(() => { for (;;); }, 1))');
    await client.started(execution);
    await pause(100);
    client.send({ type: 'interrupt' });
    expect((await client.finished(execution)).status).toBe('interrupted');
    client.send({ type: 'shutdown' });
    expect(await other.exited).toBe(0);
    await other.stop();
  });
});
