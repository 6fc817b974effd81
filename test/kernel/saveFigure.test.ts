/** fg.show.map(…).save in a cell: the picture beside the notebook, by the drawer of the built kernel. */
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { freshFg } from '#test/kit/fg.js';

const world = freshFg();
const rows = Array.from({ length: 30 }, (_, i) => [Math.sin(i), Math.cos(i / 2), i / 30]);

test('a map is saved as SVG and as PNG of the scale that is asked for; other endings and scales are refused', async () => {
  const { fg, context } = world;
  const map = await fg.show.map(await fg.maps.pca(rows), { title: 'Thirty <rows>' });
  const svg = fs.readFileSync(await map.save('fig.svg'), 'utf8');
  expect(svg).toContain('Thirty &lt;rows&gt;');
  expect(svg.match(/<circle/g)!.length).toBeGreaterThanOrEqual(30);
  const [, width] = /width="([\d.]+)"/.exec(svg)!;
  const png = fs.readFileSync(await map.save(path.join(context.notebookFolder, 'fig.png'), { scale: 3 }));
  expect(png.readUInt32BE(16)).toBe(Math.round(3 * Number(width)));
  await expect(map.save('fig.gif')).rejects.toThrow('ends with neither .svg nor .png');
  await expect(map.save('fig.png', { scale: 9 })).rejects.toThrow('scale is 9; expected a number from 1 to 4');
  await expect(fg.show.map(await fg.maps.pca(rows), { rows: 'encoder' } as never)).rejects.toThrow('a layout takes no option rows'); // prettier-ignore
});
