import { describe, expect, it } from 'vitest';
import { FrameDecoder } from '../../../src/protocol/frames.js';
import type { KernelMessage } from '../../../src/protocol/kernel.js';
import { Outbox } from '../../../src/kernel/session/outbox.js';

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

describe('outbox', () => {
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

  it('keeps to its limit by dropping the oldest text, with one notice and no gap in the numbers', () => {
    const outbox = new Outbox({ keptBytes: 20_000, creditBytes: 1e9 });
    outbox.add({ type: 'cell', execution: 'e', cellId: 'c', event: { kind: 'started', order: 1 } });
    for (let i = 0; i < 50; i++) outbox.add(stream('y'.repeat(1000)));
    outbox.add({ type: 'cell', execution: 'e', cellId: 'c', event: { kind: 'finished', status: 'ok', ms: 1 } });
    expect(outbox.keptBytes).toBeLessThan(21_000);
    const frames = drain(outbox);
    expect(frames.map((f) => f.seq)).toEqual(Array.from({ length: 52 }, (_, i) => i + 1));
    const kinds = frames.map(({ message }) => (message.type === 'cell' ? message.event.kind : ''));
    expect([kinds[0], kinds[51]]).toEqual(['started', 'finished']);
    const text = frames
      .map(({ message }) => (message.type === 'cell' && message.event.kind === 'stream' ? message.event.text : ''))
      .join('');
    expect(text.match(/output was dropped/g)).toHaveLength(1);
    expect(text.endsWith('y'.repeat(1000))).toBe(true);
  });
});
