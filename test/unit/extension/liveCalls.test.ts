import { describe, expect, it } from 'vitest';
import { LIVE_GONE, type LiveCall } from '#protocol/live.js';
import { liveCalls, tellSelections, type LiveSession } from '#extension/panels/liveCalls.js';

const session = (folder: string, state: string, views: Record<string, string>): LiveSession => ({
  folder,
  state,
  kernel: {
    live: ({ view, method }) =>
      view in views
        ? views[view] === 'fails'
          ? Promise.reject(new Error('no such feature'))
          : Promise.resolve(`${views[view]} ${method}`)
        : Promise.reject(new Error(`${LIVE_GONE}: run its cell`)),
  },
});
const call = (view: string) => ({ view, method: 'run', params: null });

describe('live calls', () => {
  const calls = liveCalls(() => [
    session('/a', 'idle', { one: 'first' }),
    session('/a', 'busy', { two: 'second', bad: 'fails' }),
    session('/a', 'dead', { three: 'third' }),
    session('/b', 'idle', { four: 'fourth' }),
  ]);

  it('reach the kernel of the folder that has the view', async () => {
    expect(await calls.call('/a', call('one'))).toBe('first run');
    expect(await calls.call('/a', call('two'))).toBe('second run');
  });

  it('find no view of another folder, nor of a kernel that is gone', async () => {
    await expect(calls.call('/a', call('four'))).rejects.toThrow(LIVE_GONE);
    await expect(calls.call('/a', call('three'))).rejects.toThrow(LIVE_GONE);
  });

  it('pass the words of an error on', async () => {
    await expect(calls.call('/a', call('bad'))).rejects.toThrow('no such feature');
  });

  it('do not wait for another kernel of the folder that is blocked', async () => {
    const blocked: LiveSession = {
      ...session('/a', 'busy', {}),
      kernel: { live: () => new Promise(() => undefined) },
    };
    const beside = liveCalls(() => [blocked, session('/a', 'idle', {}), session('/a', 'idle', { one: 'third' })]);
    expect(await beside.call('/a', call('one'))).toBe('third run');
  });

  it('tell every kernel of the folder that is there what is selected in its views', async () => {
    const told: string[] = [];
    const hears = (folder: string, state: string, name: string): LiveSession => ({
      ...{ folder, state },
      kernel: { live: ({ view, params }) => Promise.resolve(void told.push(`${name} ${view} ${JSON.stringify(params)}`) as never) }, // prettier-ignore
    });
    const selection = {
      source: 'v',
      kind: 'light' as const,
      sets: [{ sae: 's', features: [3], side: 'A' }],
      label: 'x',
    };
    const all = [hears('/a', 'idle', 'one'), hears('/a', 'busy', 'two'), hears('/a', 'dead', 'three'), hears('/b', 'idle', 'four')]; // prettier-ignore
    await liveCalls(() => all).tellSelection('/a', selection);
    expect(told).toEqual(['one', 'two'].map((name) => `${name} selection ${JSON.stringify(selection)}`));
  });

  it('tell a kernel that is just there all that is selected, after what it knew is forgotten', async () => {
    const told: string[] = [];
    const kernel = { live: ({ view, method, params }: LiveCall) => Promise.resolve(void told.push(`${view} ${method} ${JSON.stringify(params)}`) as never) }; // prettier-ignore
    const lit = (source: string) => ({
      source,
      kind: 'light' as const,
      sets: [{ sae: 's', features: [3] }],
      label: '',
    });
    await tellSelections({ kernel }, [lit('v'), lit('w')]);
    const words = ['v', 'w'].map((source) => `selection light ${JSON.stringify(lit(source))}`);
    expect(told).toEqual(['selection reset null', ...words]);
  });

  it('tell what the kernel does that answered for the view, not what others of the folder do', async () => {
    const all = [session('/a', 'idle', { one: 'first' }), session('/a', 'busy', { two: 'second' })];
    const routed = liveCalls(() => all);
    expect(routed.state('/a', 'one')).toBe('busy');
    await routed.call('/a', call('one'));
    await routed.call('/a', call('two'));
    expect([routed.state('/a', 'one'), routed.state('/a', 'two')]).toEqual(['idle', 'busy']);
    all.shift();
    await expect(routed.call('/a', call('one'))).rejects.toThrow(LIVE_GONE);
  });

  it('of a view that nobody answered for, what the kernels of the folder do', () => {
    expect(['/a', '/b', '/c'].map((folder) => calls.state(folder, 'x'))).toEqual(['busy', 'idle', 'none']);
  });
});
