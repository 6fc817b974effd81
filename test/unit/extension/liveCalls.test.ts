import { describe, expect, it } from 'vitest';
import { LIVE_GONE } from '../../../src/protocol/live.js';
import { liveCalls, type LiveSession } from '../../../src/extension/panels/liveCalls.js';

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

  it('tell what the kernels of a folder do', () => {
    expect([calls.state('/a'), calls.state('/b'), calls.state('/c')]).toEqual(['busy', 'idle', 'none']);
  });
});
