/** The picture of a UMAP while its points move. */
import { afterEach, describe, expect, it } from 'vitest';
import type { OutputItem } from '#protocol/notebook.js';
import { MIME } from '#protocol/mime.js';
import { AbortError } from '#kernel/compute/call.js';
import { matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { LiveLayout } from '#kernel/maps/liveLayout.js';
import { umap } from '#kernel/maps/umap.js';
import type { Environment } from '#kernel/verb/environment.js';

const cell = new AbortController();
const shown: Array<{ words: string; picture: string; displayId?: string }> = [];
// Of the environment, a picture needs the display and the signal alone.
const env = {
  context: {
    display: (items: OutputItem[], { displayId }: { displayId?: string } = {}) =>
      shown.push({
        words: [items.at(-1)?.text ?? ''].flat().join(''),
        picture: items.find(({ mime }) => mime === MIME.png)?.base64 ?? '',
        ...(displayId !== undefined && { displayId }),
      }),
    signal: () => cell.signal,
  },
} as unknown as Environment;

afterEach(() => {
  shown.length = 0;
});

describe('the moving picture of a UMAP', () => {
  const rows = matrix(300, 6, new Random(1).normals(new Float32Array(1800)));

  it('shows where points are, twice a second at most, in one output that the finished picture replaces', async () => {
    let now = 0;
    // Every look at the clock is 120 ms later.
    const live = new LiveLayout(env, () => (now += 120));
    const layout = await umap(rows, { nEpochs: 40, learningRate: 1 });
    const start = layout.coordinates;
    const at = (epoch: number): [Float32Array, 2] => [start.map((v, e) => v + ((epoch * e) % 7)), 2];
    for (let epoch = 0; epoch < 40; epoch++) live.onMoved(epoch, 40, () => at(epoch));
    live.end([{ mime: MIME.text, text: ['the map'] }]);
    const moving = shown.slice(0, -1);
    // After a second and a half, then every fifth look.
    expect(moving.length).toBe(6);
    expect(new Set(shown.map(({ displayId }) => displayId)).size).toBe(1);
    expect(shown[0].displayId).toBeDefined();
    expect(moving[0].words).toMatch(/^UMAP of 300 points, epoch \d+ of 40$/);
    const epochs = moving.map(({ words }) => Number(/epoch (\d+)/.exec(words)![1]));
    expect(epochs).toEqual([...epochs].sort((a, b) => a - b));
    expect(new Set(moving.map(({ picture }) => picture)).size).toBeGreaterThan(2);
    expect(shown.at(-1)!.words).toBe('the map');
  });

  it('is taken away when the layout is there: what shows it stands in its place, as where nothing was shown', () => {
    let now = 0;
    const live = new LiveLayout(env, () => (now += 400));
    for (let epoch = 0; epoch < 6; epoch++) live.onMoved(epoch, 6, () => [new Float32Array([0, 0, 1, epoch]), 2]);
    const [{ displayId }] = shown;
    expect(shown.length).toBeGreaterThan(1);
    live.done();
    expect(shown.at(-1)).toEqual({ words: '', picture: '', displayId });
  });

  it('is of the points as they are, and being watched changes no bit', async () => {
    const seen: Array<{ done: number; at: Float32Array }> = [];
    const watched = { onMoved: (done: number, _: number, positions: () => [Float32Array, 2 | 3]) => void seen.push({ done, at: positions()[0] }) }; // prettier-ignore
    const layout = await umap(rows, { nEpochs: 400, ...watched });
    expect(seen.at(-1)).toEqual({ done: 400, at: layout.coordinates });
    expect(layout.coordinates).toEqual((await umap(rows, { nEpochs: 400 })).coordinates);
  });

  it('of a layout that ends soon is not shown on its way', async () => {
    const live = new LiveLayout(env);
    await umap(rows, { nEpochs: 5, onMoved: live.onMoved });
    live.done();
    live.end([{ mime: MIME.text, text: ['the map'] }]);
    expect(shown).toEqual([{ words: 'the map', picture: '' }]);
  });

  it('of a layout that is stopped or fails keeps the last picture, with words below that say so', async () => {
    for (const [error, how] of [
      [new AbortError('UMAP'), 'stopped'],
      [new Error('no room'), 'failed'],
    ] as const) {
      let now = 0;
      const live = new LiveLayout(env, () => (now += 400));
      const stopped = live.during(() => {
        for (let epoch = 0; epoch < 10; epoch++) live.onMoved(epoch, 40, () => [new Float32Array([0, 0, 1, epoch]), 2]);
        return Promise.reject(error);
      });
      await expect(stopped).rejects.toBe(error);
      const [picture, words] = shown.slice(-2);
      expect(picture).toMatchObject({
        words: 'UMAP of 2 points, epoch 9 of 40',
        displayId: expect.any(String) as string,
      });
      expect(words).toEqual({ words: `UMAP of 2 points, epoch 9 of 40: ${how} there, the picture is not finished`, picture: '' }); // prettier-ignore
    }
    // One that had shown nothing leaves its error alone.
    shown.length = 0;
    await expect(new LiveLayout(env).during(() => Promise.reject(new AbortError('UMAP')))).rejects.toThrow('cancelled');
    expect(shown).toEqual([]);
  });
});
