/** A repository of the hub: its small files are brought into the cache, and of large ones the structure alone is fetched. */
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { listed } from '../../protocol/clip.js';
import { checkAborted } from '../compute/call.js';
import { messageOf, safeJoin } from '../io/files.js';
import { REPO, lookAtRepo, resolveRepo, type RepoLook, type RepoOptions } from '../io/hub.js';
import { copyStructure } from '../io/hubHeaders.js';
import { WEIGHT_FILES } from '../io/weights.js';
import { TOKENIZER_FILES } from '../models/tokenizerFiles.js';
import { SAE_CONFIGS, SAE_WEIGHTS } from '../sae/load.js';
import { text, type Given } from '../verb/option.js';
import { inspectDataset } from './data.js';
import { inspectFile, inspectFolder, MOST_FILES } from './folder.js';
import { Report, type Subject } from './report.js';
import type { Inspection } from './types.js';
import { quoted } from './words.js';

export const INSPECT = {
  inside: text({ doc: 'File or folder inside the folder or repository.', fallback: 'all of it' }),
} as const;

export type InspectOptions = Given<typeof INSPECT> & RepoOptions;

/** @throws HubError when there is no such repository, or the hub cannot be asked and the cache has nothing */
export async function inspectRepository(id: string, options: InspectOptions): Promise<Inspection> {
  const type = options.repoType ?? REPO.repoType.usual;
  const look = await lookAtRepo(id, options);
  const inside = options.inside === undefined ? undefined : posix.normalize(options.inside).replace(/\/$/, '');
  const files = look.files.filter(
    ({ path }) => inside === undefined || path === inside || path.startsWith(`${inside}/`),
  );
  if (files.length === 0)
    throw new Error(`${id} has no ${inside}; it has ${listed(look.files.map(({ path }) => path))}`);
  const one = inside !== undefined && files.length === 1 && files[0].path === inside;
  const report = new Report(id);
  report.inspection.repository = { id, type, commit: look.commit };
  report.inspection.files = files
    .slice(0, MOST_FILES)
    .map(({ path, bytes }) => ({ path: inside === undefined || one ? path : path.slice(inside.length + 1), bytes }));
  const root = await mkdtemp(join(tmpdir(), 'fgnb-inspect-'));
  try {
    const at = inside === undefined ? root : safeJoin(root, inside);
    const subject: Subject = { path: at, asked: id, inside, remote: true, signal: options.signal };
    const parquet = files.find(({ path }) => /\.parquet$/i.test(path))?.path;
    const structure = type === 'dataset' ? (parquet === undefined ? [] : [parquet]) : undefined;
    await bring({ id, look, root, options, report }, wantedOf(look, { inside, one, structure }));
    if (type === 'dataset') await inspectRemoteDataset(subject, parquet && join(root, parquet), report);
    else if (one) await inspectFile(subject, report);
    else await inspectFolder(subject, report);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
  for (const finding of report.inspection.unusual)
    finding.text = finding.text.replaceAll(`${root}/`, `${id}/`).replaceAll(root, id);
  return report.finish();
}

async function inspectRemoteDataset(subject: Subject, parquet: string | undefined, report: Report): Promise<void> {
  if (parquet) return inspectDataset(subject, parquet, report);
  report.is('dataset', 'dataset', `await fg.datasets.load(${quoted(subject.asked)})`);
}

/** Names that are brought whole, and those of which the structure is. */
interface Wanted {
  whole: string[];
  structure: string[];
}

const INDEXES = WEIGHT_FILES.filter((name) => name.endsWith('.index.json'));
const MODEL_WEIGHTS = /^(model|pytorch_model)(-\d+-of-\d+)?\.(safetensors|bin)$/;

/** What is looked at. `structure`: where it is known already. */
function wantedOf(
  { files }: RepoLook,
  { inside, one, structure }: { inside: string | undefined; one: boolean; structure: string[] | undefined },
): Wanted {
  if (structure) return { whole: [], structure };
  const names = new Set(files.map(({ path }) => path));
  const folder = inside === undefined ? '' : one ? posix.dirname(inside).replace(/^\.$/, '') : inside;
  const beside = (name: string): string => posix.join(folder, name);
  // A checkpoint's config lies beside its folder.
  const above = one ? [beside('../config.json'), beside('../hyperparams.json')] : [];
  const configs = ['config.json', 'cfg.json', 'runner_cfg.json', ...SAE_CONFIGS, ...TOKENIZER_FILES, ...INDEXES];
  const whole = [...new Set([...configs.map(beside), ...above])].filter((name) => names.has(name));
  if (one) return { whole, structure: [inside as string] };
  const ofModel = [...names].filter(
    (name) => posix.dirname(name) === (folder || '.') && MODEL_WEIGHTS.test(posix.basename(name)),
  );
  const safe = ofModel.filter((name) => name.endsWith('.safetensors'));
  // PyTorch's files beside safetensors are copies of these.
  const saes = SAE_WEIGHTS.map(beside).filter((name) => names.has(name));
  return { whole, structure: [...(safe.length > 0 ? safe : ofModel), ...saes] };
}

interface Bringing {
  id: string;
  look: RepoLook;
  root: string;
  options: InspectOptions;
  report: Report;
}

async function bring({ id, look, root, options, report }: Bringing, { whole, structure }: Wanted): Promise<void> {
  if (whole.length > 0) {
    const snapshot = await resolveRepo(id, { ...options, revision: look.commit, files: whole });
    for (const name of whole) {
      const to = safeJoin(root, name);
      await mkdir(dirname(to), { recursive: true });
      await copyFile(safeJoin(snapshot, name), to);
    }
  }
  for (const [i, name] of structure.filter((n) => !whole.includes(n)).entries()) {
    checkAborted(options.signal, 'inspecting');
    options.onProgress?.({ label: `Inspecting ${id}`, done: i, total: structure.length, unit: 'files', detail: name });
    try {
      if (!(await copyStructure(look, name, root)))
        report.add('not-looked-into', 'warning', `${name} has no table of contents; it is read when it is loaded`);
    } catch (error) {
      if (options.signal?.aborted) throw error;
      report.add('damaged', 'refused', messageOf(error));
    }
  }
}
