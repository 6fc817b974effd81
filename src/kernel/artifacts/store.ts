/**
 * Results on disk. `<folder>/<kind>-<16 digits of the id>/` holds the arrays and `artifact.json`, the full record.
 * A result is made in a temporary folder beside, its record is written last, and the folder is renamed: a crash or two
 * makers at once leave no half artifact. What stands under a name was made with exactly the key that hashes to it.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { SharedWork } from '../compute/work.js';
import { writeFileAtomic, kindOfPath } from '../io/files.js';
import { artifactFolderName, artifactId } from './identity.js';
import { packageVersions } from './packages.js';
import type { ArtifactKey, ArtifactRecord } from './types.js';

export { MismatchError, requireSame } from './identity.js';

const RECORD = 'artifact.json';
const DAY_MS = 86_400_000;

export interface ArtifactStoreOptions {
  /** Device that computes, asked when a record is written. */
  device: () => string;
  /** Told about damaged artifacts that are made again. */
  report?: (message: string) => void;
}

export interface ComputeOptions<T> {
  /** Make it again even when it is there. */
  fresh?: boolean;
  /** For people. */
  title?: string;
  /** Writes every file of the result into the folder; needs to write no record. */
  make(temporaryFolder: string): Promise<void>;
  /** Reads the finished result. */
  load(folder: string, record: ArtifactRecord): Promise<T>;
}

export interface Computed<T> {
  value: T;
  record: ArtifactRecord;
  /** True when it was there before this call. */
  cached: boolean;
  folder: string;
}

/** Computations running in this process, by folder: equal calls wait for one. */
const running = new SharedWork<string, ArtifactRecord>();

export class ArtifactStore {
  readonly folder: string;

  /** Nothing is created until the first result. */
  constructor(
    folder: string,
    private readonly options: ArtifactStoreOptions,
  ) {
    this.folder = resolve(folder);
  }

  idOf(key: ArtifactKey): string {
    return artifactId(key);
  }

  /** Where the result of a key lies, there or not. */
  folderOf(key: ArtifactKey): string {
    return join(this.folder, artifactFolderName(key.kind, artifactId(key)));
  }

  /**
   * The result of `key`: loaded when it is there, else made and loaded. A record that cannot be trusted (damaged, or of
   * another key) and a result that does not load are reported and made again. Equal calls at the same time make once.
   */
  async compute<T>(key: ArtifactKey, options: ComputeOptions<T>): Promise<Computed<T>> {
    const folder = this.folderOf(key);
    if (!options.fresh) {
      const found = await this.loadCached(folder, key, options.load);
      if (found) return found;
    }
    const record = await this.makeOnce(folder, key, options);
    return { value: await options.load(folder, record), record, cached: false, folder };
  }

  /** Records of all whole artifacts, newest first. Damaged ones are left out and reported. */
  async list(): Promise<ArtifactRecord[]> {
    const records: ArtifactRecord[] = [];
    for (const { folder } of await this.entries()) {
      const record = await this.trustedRecord(folder);
      if (record) records.push(record);
    }
    return records.sort((a, b) => (a.created < b.created ? 1 : a.created > b.created ? -1 : a.id < b.id ? -1 : 1));
  }

  /** The artifact of an id (or of its first 8 digits or more). Throws when two artifacts begin alike. */
  async find(id: string): Promise<{ record: ArtifactRecord; folder: string } | undefined> {
    if (!/^[0-9a-f]{8,64}$/.test(id)) throw new Error(`artifact id "${id}": expected 8 to 64 hex digits`);
    const found = (await this.list()).filter((record) => record.id.startsWith(id));
    if (found.length > 1) {
      throw new Error(
        `artifact id "${id}" is short: ${found.map((r) => `${r.kind} ${r.id}`).join(', ')} begin with it`,
      );
    }
    const record = found[0];
    return record && { record, folder: join(this.folder, artifactFolderName(record.kind, record.id)) };
  }

  /**
   * Deletes artifacts that were neither made nor loaded for `unusedDays` days, and what crashed makers left behind.
   * Returns the records of what went.
   */
  async prune(options: { unusedDays: number; kinds?: readonly string[] }): Promise<ArtifactRecord[]> {
    const { unusedDays, kinds } = options;
    if (!(unusedDays >= 0)) throw new RangeError(`unusedDays is ${unusedDays}: expected a number ≥ 0`);
    const before = Date.now() - unusedDays * DAY_MS;
    const gone: ArtifactRecord[] = [];
    for (const { folder } of await this.entries()) {
      const record = await this.trustedRecord(folder);
      if (!record || running.has(folder) || (kinds && !kinds.includes(record.kind))) continue;
      const { mtimeMs } = await stat(join(folder, RECORD));
      if (mtimeMs > before) continue;
      await removeFolder(folder);
      gone.push(record);
    }
    await this.removeLeftovers();
    return gone;
  }

