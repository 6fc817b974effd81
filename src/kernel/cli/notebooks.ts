/** `fgnb export` and `fgnb convert`: write notebooks in other forms without running them. */
import path from 'node:path';
import { readNotebook } from '../convert/convert.js';
import { writeFileAtomic } from '../io/files.js';
import { writeReport } from '../session/report.js';
import { command, print, shownPath, UsageError } from './command.js';

/** Time limit for one picture: a map of 100,000 points takes some seconds. */
const DRAWING_SECONDS = 120;

async function exportFigure(
  notebookFile: string,
  wanted: string,
  given: { out?: string; format?: string; scale?: string },
): Promise<number> {
  const { checkScale, figureFile, figuresOf, findFigure, FORMATS, isFormat } = await import('../figures/figures.js');
  const { notebook } = await readNotebook(notebookFile);
  const figure = findFigure(figuresOf(notebook), wanted);
  const format =
    given.format ??
    (path
      .extname(given.out ?? '')
      .slice(1)
      .toLowerCase() ||
      undefined);
  if (format === undefined || !isFormat(format))
    throw new UsageError(
      `fgnb export --figure needs --format or an --out that ends in one of ${FORMATS.join(', ')}${format === undefined ? '' : `, not ${format}`}`,
    );
  const scale = checkScale(Number(given.scale ?? 2));
  const name = `${path.basename(notebookFile, path.extname(notebookFile))}-${figure.kind}-${figure.number}.${format}`;
  const out = given.out ?? name;
  const { Pictures } = await import('../figures/pictures.js');
  const pictures = new Pictures(DRAWING_SECONDS);
  try {
    const notebookFolder = path.dirname(path.resolve(notebookFile));
    await writeFileAtomic(path.resolve(out), await figureFile(figure, format, { notebookFolder, pictures, scale }));
  } finally {
    await pictures.close();
  }
  print(`${figure.kind}  ${shownPath(out)}`);
  return 0;
}

export const exportReport = command({
  help: `  fgnb export NOTEBOOK --html FILE.html
      Writes the report from the outputs that the notebook holds; nothing is run.
  fgnb export NOTEBOOK --figure FIGURE [--format FORMAT] [--scale 1..4] [--out FILE]
      Writes one of its figures: a map, graph or chart as svg or png (--scale pixels per unit, default 2), a table as csv,
      tsv, tex or parquet. FIGURE is its number, counted from 1, its title or the id of a map or graph; another one lists
      what there are. FORMAT goes by the ending of FILE.`,
  options: {
    html: { type: 'string' },
    figure: { type: 'string' },
    format: { type: 'string' },
    scale: { type: 'string' },
    out: { type: 'string' },
  },
  takes: [1, 1, 'a notebook'],
  async run({ html, figure, ...how }, [notebookFile]) {
    if (figure !== undefined && html === undefined) return exportFigure(notebookFile, figure, how);
    if (!html || figure !== undefined) throw new UsageError('fgnb export needs --html FILE.html, or --figure FIGURE');
    if (Object.values(how).some((value) => value !== undefined))
      throw new UsageError('--format, --scale and --out go with --figure');
    const folder = path.dirname(path.resolve(notebookFile));
    const { notebook, notes } = await readNotebook(notebookFile);
    const problems = [...notes, ...(await writeReport(notebook, folder, html))];
    for (const problem of problems) process.stderr.write(`${problem}\n`);
    print(`report  ${shownPath(html)}`);
    return 0;
  },
});

export const convert = command({
  help: `  fgnb convert IN OUT [--force]
      Reads the notebook IN and writes it as OUT, by their endings: .fgnb, .ipynb (Jupyter) or .ts (cells between "// %%").
      What changes or cannot be carried is said on stderr. --force writes over OUT.`,
  options: { force: { type: 'boolean' } },
  takes: [2, 2, 'two files: IN and OUT'],
  async run({ force = false }, [input, output]) {
    const { convertNotebook } = await import('../convert/convert.js');
    for (const note of await convertNotebook(input, output, { overwrite: force })) process.stderr.write(`${note}\n`);
    print(`notebook  ${shownPath(output)}`);
    return 0;
  },
});
