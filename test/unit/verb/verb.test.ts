import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { DISPLAY, textItem } from '#kernel/present/items.js';
import { KEPT, seed, thing, words } from '#kernel/verb/common.js';
import { Environment } from '#kernel/verb/environment.js';
import { bind, namespace } from '#kernel/verb/namespace.js';
import { whole } from '#kernel/verb/option.js';
import { syncVerb, verb } from '#kernel/verb/verb.js';
import { collectingContext, type CollectedContext } from '#test/kit/context.js';

await initDevice({ device: 'cpu' });
let context: CollectedContext;
let env: Environment;
let made: number;
let failing: boolean;
beforeEach(() => {
  context = collectingContext();
  env = new Environment(context);
  made = 0;
  failing = false;
});
afterEach(() => context.remove());

const numbersArg = thing<{ n: number[] }, number[]>('data', 'Numbers.', ({ n }, at) => {
  if (!Array.isArray(n)) throw new TypeError(`${at} must be { n: numbers }`);
  return n;
});
const total = verb({
  doc: 'Sums.',
  args: [numbersArg],
  options: { times: whole({ doc: 'Times.', min: 1, default: 1 }), seed: seed('Of nothing.'), ...KEPT },
  check({ times }, n) {
    if (times > n.length) throw new RangeError(`times is ${times} but there are ${n.length} numbers`);
  },
  async run({ options, call, remember }, n) {
    call.onProgress({ label: 'Sum', done: 0, total: n.length });
    let sum = 0;
    for (const [i, each] of n.entries()) {
      call.signal.throwIfAborted();
      if (failing && i === 2) throw new Error('stopped');
      sum += await remember(`run ${i}`, () => Promise.resolve((made++, each * options.times)));
    }
    return { sum };
  },
  keep: { kind: 'total', version: 1, what: 'Total', resume: true, inputs: (_, n) => ({ n: n.join() }) },
  show: ({ sum }, { options }, n) => [textItem(`${n.length} numbers × ${options.times}: ${sum}`)],
});
const named = syncVerb({ doc: 'Names.', args: [words('name', 'A name.')], run: (_, name) => ({ name }) });
const room = namespace({ name: 'room', doc: 'Room.', example: '', verbs: { total, named } });
const data = { n: [1, 2, 3] };

describe('a declared verb', () => {
  it('refuses in one order: arguments, options, what must hold between them; nothing is begun', async () => {
    const fg = bind(env, room);
    const call = (...given: unknown[]): Promise<unknown> =>
      (fg.total as (...a: unknown[]) => Promise<unknown>)(...given);
    await expect(call(undefined, { x: 1 })).rejects.toThrow(
      'fg.room.total: data is undefined: pass the object that fg returned',
    );
    await expect(call(Promise.resolve(data))).rejects.toThrow('data is a promise: write "await" before the call');
    await expect(call({ m: 1 })).rejects.toThrow('fg.room.total: data must be { n: numbers }');
    await expect(call(data, { x: 1 })).rejects.toThrow('fg.room.total has no option "x"');
    await expect(call(data, { times: 0 })).rejects.toThrow('times is 0; expected a whole number of at least 1');
    await expect(call(data, { times: 4 })).rejects.toThrow('times is 4 but there are 3 numbers');
    await expect(call(data, {}, { runs: 3 })).rejects.toThrow(
      'fg.room.total takes (data, options) but got 3 arguments, the last an object; all options go into one object',
    );
    expect(context.progressed).toEqual([]);
    expect(await env.store.list()).toEqual([]);
    expect(() => fg.named(3 as never)).toThrow('fg.room.named: name is number; expected text');
    expect(fg.named('a')).toEqual({ name: 'a' });
  });

  it('keeps its result: the same call loads it and says so, fresh makes it again', async () => {
    const fg = bind(env, room);
    const first = await fg.total(data, { times: 2 });
    expect(first).toEqual({ sum: 12 });
    expect(await fg.total(data, { times: 2, signal: new AbortController().signal })).toEqual(first);
    expect(made).toBe(3);
    expect(context.printed.join()).toMatch(/Total: loaded from cache \(.*\); \{ fresh: true \} computes it again/);
    await fg.total(data, { times: 2, fresh: true });
    expect(made).toBe(6);
    const [record] = await env.store.list();
    expect(record).toMatchObject({ kind: 'total', parameters: { times: 2 }, inputs: { n: '1,2,3' }, codeVersion: 1 });
    await fg.total(data, { seed: 0 });
    expect((await env.store.list()).map((r) => r.parameters)).toContainEqual({ seed: 0 });
  });

  it('is cancelled with the cell and by its own signal, clears its progress line, and goes on where it was', async () => {
    const fg = bind(env, room);
    failing = true;
    await expect(fg.total(data)).rejects.toThrow('stopped');
    expect(context.progressed.at(-1)).toBe(null);
    failing = false;
    expect(await fg.total(data)).toEqual({ sum: 6 });
    expect(made).toBe(3);
    expect(context.printed.join()).toContain('going on after 2 finished runs');
    const stop = new AbortController();
    stop.abort(new Error('no more'));
    await expect(fg.total({ n: [5] }, { signal: stop.signal })).rejects.toThrow('call was cancelled');
  });

  it('has its result shown, loaded or made', async () => {
    const fg = bind(env, room);
    for (let i = 0; i < 2; i++) {
      const result = (await fg.total(data)) as unknown as { [DISPLAY]: () => Array<{ text: string[] }> };
      expect(result[DISPLAY]()[0].text).toEqual(['3 numbers × 1: 6']);
    }
  });
});
