import { describe, expect, it } from 'vitest';
import { encodeFrame, FRAME_LIMITS, frameBytes, FrameDecoder } from '#protocol/frames.js';
import type { KernelMessage } from '#protocol/kernel.js';
import { ENTRY_BYTES, Outbox } from '#kernel/session/outbox.js';

const stream = (text: string, execution = 'e'): KernelMessage => ({
  type: 'cell',
  execution,
  cellId: 'c',
  event: { kind: 'stream', name: 'stdout', text },
});

/** Takes all that the client has credit for. */
function drain(outbox: Outbox): Array<{ seq: number; message: KernelMessage }> {
  const decoder = new FrameDecoder<KernelMessage>();
  const frames = [];
  for (let pieces = outbox.take(); pieces; pieces = outbox.take())
    for (const piece of pieces) frames.push(...decoder.push(piece));
  return frames;
}

describe('the outbox of the kernel', () => {
  it('numbers messages and gives each once', () => {
    const outbox = new Outbox();
    for (let i = 0; i < 3; i++) outbox.add(stream(`${i}`));
    expect(drain(outbox).map((f) => f.seq)).toEqual([1, 2, 3]);
    expect(drain(outbox)).toEqual([]);
  });

  it('sends again what a new client has not got', () => {
    const outbox = new Outbox();
    for (let i = 0; i < 5; i++) outbox.add(stream(`${i}`));
    drain(outbox);
    outbox.acknowledge(1);
    outbox.restart(3);
    expect(drain(outbox).map((f) => f.seq)).toEqual([4, 5]);
    outbox.acknowledge(5);
    expect(outbox.keptBytes).toBe(0);
    outbox.restart(0);
    expect(drain(outbox)).toEqual([]);
  });

  it('waits for credit, and one message may be larger than it', () => {
    const outbox = new Outbox({ keptBytes: 1e6, creditBytes: 1000 });
    outbox.add(stream('x'.repeat(5000)));
    outbox.add(stream('small'));
    expect(drain(outbox).map((f) => f.seq)).toEqual([1]);
    outbox.acknowledge(1);
    expect(drain(outbox).map((f) => f.seq)).toEqual([2]);
  });

  it('never waits for a client that acknowledges every quarter of its credit', () => {
    const outbox = new Outbox({ keptBytes: 1e6, creditBytes: 4000 });
    outbox.add(stream('x'.repeat(900)));
    outbox.add(stream('y'.repeat(3900)));
    expect(drain(outbox).map((f) => f.seq)).toEqual([1, 2]);
  });

  it('gives credit to the byte: a client that owes exactly its credit waits, one byte less and it does not', () => {
    const bytes = frameBytes(encodeFrame(1, stream('x'.repeat(500))));
    for (const [creditBytes, sent] of [
      [2 * bytes, [1, 2]],
      [2 * bytes + 1, [1, 2, 3]],
      [2 * bytes - 1, [1, 2]],
    ] as const) {
      const outbox = new Outbox({ keptBytes: 1e6, creditBytes });
      for (let i = 0; i < 4; i++) outbox.add(stream('x'.repeat(500)));
      expect(drain(outbox).map((f) => f.seq)).toEqual(sent);
      outbox.acknowledge(1);
      expect(drain(outbox).map((f) => f.seq)).toEqual([sent.length + 1]);
    }
  });

  it('keeps to its limit by dropping the oldest text, with one notice that counts what is gone', () => {
    const outbox = new Outbox({ keptBytes: 40_000, creditBytes: 1e9 });
    outbox.add({ type: 'cell', execution: 'e', cellId: 'c', event: { kind: 'started', order: 1 } });
    for (let i = 0; i < 50; i++) outbox.add(stream('y'.repeat(1000)));
    outbox.add({ type: 'cell', execution: 'e', cellId: 'c', event: { kind: 'finished', status: 'ok', ms: 1 } });
    expect(outbox.keptBytes).toBeLessThan(41_000);
    const frames = drain(outbox);
    const numbers = frames.map((f) => f.seq);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect([numbers[0], numbers.at(-1)]).toEqual([1, 52]);
    const kinds = frames.map(({ message }) => (message.type === 'cell' ? message.event.kind : ''));
    expect([kinds[0], kinds.at(-1)]).toEqual(['started', 'finished']);
    const text = frames
      .map(({ message }) => (message.type === 'cell' && message.event.kind === 'stream' ? message.event.text : ''))
      .join('');
    const kept = text.split('y'.repeat(1000)).length - 1;
    expect(kept).toBeGreaterThan(10);
    expect(text.match(/output was dropped here: (\d+) messages/g)).toEqual([
      `output was dropped here: ${50 - kept} messages`,
    ]);
    expect(text.endsWith('y'.repeat(1000))).toBe(true);
  });

  it('keeps few of very many small messages: each counts with what it takes besides its text', () => {
    const outbox = new Outbox({ keptBytes: 1e6, creditBytes: 1e9 });
    for (let i = 0; i < 50_000; i++) outbox.add(stream(`${i}`, `e${i % 3}`));
    expect(outbox.keptMessages).toBeLessThan(1e6 / ENTRY_BYTES + 4);
    expect(drain(outbox).at(-1)?.seq).toBe(50_000);
    outbox.acknowledge(50_000);
    expect([outbox.keptBytes, outbox.keptMessages]).toEqual([0, 0]);
  });

  it('drops progress without a word, and large answers with one', () => {
    const outbox = new Outbox({ keptBytes: 100_000, creditBytes: 1e9 });
    outbox.add({ type: 'reply', id: 7, ok: true, value: 'v'.repeat(50_000) });
    outbox.add({ type: 'reply', id: 8, ok: true, value: 'small' });
    for (let done = 0; done < 200; done++)
      outbox.add({
        type: 'cell',
        execution: 'e',
        cellId: 'c',
        event: { kind: 'progress', progress: { label: 'train', done } },
      });
    const messages = drain(outbox).map((f) => f.message);
    expect(messages[0]).toMatchObject({ type: 'reply', id: 7, ok: false, error: expect.stringMatching(/49 KB/) });
    expect(messages[1]).toMatchObject({ type: 'reply', id: 8, ok: true });
    expect(messages.slice(2).every((m) => m.type === 'cell' && m.event.kind === 'progress')).toBe(true);
    expect(outbox.keptBytes).toBeLessThanOrEqual(100_000);
  });

  it('says in the cell what has no frame, and refuses such an answer', () => {
    const outbox = new Outbox();
    const huge = 'x'.repeat(FRAME_LIMITS.headerBytes + 1);
    outbox.add(stream(huge));
    outbox.add({ type: 'reply', id: 3, ok: true, value: huge });
    const loop: { self?: unknown } = {};
    loop.self = loop;
    outbox.add({ type: 'reply', id: 4, ok: true, value: loop as never });
    const [cell, ...replies] = drain(outbox).map((f) => f.message);
    expect(cell).toMatchObject({
      event: { name: 'stderr', text: expect.stringMatching(/over the limit of 67108864/) },
    });
    expect(replies).toMatchObject([
      { id: 3, ok: false, error: expect.stringMatching(/over the limit/) },
      { id: 4, ok: false, error: expect.stringMatching(/circular/) },
    ]);
  });

  it('sends a notice again to a client that comes back, and counts on from there', () => {
    const outbox = new Outbox({ keptBytes: 20_000, creditBytes: 3000 });
    for (let i = 0; i < 30; i++) outbox.add(stream('z'.repeat(1000)));
    const textOf = (frames: ReturnType<typeof drain>): string => JSON.stringify(frames.map((f) => f.message));
    const first = drain(outbox);
    expect(textOf(first)).toMatch(/output was dropped here/);
    outbox.restart(0);
    expect(drain(outbox)).toEqual(first);
    outbox.acknowledge(first[1].seq);
    for (let i = 0; i < 30; i++) outbox.add(stream('z'.repeat(1000)));
    outbox.acknowledge(first.at(-1)?.seq ?? 0);
    expect(textOf(drain(outbox)).match(/output was dropped here/g)).toHaveLength(1);
  });
});
