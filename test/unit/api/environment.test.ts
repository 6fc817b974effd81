import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Environment } from '#kernel/verb/environment.js';
import { breathe, checkAborted } from '#kernel/compute/call.js';
import { collectingContext, type CollectedContext } from '#test/kit/context.js';

let context: CollectedContext;
let env: Environment;
beforeEach(() => {
  context = collectingContext();
  env = new Environment(context);
});
afterEach(() => context.remove());

describe('paths in cells', () => {
  it('are hub ids unless they exist or are written as paths', () => {
    const { notebookFolder } = context;
    fs.mkdirSync(path.join(notebookFolder, 'models/tiny'), { recursive: true });
    const absolute = path.join(notebookFolder, 'models/tiny');
    expect(env.locate('models/tiny')).toBe(absolute);
    expect(env.locate(absolute)).toBe(absolute);
    expect(env.locate('roneneldan/TinyStories-1Layer-21M')).toBe('roneneldan/TinyStories-1Layer-21M');
    expect(env.locate('gpt2')).toBe('gpt2');
    // What is written as a path and is not there stays a path: its error names the file, nothing is downloaded.
    expect(env.locate('./gone/tiny')).toBe(path.join(notebookFolder, 'gone/tiny'));
    expect(env.locate('../gone')).toBe(path.join(path.dirname(notebookFolder), 'gone'));
    expect(env.locate('..')).toBe(path.dirname(notebookFolder));
    expect(env.locate('/gone/tiny')).toBe('/gone/tiny');
    expect(env.locate('~/gone')).toBe(path.join(os.homedir(), 'gone'));
    expect(env.locate('..hidden/x')).toBe('..hidden/x');
  });

  it('start at the notebook, and what is no path is refused', () => {
    expect(env.resolve('a/b')).toBe(path.join(context.notebookFolder, 'a/b'));
    expect(env.resolve('~user')).toBe(path.join(context.notebookFolder, '~user'));
    expect(() => env.resolve('')).toThrow('got an empty text');
    expect(() => env.locate(undefined as unknown as string)).toThrow('got undefined');
    expect(env.withCacheFolder({ cacheFolder: 'cache' }).cacheFolder).toBe(path.join(context.notebookFolder, 'cache'));
    expect(env.withCacheFolder({ cacheFolder: undefined })).toEqual({ cacheFolder: undefined });
  });
});

describe('long calls', () => {
  /** Runs until it is cancelled. */
  const endless = (options?: { signal?: AbortSignal }) =>
    env.call(options, async ({ signal, onProgress }) => {
      for (let done = 0; ; done++) {
        checkAborted(signal, 'endless call');
        onProgress({ label: 'running', done });
        await breathe();
      }
    });

  it("stop when the cell is interrupted or at the caller's own signal, and the progress line goes", async () => {
    const interrupted = endless();
    await breathe();
    context.interrupt();
    await expect(interrupted).rejects.toThrow('endless call was cancelled');
    expect(context.progressed[0]).toMatchObject({ label: 'running' });
    expect(context.progressed.at(-1)).toBeNull();

    const controller = new AbortController();
    const own = endless({ signal: controller.signal });
    await breathe();
    controller.abort();
    await expect(own).rejects.toThrow('cancelled');
  });

  it('do not start with a signal that is aborted already', async () => {
    let started = false;
    const call = env.call({ signal: AbortSignal.abort() }, () => Promise.resolve((started = true)));
    await expect(call).rejects.toMatchObject({ name: 'AbortError' });
    expect(started).toBe(false);
    expect(context.progressed.at(-1) ?? null).toBeNull();
  });

  it('of the next cell run after an interrupt', async () => {
    context.interrupt();
    await expect(env.call(undefined, ({ signal }) => Promise.resolve(signal.aborted))).resolves.toBe(false);
  });

  it("tell their progress to the cell and to the caller's own listener", async () => {
    const heard: number[] = [];
    const onProgress = ({ done }: { done: number }) => void heard.push(done);
    await env.call({ onProgress }, (call) => {
      call.onProgress({ label: 'x', done: 1 });
      return Promise.resolve();
    });
    expect(heard).toEqual([1]);
    expect(context.progressed).toEqual([{ label: 'x', done: 1 }, null]);
  });

  it('at once keep the progress line until the last one ends', async () => {
    let finish = (): void => undefined;
    const slow = env.call(undefined, () => new Promise<void>((resolve) => (finish = resolve)));
    await env.call(undefined, () => Promise.resolve());
    expect(context.progressed).toEqual([]);
    finish();
    await slow;
    expect(context.progressed).toEqual([null]);
  });
});
