/** A folder or a file on this machine: what it is, by the names in it and by how files begin. */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, posix } from 'node:path';
import { readJson } from '../io/files.js';
import { WEIGHT_FILES } from '../io/weights.js';
import { SAE_WEIGHTS } from '../sae/load.js';
import { inspectArrays, inspectArtifact, inspectArtifacts, inspectDataset, startOf } from './data.js';
import { inspectModel, inspectTokenizer } from './model.js';
import type { Report, Subject } from './report.js';
import { inspectSae, saeLayout } from './sae.js';
import type { Inspection } from './types.js';
import { quoted } from './words.js';

const DATASET = /\.(parquet|jsonl|ndjson|txt)$/i;
/** Files of a folder that are listed, and folders below it that are entered. */
export const MOST_FILES = 10_000;
const MOST_DEPTH = 6;

/** Sizes of the files below a folder, by paths with "/", sorted; links to folders are not followed. */
export async function filesOf(folder: string): Promise<Inspection['files']> {
  const found: Inspection['files'] = [];
  let level = [''];
  for (let depth = 0; depth < MOST_DEPTH && level.length > 0; depth++) {
    const below: string[] = [];
    for (const at of level) {
      const entries = await readdir(join(folder, at), { withFileTypes: true }).catch(() => []);
      for (const entry of entries) {
        const path = posix.join(at, entry.name);
        if (entry.isDirectory()) below.push(path);
        else {
          const info = await stat(join(folder, path)).catch(() => undefined);
          if (info?.isFile() && found.length < MOST_FILES) found.push({ path, bytes: info.size });
        }
      }
    }
    level = found.length < MOST_FILES ? below.slice(0, MOST_FILES) : [];
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

export async function inspectFolder(subject: Subject, report: Report): Promise<void> {
  const { path } = subject;
  const { files } = report.inspection;
  const names = new Set(files.map((file) => file.path));
  if (names.has('artifact.json')) return inspectArtifact(subject, report);
  const own = SAE_WEIGHTS.filter((name) => names.has(name));
  const config = await configKind(path, names);
  if (own.length === 1 && config !== 'model') return inspectSae(subject, report);
  if (
    WEIGHT_FILES.some((name) => names.has(name)) ||
    config === 'model' ||
    (config === 'unreadable' && own.length === 0)
  )
    return inspectModel(subject, report);
  const saes = saesOf(files);
  if (saes.length > 0) return listSaes(saes, subject, report);
  if ([...names].some((name) => /^[a-z][a-z0-9-]*-[0-9a-f]{16}\/artifact\.json$/.test(name)))
    return inspectArtifacts(subject, report);
  if (names.has('tokenizer.json') || names.has('vocab.json') || names.has('tokenizer.model')) {
    report.is('tokenizer', 'tokenizer', null);
    await inspectTokenizer(subject, report);
    return;
  }
  const data = files.find((file) => DATASET.test(file.path));
  if (data) return inspectDataset(subject, join(path, data.path), report);
  report.is('unknown', 'no model, SAE, array, dataset or kept result is known by these files', null);
}

function listSaes(saes: readonly string[], subject: Subject, report: Report): void {
  report.inspection.saes = [...saes];
  const { asked, inside, remote } = subject;
  const line = remote
    ? `const sae = await fg.sae.load(${quoted(posix.join(inside ?? '', saes[0]))}, { repo: ${quoted(asked)} })`
    : `const sae = await fg.sae.load(${quoted(posix.join(asked, saes[0]))})`;
  report.is('saes', `${saes.length} SAEs`, line);
}

/** What loads each SAE below: its folder, or its file where the folder holds several. */
function saesOf(files: Inspection['files']): string[] {
  const found = files.flatMap(({ path }) => {
    const name = SAE_WEIGHTS.find((known) => `/${path}`.endsWith(`/${known}`));
    return name === undefined ? [] : [{ path, folder: path.slice(0, -name.length).replace(/\/$/, '') || '.' }];
  });
  const times = new Map<string, number>();
  for (const { folder } of found) times.set(folder, (times.get(folder) ?? 0) + 1);
  return found.map(({ path, folder }) => (times.get(folder) === 1 ? folder : path));
}

/** Whose config.json it is: SAE libraries have files of that name too. */
async function configKind(
  folder: string,
  names: ReadonlySet<string>,
): Promise<'model' | 'other' | 'unreadable' | undefined> {
  if (!names.has('config.json')) return undefined;
  try {
    const json = await readJson(join(folder, 'config.json'));
    if (typeof json !== 'object' || json === null) return 'unreadable';
    return 'model_type' in json || 'architectures' in json ? 'model' : 'other';
  } catch {
    // Reading it gives the reason.
    return 'unreadable';
  }
}

export async function inspectFile(subject: Subject, report: Report): Promise<void> {
  const { path } = subject;
  const name = basename(path);
  let bytes: number;
  let start: Buffer;
  try {
    ({ bytes, start } = await startOf(path, 64));
  } catch (error) {
    report.is('unknown', extname(path).slice(1) || 'file', null);
    return report.failed(error);
  }
  if (name === 'config.json' || WEIGHT_FILES.some((known) => known === name)) {
    const folder = dirname(path);
    const files = await filesOf(folder);
    if ((await configKind(folder, new Set(files.map((file) => file.path)))) === 'model') {
      report.inspection.files = files;
      return inspectModel({ ...subject, path: folder, asked: posix.dirname(subject.asked) }, report);
    }
  }
  const isList = /\.json$/i.test(name) && /^[\ufeff\s]*\[/.test(start.toString('utf8'));
  if (DATASET.test(name) || isList) return inspectDataset(subject, path, report);
  if (/\.(fgnb|ipynb|json|md)$/i.test(name))
    return report.is('unknown', 'no weights, arrays or texts by its name; notebooks run by fgnb run', null);
  const layout = await saeLayout(path);
  // One matrix alone may be anything.
  if (layout === undefined || layout.name === 'decoder alone') return inspectArrays(subject, bytes, report);
  return inspectSae(subject, report);
}