  private async loadCached<T>(
    folder: string,
    key: ArtifactKey,
    load: ComputeOptions<T>['load'],
  ): Promise<Computed<T> | undefined> {
    const record = await this.trustedRecord(folder, key);
    if (!record) return undefined;
    try {
      const value = await load(folder, record);
      await markUsed(folder);
      return { value, record, cached: true, folder };
    } catch (error) {
      if (error instanceof Error && error.name === 'AbortError') throw error;
      this.report(folder, `does not load (${messageOf(error)})`);
      return undefined;
    }
  }

  private async makeOnce(
    folder: string,
    key: ArtifactKey,
    options: Pick<ComputeOptions<unknown>, 'make' | 'title'>,
  ): Promise<ArtifactRecord> {
    for (let other = running.get(folder); other; other = running.get(folder)) {
      // The other call may fail for its own reasons (its caller cancelled): then this one makes the result itself.
      const record = await other.catch(() => undefined);
      if (record) return record;
    }
    return running.begin(folder, () => this.make(folder, key, options));
  }

  private async make(
    folder: string,
    key: ArtifactKey,
    { make, title }: Pick<ComputeOptions<unknown>, 'make' | 'title'>,
  ): Promise<ArtifactRecord> {
    await mkdir(this.folder, { recursive: true });
    const temporary = temporaryFolder(folder);
    await mkdir(temporary);
    try {
      const start = performance.now();
      await make(temporary);
      const record: ArtifactRecord = {
        id: artifactId(key),
        kind: key.kind,
        parameters: key.parameters,
        inputs: key.inputs,
        codeVersion: key.codeVersion,
        ...(title === undefined ? {} : { title }),
        created: new Date().toISOString(),
        device: this.options.device(),
        packages: packageVersions(),
        wallMs: Math.round(performance.now() - start),
      };
      await writeFileAtomic(join(temporary, RECORD), `${JSON.stringify(record, null, 2)}\n`);
      await replaceFolder(temporary, folder);
      return record;
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  }

  /** The record in a folder, when it is whole and hashes to the folder's name (and is of `key`). */
  private async trustedRecord(folder: string, key?: ArtifactKey): Promise<ArtifactRecord | undefined> {
    let text: string;
    try {
      text = await readFile(join(folder, RECORD), 'utf8');
    } catch (error) {
      if (await kindOfPath(folder)) this.report(folder, `has no readable ${RECORD} (${messageOf(error)})`);
      return undefined;
    }
    try {
      const record = JSON.parse(text) as ArtifactRecord;
      const id = artifactId(record);
      if (
        id !== record.id ||
        !folder.endsWith(artifactFolderName(record.kind, id)) ||
        (key && artifactId(key) !== id)
      ) {
        throw new Error(`its id is ${record.id} but its contents hash to ${id}`);
      }
      return record;
    } catch (error) {
      this.report(folder, `has a damaged ${RECORD} (${messageOf(error)})`);
      return undefined;
    }
  }

  private async entries(): Promise<Array<{ folder: string }>> {
    const names = await readdir(this.folder, { withFileTypes: true }).catch(() => []);
    return names
      .filter((entry) => entry.isDirectory() && /^[a-z][a-z0-9-]*-[0-9a-f]{16}$/.test(entry.name))
      .map((entry) => ({ folder: join(this.folder, entry.name) }));
  }

  /** Temporary folders whose maker is gone: of a dead process on this host, or a day old. */
  private async removeLeftovers(): Promise<void> {
    for (const name of await readdir(this.folder).catch(() => [] as string[])) {
      const maker = /\.([0-9]+)@([^@]*)@[0-9a-f]{8}\.tmp$/.exec(name);
      if (!maker) continue;
      const path = join(this.folder, name);
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
      const dead = maker[2] === hostName() && !isAlive(Number(maker[1]));
      if (dead || mtimeMs < Date.now() - DAY_MS) await rm(path, { recursive: true, force: true });
    }
  }

  private report(folder: string, what: string): void {
    this.options.report?.(`artifact ${folder} ${what}; it is not used and will be made again`);
  }
}

/** Puts a whole folder in the place of another. The old one is out of sight before it is deleted. */
async function replaceFolder(from: string, to: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const old = temporaryFolder(to);
    const had = await rename(to, old).then(
      () => true,
      () => false,
    );
    try {
      await rename(from, to);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      // Another maker put its equal result there in between.
      if (attempt < 5 && ['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(code)) continue;
      throw error;
    } finally {
      if (had) await rm(old, { recursive: true, force: true });
    }
    return;
  }
}

async function removeFolder(folder: string): Promise<void> {
  const old = temporaryFolder(folder);
  await rename(folder, old);
  await rm(old, { recursive: true, force: true });
}

/** The record's time of change is the time of last use. */
async function markUsed(folder: string): Promise<void> {
  const now = new Date();
  // A read-only store still serves its results.
  await utimes(join(folder, RECORD), now, now).catch(() => undefined);
}

function temporaryFolder(folder: string): string {
  return `${folder}.${process.pid}@${hostName()}@${randomBytes(4).toString('hex')}.tmp`;
}

function hostName(): string {
  return hostname().replace(/[^A-Za-z0-9.-]/g, '-');
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
