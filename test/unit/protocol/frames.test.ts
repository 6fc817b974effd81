import { describe, expect, it } from 'vitest';
import { encodeFrame, FRAME_LIMITS, frameBytes, FrameDecoder, FrameError, type Frame } from '#protocol/frames.js';

function whole(pieces: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces));
}

const messages = [
  { seq: 0, message: { type: 'ack' }, buffers: [] },
  { seq: 1, message: { text: 'é 日本 😀 \ud800 \u0000' }, buffers: [new Uint8Array([1, 2, 3])] },
  {
    seq: 2,
    message: { a: [1, null] },
    buffers: [new Uint8Array(0), new Uint8Array(70_000).fill(7), new Uint8Array(0)],
  },
  { seq: Number.MAX_SAFE_INTEGER, message: {}, buffers: [] },
] satisfies Array<Frame<object>>;

const stream = whole(messages.flatMap((f) => encodeFrame(f.seq, f.message, f.buffers)));

function decode(pieces: Iterable<Uint8Array>): Frame<unknown>[] {
  const decoder = new FrameDecoder();
  const frames: Frame<unknown>[] = [];
  for (const piece of pieces) frames.push(...decoder.push(piece));
  return frames;
}

/** A prefix as a hostile peer could send it. */
function prefix(header: number, ...lengths: number[]): Uint8Array {
  return new Uint8Array(new Uint32Array([header, lengths.length, ...lengths]).buffer);
}

describe('frames of the protocol', () => {
  it('come out as they went in, whatever the size of the pieces', () => {
    for (const size of [1, 2, 3, 7, 8, 9, 64, 4096, stream.length]) {
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < stream.length; at += size) pieces.push(stream.subarray(at, at + size));
      expect(decode(pieces)).toEqual(messages);
    }
  });

  it('do not keep the memory of the pieces', () => {
    const piece = stream.slice();
    const [, second] = decode([piece]);
    piece.fill(0);
    expect(second.buffers[0]).toEqual(new Uint8Array([1, 2, 3]));
  });

  it('do not copy the buffers on the way out', () => {
    const buffer = new Uint8Array([9]);
    expect(encodeFrame(1, {}, [buffer])[1]).toBe(buffer);
  });

  it('send the view, not the memory behind it', () => {
    const view = new Uint8Array(new ArrayBuffer(100), 10, 2);
    view.set([5, 6]);
    const pieces = encodeFrame(3, {}, [view]);
    expect(decode([whole(pieces)])[0].buffers[0]).toEqual(new Uint8Array([5, 6]));
    expect(frameBytes(pieces)).toBe(12 + '{"seq":3,"message":{}}'.length + 2);
  });

  it('are refused by size before their memory is taken', () => {
    const before = process.memoryUsage().arrayBuffers;
    for (const bytes of [prefix(2 ** 32 - 1), prefix(2, 2 ** 32 - 1), prefix(2, 2 ** 29, 2 ** 29, 1)]) {
      expect(() => decode([bytes])).toThrow(FrameError);
    }
    const many = prefix(2);
    new DataView(many.buffer).setUint32(4, 1025, true);
    expect(() => decode([many])).toThrow(/1025 buffers/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 24);
  });

  it('are refused when the header is not a message', () => {
    const frame = (header: string) => Buffer.concat([prefix(Buffer.byteLength(header)), Buffer.from(header)]);
    for (const header of [
      '',
      '{',
      'null',
      '[]',
      '{"seq":1}',
      '{"seq":-1,"message":{}}',
      '{"seq":1.5,"message":{}}',
      '{"seq":1,"message":3}',
    ]) {
      expect(() => decode([frame(header)])).toThrow(FrameError);
    }
    const invalid = Buffer.from([0xff, 0xfe]);
    expect(() => decode([Buffer.concat([prefix(2), invalid])])).toThrow(/UTF-8/);
  });

  it('stay refused after an error', () => {
    const decoder = new FrameDecoder();
    expect(() => [...decoder.push(prefix(2 ** 31))]).toThrow(FrameError);
    expect(() => [...decoder.push(stream)]).toThrow(FrameError);
  });

  it('obey the limits that the decoder is given', () => {
    const decoder = new FrameDecoder({ headerBytes: 30, buffers: 0, totalBytes: 30 });
    const small = whole(encodeFrame(1, {}));
    expect([...decoder.push(small)]).toHaveLength(1);
    decoder.setLimits(FRAME_LIMITS);
    expect([...decoder.push(stream)]).toHaveLength(messages.length);
  });

  it('are not written beyond the limits', () => {
    const limits = { headerBytes: 40, buffers: 1, totalBytes: 50 };
    expect(() => encodeFrame(1, { text: 'x'.repeat(50) }, [], limits)).toThrow(FrameError);
    expect(() => encodeFrame(1, {}, [new Uint8Array(30)], limits)).toThrow(FrameError);
    expect(() => encodeFrame(1, {}, [new Uint8Array(1), new Uint8Array(1)], limits)).toThrow(FrameError);
  });
});
