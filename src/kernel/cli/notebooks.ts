/** `fgnb export` and `fgnb convert`: notebooks written in other forms, nothing run. */
import path from 'node:path';
import { readNotebook } from '../convert/convert.js';
import { writeReport } from '../session/report.js';
import { command, print, shownPath, UsageError } from './command.js';

export const exportReport = command({
  help: `  fgnb export NOTEBOOK --html FILE.html
      Writes the report from the outputs that the notebook holds; nothing is run.`,
  options: { html: { type: 'string' } },
  takes: [1, 1, 'a notebook'],
  async run({ html }, [notebookFile]) {
    if (!html) throw new UsageError('fgnb export needs --html FILE.html');
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
