/**
 * The files of a submitted plan in the artifact folder: `cluster/<id>/plan.json`, how to make the call, and
 * `jobs.json`, the jobs that were submitted. Any process with access to the folder can follow, cancel and merge.
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import { readJson, writeFileAtomic } from '../io/files.js';
import { canonicalJson, sha256 } from '../io/hash.js';
import type { Recipe } from '../verb/recipe.js';
import type { Spread } from '../verb/split.js';
import type { Plan } from './plan.js';

export interface PlanFile {
  readonly plan: Plan;
  readonly recipe: Recipe;
  /** Folder that relative paths of the call start from. */
  readonly notebookFolder: string;
  /** Device of the session that planned: 'auto', 'cpu', … */
  readonly device: string;
}

/** Jobs that were submitted together. */
export interface Submission {
  readonly engine: 'slurm';
  /** Id of the array. */
  readonly array: string;
  /** Id of the job that merges. */
  readonly merge: string;
  /** Shards of the array. */
  readonly shards: readonly number[];
  readonly how: Spread;
  readonly submitted: string;
}

/** The folder with the plans that were submitted from an artifact folder. */
export const jobsFolder = (artifactFolder: string): string => path.join(artifactFolder, 'cluster');
/** The folder of one plan, named by the first 16 digits of its id. */
export const jobFolder = (artifactFolder: string, planId: string): string =>
  path.join(jobsFolder(artifactFolder), planId.slice(0, 16));
/** The artifact folder that a job folder is in. */
export const artifactsOfJob = (folder: string): string => path.dirname(path.dirname(path.resolve(folder)));

const FORMAT = 1;
const checkOf = (file: PlanFile): string => sha256(['fgnb plan file 1', canonicalJson(file)]);

/** Writes the plan file, and makes the folder for logs. */
export async function writePlan(folder: string, file: PlanFile): Promise<void> {
  await fs.mkdir(path.join(folder, 'log'), { recursive: true });
  // As JSON keeps it: without undefined members.
  const plain = JSON.parse(JSON.stringify(file)) as PlanFile;
  await writeFileAtomic(path.join(folder, 'plan.json'), JSON.stringify({ format: FORMAT, check: checkOf(plain), ...plain }, null, 1)); // prettier-ignore
}

/** @throws Error when there is no plan, or the file is not what was written */
export async function readPlan(folder: string): Promise<PlanFile> {
  const file = path.join(folder, 'plan.json');
  const { format, check, ...rest } = (await readJson(file)) as PlanFile & { format: number; check: string };
  if (format !== FORMAT) throw new Error(`${file} has format ${String(format)}; this version reads ${FORMAT}`);
  if (check !== checkOf(rest)) throw new Error(`${file} is not what was written: it is damaged; submit the call again`);
  return rest;
}

/** All submissions of the plan, oldest first. */
export async function readSubmissions(folder: string): Promise<Submission[]> {
  const file = path.join(folder, 'jobs.json');
  try {
    const list = (await readJson(file)) as Submission[];
    const whole = Array.isArray(list) && list.every((s) => /^\d+$/.test(s.array) && /^\d+$/.test(s.merge) && Array.isArray(s.shards)); // prettier-ignore
    if (!whole) throw new Error(`${file} is no list of submissions; delete it when no job of it runs`);
    return list;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Adds a submission to jobs.json. The caller holds the folder's lock. */
export async function addSubmission(folder: string, submission: Submission): Promise<void> {
  const all = [...(await readSubmissions(folder)), submission];
  await writeFileAtomic(path.join(folder, 'jobs.json'), `${JSON.stringify(all, null, 1)}\n`);
}

/** Folders of all plans that were submitted. */
export async function jobFolders(artifactFolder: string): Promise<string[]> {
  const within = jobsFolder(artifactFolder);
  const names = await fs.readdir(within).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names.filter((name) => /^[0-9a-f]{16}$/.test(name)).map((name) => path.join(within, name));
}

/** The last lines of a shard's log; empty where it has none. */
export async function logTail(folder: string, index: number, lines = 3): Promise<string> {
  const text = await fs.readFile(path.join(folder, 'log', `${index}.txt`), 'utf8').catch(() => '');
  return text.trim().split('\n').slice(-lines).join('\n');
}
