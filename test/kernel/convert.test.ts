import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Pictures } from '#kernel/figures/pictures.js';
import type { JupyterNotebook } from '#kernel/convert/jupyter.js';
import type { JsonObject, NotebookFile } from '#protocol/notebook.js';
import { parseNotebook, serializeNotebook } from '#protocol/notebookCodec.js';
import { temporaryFolder } from '#test/kit/folder.js';
import { ensureKernelBuilt, kernelCli, root } from '#test/kit/kernel.js';

const folder = temporaryFolder('convert');
beforeAll(() => ensureKernelBuilt());
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
// The commands are waited for without a turn of the event loop, in which vitest reports.
afterEach(() => new Promise((resolve) => void setImmediate(resolve)));

function fgnb(...args: string[]): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [kernelCli, ...args], {
    cwd: folder,
    encoding: 'utf8',
  });
  return { code: status, stdout, stderr };
}
const file = (name: string): string => path.join(folder, name);
const textOf = (name: string): string => fs.readFileSync(file(name), 'utf8');
/** Width and height of a PNG in base64, from its header. */
const pngSize = (base64: string): [number, number] => {
  const bytes = Buffer.from(base64, 'base64');
  expect(bytes.subarray(1, 4).toString()).toBe('PNG');
  return [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
};
const write = (name: string, value: object): void => fs.writeFileSync(file(name), JSON.stringify(value));

describe('fgnb convert', () => {
  it('writes an executed notebook as .ipynb with pictures for other viewers, and gives it back byte for byte', () => {
    const spec =
      "{ data: { values: [{ x: 1, y: 2 }, { x: 2, y: 5 }] }, mark: 'point', encoding: { x: { field: 'x', type: 'quantitative' }, y: { field: 'y', type: 'quantitative', title: 'height' } } }";
    const cells = [
      `await fg.show([{ name: 'a <b>', r: 0.123456 }], { title: 'Scores' })`,
      `await fg.show(${spec})`,
      `await fg.show(${spec})`,
      'console.log("one"); console.error("two"); 1 + 1',
      'throw new TypeError("on purpose")',
    ].map((source, i) => ({ id: `c${i}`, kind: 'code', source }));
    write('a.fgnb', { fgnb: 1, metadata: {}, cells: [{ id: 'm', kind: 'markdown', source: '# A\n\n- b' }, ...cells] });
    expect(fgnb('run', 'a.fgnb', '--out', 'run.fgnb', '--device', 'cpu').code).toBe(1);
    expect(fgnb('convert', 'run.fgnb', 'run.ipynb')).toEqual({ code: 0, stdout: 'notebook  run.ipynb\n', stderr: '' });
    const ipynb = JSON.parse(textOf('run.ipynb')) as JupyterNotebook;
    const [table, chart, again, printed, failed] = ipynb.cells
      .slice(1)
      .map((cell) => cell.outputs ?? []) as unknown as Array<
      Array<{ output_type: string; data: Record<string, string[]> }>
    >;
    expect(table[0].data['text/html'].join('')).toContain('<td style="text-align: left">a &lt;b&gt;</td>');
    for (const each of [chart, again]) expect(pngSize(each[0].data['image/png'].join(''))[0]).toBeGreaterThan(300);
    expect(Object.keys(chart[0].data)).toEqual(['application/vnd.fgnb.chart+json', 'text/plain', 'image/png']);
    expect(printed.map((output) => output.output_type)).toEqual(['stream', 'stream', 'display_data']);
    expect(failed[0]).toMatchObject({ output_type: 'error', ename: 'TypeError', evalue: 'on purpose' });
    expect(fgnb('convert', 'run.ipynb', 'back.fgnb').code).toBe(0);
    expect(textOf('back.fgnb')).toBe(textOf('run.fgnb'));
  });

  it('draws Mapper graphs of the bundles beside the notebook, and says where data must be copied', () => {
    fs.cpSync(path.join(root, 'test/fixtures/saved'), file('saved'), { recursive: true });
    expect(fgnb('convert', 'saved/saved.fgnb', 'saved/saved.ipynb').stderr).toBe('');
    const { cells } = JSON.parse(textOf('saved/saved.ipynb')) as {
      cells: Array<{ outputs: Array<{ data?: Record<string, string[]> }> }>;
    };
    const pictures = cells.flatMap(({ outputs }) => outputs.flatMap(({ data }) => data?.['image/png']?.join('') ?? []));
    // Two maps, drawn larger than the small pictures of their outputs, and two graphs side by side.
    expect(pictures.map(pngSize).map(([width]) => width)).toEqual([1662, 1662, 960]);
    expect(fgnb('convert', 'saved/saved.ipynb', 'saved/back.fgnb').code).toBe(0);
    expect(textOf('saved/back.fgnb')).toBe(serializeNotebook(parseNotebook(textOf('saved/saved.fgnb'))));
    expect(fgnb('convert', 'saved/saved.fgnb', 'elsewhere/saved.ipynb').stderr).toMatch(
      /^Maps and graphs live only where their data lies: copy \.fgnb\/map-.* from .*saved to .*elsewhere/,
    );
    fs.rmSync(file('saved/.fgnb'), { recursive: true });
    const told = fgnb('convert', 'saved/saved.fgnb', 'saved/saved.ipynb', '--force');
    expect(told).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(
        /is its small picture alone for other viewers[^]*cell 4: an output is text alone for other viewers: /,
      ),
    });
  });

  it('writes single figures: maps, graphs and charts as SVG and PNG, tables for other programs', () => {
    fs.cpSync(path.join(root, 'test/fixtures/saved'), file('figures'), { recursive: true });
    const figure = (...args: string[]) => fgnb('export', 'figures/saved.fgnb', '--figure', ...args);
    expect(figure('Twin maps', '--format', 'svg')).toEqual({ code: 0, stdout: 'map  saved-map-1.svg\n', stderr: '' });
    const svg = textOf('saved-map-1.svg');
    // Every feature of both maps fires; the legend of r has one mark: no counterpart.
    expect(svg.match(/<circle /g)).toHaveLength(48 + 48 + 1);
    expect(svg).toContain('21 pairs, mean r 0.53');
    expect(figure('1', '--out', 'a.PNG', '--scale', '4').code).toBe(0);
    expect(pngSize(fs.readFileSync(file('a.PNG')).toString('base64'))[0]).toBe(1108 * 4);
    expect(figure('3', '--format', 'svg').stdout).toBe('graph  saved-graph-3.svg\n');
    // 12 and 15 nodes, 22 and 27 edges, as the descriptor says.
    expect(textOf('saved-graph-3.svg').match(/<circle /g)).toHaveLength(27);
    expect(textOf('saved-graph-3.svg').match(/<line /g)).toHaveLength(49);
    const run = (name: string, how: string) => fgnb('export', 'run.fgnb', '--figure', name, '--format', how);
    expect(run('Scores', 'csv').stdout).toBe('table  run-table-1.csv\n');
    expect(textOf('run-table-1.csv')).toBe('name,r\r\na <b>,0.123456\r\n');
    // Without a format too: this is how one finds what there is.
    expect(figure('list')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there are\n  1: map "Twin maps'),
    });
    fs.rmSync(file('figures/.fgnb'), { recursive: true });
    expect(figure('1', '--format', 'svg')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is not beside the notebook; run its cell again'),
    });
  });

  it('takes a script with cell marks and a foreign notebook, whose cells in other languages are not run', () => {
    fs.writeFileSync(file('b.ts'), '// %% [markdown]\n// # B\n\n// %%\nconst two = 1 + 1\ntwo\n');
    expect(fgnb('convert', 'b.ts', 'b.fgnb').code).toBe(0);
    expect(fgnb('convert', 'b.fgnb', 'b2.ts')).toMatchObject({ code: 0, stderr: '' });
    expect(textOf('b2.ts')).toBe(textOf('b.ts'));
    const cell = (source: string, more: object = {}): object => ({
      cell_type: 'code',
      metadata: {},
      source,
      execution_count: null,
      outputs: [],
      ...more,
    });
    const metadata = { kernelspec: { name: 'python3', display_name: 'Python', language: 'python' } };
    const typescript = cell('1 + 2', { metadata: { vscode: { languageId: 'fgnb-typescript' } } });
    write('p.ipynb', {
      nbformat: 4,
      nbformat_minor: 4,
      metadata,
      cells: [cell('print("python")'), typescript, cell('raw', { cell_type: 'raw' })],
    });
    expect(fgnb('convert', 'p.ipynb', 'p.fgnb').stderr).toContain('"python": kept, but not run here');
    const ran = fgnb('run', 'p.fgnb', '--out', 'p.run.fgnb', '--device', 'cpu');
    expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining('1 cell is in "python" and not run') });
    expect(ran.stdout).toContain('1 of 1 cells ran');
    const { cells } = JSON.parse(textOf('p.run.fgnb')) as NotebookFile;
    expect(cells.map(({ outputs }) => outputs?.[0].items[0].text)).toEqual([undefined, ['3'], undefined]);
  });

  it('writes over nothing unasked, and names what is wrong', () => {
    write('c.fgnb', { fgnb: 1, metadata: {}, cells: [] });
    fs.writeFileSync(file('there.ipynb'), 'mine');
    expect(fgnb('convert', 'c.fgnb', 'there.ipynb')).toMatchObject({
      code: 1,
      stderr: 'fgnb: there.ipynb is there already; --force writes over it\n',
    });
    expect(textOf('there.ipynb')).toBe('mine');
    expect(fgnb('convert', 'there.ipynb', 'd.fgnb').stderr).toMatch(
      /^fgnb: there\.ipynb: line 1: the text is not valid JSON here/,
    );
    expect(fs.existsSync(file('d.fgnb'))).toBe(false);
    expect(fgnb('convert', 'c.fgnb', 'c.html').stderr).toMatch(
      /c\.html: expected a file that ends in \.fgnb, \.ipynb, \.ts/,
    );
    expect(fgnb('convert', 'none.ipynb', 'd.fgnb').stderr).toBe('fgnb: none.ipynb: there is no such file\n');
    expect(fgnb('convert', 'c.fgnb', './c.fgnb').stderr).toMatch(/are the same file/);
    expect(fgnb('convert', 'c.fgnb').code).toBe(2);
    expect(fgnb('convert', 'a', 'b', 'c').code).toBe(2);
  });
});

describe('a picture of a chart', () => {
  const spec = (more: object): JsonObject => ({ $schema: 'x', width: 10, height: 10, ...more }) as JsonObject;

  it('is bounded in time, loads nothing, and the next one is drawn all the same', async () => {
    const charts = new Pictures(2);
    try {
      const endless = spec({ data: [{ name: 'a', transform: [{ type: 'sequence', start: 0, stop: 1e9 }] }] });
      await expect(charts.chart(endless)).rejects.toThrow(/was not drawn in 2 s|memory|array length/);
      const loading = spec({
        data: [{ name: 'a', url: 'file:///etc/passwd', format: { type: 'dsv', delimiter: ':' } }],
      });
      await expect(charts.chart(loading)).rejects.toThrow(/charts load nothing from outside/);
      await expect(charts.chart(spec({ signals: [{ name: 's', update: 'nosuch(1)' }] }))).rejects.toThrow(/nosuch/);
      expect(
        await charts.chart(spec({ marks: [{ type: 'rect', encode: { enter: { width: { value: 5 } } } }] })),
      ).toMatch(/^<svg/);
    } finally {
      await charts.close();
    }
  });
});
