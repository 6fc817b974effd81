/** fg.artifacts, fg.device and fg.keyFigure: what a notebook has on disk, what computes, and what it ends with. */
import { describe, expect, it } from 'vitest';
import { namespaces } from '#kernel/api/namespaces.js';
import { DISPLAY, type Displayed } from '#kernel/present/items.js';
import { MIME } from '#protocol/mime.js';
import { freshFg } from '#test/kit/fg.js';

const world = freshFg();
const rows = [
  [1, 2],
  [3, 5],
  [4, 1],
];
const shown = (value: unknown) => (value as Displayed<object>)[DISPLAY]();
const textOf = (value: unknown): string =>
  [
    shown(value)
      .map((item) => item.text)
      .at(-1) ?? [],
  ]
    .flat()
    .join('');

describe('fg.artifacts', () => {
  it('lists what verbs kept as a table, finds it by the start of its id, and deletes by kind', async () => {
    const { artifacts, mapper } = world.fg;
    await mapper.lens(rows, 'pca');
    const list = await artifacts.list();
    expect(list.map((record) => record.kind)).toEqual(['lens']);
    expect(shown(list)[0].mime).toBe(MIME.table);
    expect(textOf(list)).toContain(list[0].id.slice(0, 8));
    expect((await artifacts.find(list[0].id.slice(0, 12)))?.record).toEqual(list[0]);
    expect(await artifacts.find('00000000')).toBeUndefined();
    expect(await artifacts.prune({ unusedDays: 0, kinds: ['mapper'] })).toEqual([]);
    const gone = await artifacts.prune({ unusedDays: 0, kinds: ['lens'] });
    expect(gone).toEqual(list);
    expect(textOf(gone)).toContain('Deleted artifacts');
    expect(await artifacts.list()).toEqual([]);
  });

  it('prunes the kinds that verbs declare and refuses others, which would delete nothing without a word', async () => {
    const { prune } = world.fg.artifacts;
    const declared = Object.values(namespaces).flatMap(({ verbs }) =>
      Object.values<{ kinds: readonly string[] }>(verbs).flatMap(({ kinds }) => kinds),
    );
    expect(declared).toEqual(expect.arrayContaining(['activations', 'mapper', 'mapper-nulls', 'lens', 'persistence']));
    expect(await prune({ unusedDays: 0, kinds: declared })).toEqual([]);
    await expect(prune({ unusedDays: 0, kinds: ['mappers'] })).rejects.toThrow(
      /fg\.artifacts\.prune: kinds is \["mappers"\]; expected an array of some of 'activations', .*'mapper'/,
    );
    await expect(prune({ unusedDays: -1 })).rejects.toThrow('unusedDays is -1; expected a number at least 0');
    await expect((prune as () => Promise<unknown>)()).rejects.toThrow('unusedDays is missing');
  });

  it('refuses arguments that its verbs do not take', async () => {
    await expect((world.fg.artifacts.list as (o: object) => Promise<unknown>)({ kinds: ['sae'] })).rejects.toThrow(
      'fg.artifacts.list has no option "kinds" (did you mean "kind"?); it has search, kind, title, note, notebook',
    );
  });
});

describe('fg.device', () => {
  it('shows what computes and why', () => {
    const report = world.fg.device.info();
    expect(textOf(report)).toContain(`Float32 products of the CPU: ${report.gemm.engine}`);
    for (const { work } of report.work) expect(textOf(report)).toContain(work);
    const devices = world.context.shown.at(-1)!.map(({ text }) => text ?? '').join(''); // prettier-ignore
    expect(devices).toContain(report.description);
    expect(devices).toContain(report.reasons.at(-1)!.reason);
  });
});

describe('fg.keyFigure', () => {
  it('takes text and numbers, the last of a name, and refuses what would print as no figure', () => {
    const { fg, context } = world;
    fg.keyFigure('L0', 3);
    fg.keyFigure('L0', 4);
    fg.keyFigure('matched', '12 (mean r 0.61)');
    expect([...context.figures]).toEqual([
      ['L0', '4'],
      ['matched', '12 (mean r 0.61)'],
    ]);
    expect(() => fg.keyFigure('L0', undefined as never)).toThrow('value is undefined; expected text or a number');
    expect(() => fg.keyFigure(4 as never, 4)).toThrow('name is number; expected text');
  });
});
