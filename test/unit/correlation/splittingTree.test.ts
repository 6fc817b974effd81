/** The tree of a splitting: as wide as its pane, nothing beyond its edge, labels whole under the pointer and when read aloud. */
import { parse, View } from 'vega';
import { describe, expect, it } from 'vitest';
import type { Matrix } from '#kernel/compute/matrix.js';
import { splitting } from '#kernel/correlation/splitting.js';
import { chartItems } from '#kernel/present/items.js';
import { splittingTree } from '#kernel/present/splitting.js';
import type { ChartDescriptor } from '#protocol/display.js';
import { directions, matrixOf } from '#test/kit/world.js';

const small: Matrix = directions(3, 8, 1);
const large = matrixOf([0, 0, 0, 1, 1, 2].map((p) => Array.from(small.data.subarray(8 * p, 8 * p + 8))));
const LONG = [`extraordinarily 41 %, unpronounceable 22 %, ${'misunderstandings 9 %, '.repeat(6)}last of all 1 %`];
const longLabels = {
  small: Array.from({ length: 3 }, () => LONG),
  large: Array.from({ length: 6 }, () => LONG),
  ids: { small: 's', large: 'l' },
};

interface Drawn {
  text: string;
  limit: number;
  align: 'left' | 'right';
  x: number;
  y: number;
  tooltip: { text?: string };
}

/** Texts of the labels' marks, as they are laid out in a pane of a width. */
async function labelsAt(spec: ChartDescriptor['spec'], width?: number): Promise<{ wide: number; labels: Drawn[] }> {
  const view = new View(parse(spec), { renderer: 'none' });
  await view.runAsync();
  if (width !== undefined) await view.signal('width', width).runAsync();
  const labels: Drawn[] = [];
  const visit = (node: Partial<Drawn> & { items?: [] }): void => {
    node.items?.forEach(visit);
    if (typeof node.tooltip === 'object') labels.push(node as Drawn);
  };
  // Cast: the types of Vega leave the root of the scene out.
  visit((view.scenegraph() as unknown as { root: Parameters<typeof visit>[0] }).root);
  const wide = view.signal('width') as number;
  view.finalize();
  return { wide, labels };
}

describe('the tree of a splitting', async () => {
  const found = await splitting({ small, large }, { runs: 3, least: 0.9 });
  const [{ json }] = chartItems(
    splittingTree(found, 'Parents of most children', longLabels),
    'Parents of most children',
  );
  const { spec } = json as unknown as ChartDescriptor;

  it('fits its pane, whatever the width: labels end where it ends, and both sides leave room for the lines', async () => {
    for (const width of [320, 640, 1400]) {
      const { wide, labels } = await labelsAt(spec, width);
      expect(wide).toBe(width);
      expect(labels).toHaveLength(9);
      for (const { x, limit, align } of labels) {
        expect(limit).toBeGreaterThan(0.35 * width);
        if (align === 'right') expect([x - 5 - limit >= 0, x < 0.45 * width]).toEqual([true, true]);
        else expect([x + 5 + limit <= width, x > 0.55 * width]).toEqual([true, true]);
      }
      const rows = labels.filter(({ align }) => align === 'left').map(({ y }) => y);
      expect(new Set(rows).size).toBe(rows.length);
    }
  });

  it('says whole labels under the pointer and in its description, and has a width of its own in a file', async () => {
    const { wide, labels } = await labelsAt(spec);
    expect(wide).toBe(960);
    for (const { tooltip } of labels) expect(tooltip.text).toContain('last of all 1 %');
    const of = (p: number) => found.parents.find(({ parent }) => parent === p)!.children.map(({ child }) => child);
    expect([of(0), of(1), of(2)].map((children) => [...children].sort())).toEqual([[0, 1, 2], [3, 4], [5]]);
    expect(spec.description).toMatch(/#0 \(3\) extraordinarily .*last of all 1 %: #0 extraordinarily/);
    expect(String(spec.description).match(/last of all/g)).toHaveLength(9);
  });
});
