/** A notebook as one HTML file that works without a network, its feature maps inside. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { MapDescriptor, MapMeta } from '../../protocol/map.js';
import { MIME } from '../../protocol/mime.js';
import type { NotebookFile } from '../../protocol/notebook.js';
import { reportHtml } from '../../protocol/webview.js';
import { safeJoin, writeFileAtomic } from '../io/files.js';

const compress = promisify(gzip);

interface Sidecar {
  mapId: string;
  file: string;
  gzipBase64: string;
}

/** The page's program, beside the kernel's bundle or in the checkout. */
function reportScript(): string {
  const here = path.dirname(fileURLToPath(import.meta.url));
  const candidates = ['../webviews/report.js', '../../../dist/webviews/report.js'].map((file) => path.join(here, file));
  const found = candidates.find((file) => fs.existsSync(file));
  if (!found) throw new Error(`the report's program is not built: ${candidates[0]} is missing. Run: npm run build`);
  return fs.readFileSync(found, 'utf8');
}

/** Descriptors of all maps that the notebook shows, each id once. */
export function mapsOf(notebook: NotebookFile): MapDescriptor[] {
  const items = notebook.cells.flatMap((cell) => cell.outputs ?? []).flatMap((output) => output.items);
  const maps = items
    .filter((item) => item.mime === MIME.map)
    .map((item) => item.json as unknown as MapDescriptor | null);
  const valid = maps.filter((map): map is MapDescriptor => typeof map?.id === 'string' && typeof map.path === 'string');
  return [...new Map(valid.map((map) => [map.id, map])).values()];
}

/** A file of a map's folder. A link must not lead out of the notebook's folder either. */
function inside(notebookFolder: string, folder: string, file: string): string {
  const real = fs.realpathSync(path.join(safeJoin(notebookFolder, folder), file));
  safeJoin(fs.realpathSync(notebookFolder), path.relative(fs.realpathSync(notebookFolder), real));
  return real;
}

async function sidecarsOf(map: MapDescriptor, notebookFolder: string): Promise<Sidecar[]> {
  const read = (file: string): Buffer => fs.readFileSync(inside(notebookFolder, map.path, file));
  const meta = JSON.parse(read('map.json').toString('utf8')) as MapMeta;
  if (!Array.isArray(meta.sets) || meta.sets.length > 2) throw new Error(`map.json of ${map.path} names no sets`);
  const files = [
    'map.json',
    'columns.safetensors',
    ...meta.sets.flatMap((_, s) => [`${s}.labels.json`, `${s}.examples.jsonl`]),
  ];
  return Promise.all(
    files.map(async (file) => ({ mapId: map.id, file, gzipBase64: (await compress(read(file))).toString('base64') })),
  );
}

function titleOf(notebook: NotebookFile, fallback: string): string {
  for (const cell of notebook.cells) {
    const heading = cell.kind === 'markdown' ? /^#\s+(.+)$/m.exec(cell.source.join('')) : null;
    if (heading) return heading[1].trim();
  }
  return fallback;
}

/**
 * Writes the report of a notebook from its saved outputs; nothing is run.
 * @param notebookFolder folder that the maps' paths start from; no file outside it is read.
 * @returns what could not be put in, in words: the page shows a picture instead of such a map.
 */
export async function writeReport(notebook: NotebookFile, notebookFolder: string, outFile: string): Promise<string[]> {
  const problems: string[] = [];
  const sidecars: Sidecar[] = [];
  for (const map of mapsOf(notebook)) {
    try {
      sidecars.push(...(await sidecarsOf(map, notebookFolder)));
    } catch (error) {
      problems.push(`map ${map.path} is not in the report: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const html = reportHtml({
    title: titleOf(notebook, path.basename(outFile, path.extname(outFile))),
    script: reportScript(),
    notebookJson: JSON.stringify(notebook),
    sidecars,
    nonce: randomBytes(18).toString('base64url'),
  });
  fs.mkdirSync(path.dirname(path.resolve(outFile)), { recursive: true });
  await writeFileAtomic(path.resolve(outFile), html);
  return problems;
}
