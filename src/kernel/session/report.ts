/** A notebook as one HTML file that works without a network, its feature maps and Mapper graphs inside. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { pushAll } from '../../protocol/lists.js';
import { graphFiles, type GraphMeta } from '../../protocol/graph.js';
import type { MapMeta } from '../../protocol/map.js';
import { MIME } from '../../protocol/mime.js';
import type { NotebookFile } from '../../protocol/notebook.js';
import { reportHtml, type BundleRef } from '../../protocol/webview.js';
import { safeJoin, writeFileAtomic } from '../io/files.js';

const compress = promisify(gzip);
/** Far above what an output shows. */
const MAX_SETS = 32;

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

/** Bundles of one mime type that the notebook shows, each id once. */
export function bundlesOf(notebook: NotebookFile, mime: string): BundleRef[] {
  const items = notebook.cells.flatMap((cell) => cell.outputs ?? []).flatMap((output) => output.items);
  const refs = items.filter((item) => item.mime === mime).map((item) => item.json as Partial<BundleRef> | null);
  const valid = refs.filter((ref): ref is BundleRef => typeof ref?.id === 'string' && typeof ref.path === 'string');
  return [...new Map(valid.map((ref) => [ref.id, ref])).values()];
}

/** A file of a bundle's folder. A link must not lead out of the notebook's folder either. */
function inside(notebookFolder: string, folder: string, file: string): string {
  const real = fs.realpathSync(path.join(safeJoin(notebookFolder, folder), file));
  safeJoin(fs.realpathSync(notebookFolder), path.relative(fs.realpathSync(notebookFolder), real));
  return real;
}

/** The files of a bundle: those it must have, and those it may have. */
function filesOf(mime: string, sets: number): { needed: string[]; optional: string[] } {
  if (mime === MIME.graph) {
    const needed = ['graph.json', 'columns.safetensors'];
    return { needed, optional: graphFiles(sets).filter((file) => !needed.includes(file)) };
  }
  const perSet = Array.from({ length: sets }, (_, s) => [`${s}.labels.json`, `${s}.examples.jsonl`]);
  return { needed: ['map.json', 'columns.safetensors', ...perSet.flat()], optional: [] };
}

async function sidecarsOf(bundle: BundleRef, mime: string, notebookFolder: string): Promise<Sidecar[]> {
  const read = (file: string): Buffer => {
    const real = inside(notebookFolder, bundle.path, file);
    // Reading a pipe would wait for a writer for ever.
    if (!fs.statSync(real).isFile()) throw new Error(`${file} is no regular file`);
    return fs.readFileSync(real);
  };
  const metaFile = mime === MIME.graph ? 'graph.json' : 'map.json';
  const meta = JSON.parse(read(metaFile).toString('utf8')) as MapMeta | GraphMeta;
  if (!Array.isArray(meta.sets) || meta.sets.length > MAX_SETS)
    throw new Error(`${metaFile} of ${bundle.path} names no sets`);
  const { needed, optional } = filesOf(mime, meta.sets.length);
  const there = new Set(fs.readdirSync(inside(notebookFolder, bundle.path, '.')));
  return Promise.all(
    [...needed, ...optional.filter((file) => there.has(file))].map(async (file) => ({
      mapId: bundle.id,
      file,
      gzipBase64: (await compress(read(file))).toString('base64'),
    })),
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
 * @param notebookFolder folder that the bundles' paths start from; no file outside it is read.
 * @returns what could not be put in, in words: the page shows a picture instead of such a map or graph.
 */
export async function writeReport(notebook: NotebookFile, notebookFolder: string, outFile: string): Promise<string[]> {
  const problems: string[] = [];
  const sidecars: Sidecar[] = [];
  for (const [what, mime] of [
    ['map', MIME.map],
    ['graph', MIME.graph],
  ])
    for (const bundle of bundlesOf(notebook, mime)) {
      try {
        pushAll(sidecars, await sidecarsOf(bundle, mime, notebookFolder));
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        problems.push(`${what} ${bundle.path} is not in the report: ${reason}`);
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
