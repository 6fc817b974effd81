/**
 * Results on disk. `<folder>/<kind>-<16 digits of the id>/` holds the arrays and `artifact.json`, the full record with
 * hashes of all files. A result is made in a temporary folder beside, flushed, its record is written last, and the
 * folder is renamed: neither a crash nor two makers at once leave a half-written artifact. `<folder>/<kind>-<…>.lock`
 * says who makes it; another kernel waits and then loads it. An artifact that loads was made with exactly the key that
 * hashes to its name, and its files are as they were written.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { SharedWork } from '../compute/work.js';
import { checkFolder } from '../io/digest.js';
import { kindOfPath, messageOf, syncFolder, writeError } from '../io/files.js';
import { FileLock, isAlive, isStaleLock, type LockOwner } from '../io/lock.js';
import { artifactFolderName, artifactId } from './identity.js';
import { packageVersions } from './packages.js';
import { RECORD, rewriteRecord, writeRecord } from './record.js';
import { Records, type CheckedArtifact, type FoundArtifact } from './records.js';
import type { PruneOptions } from './search.js';
import type { ArtifactKey, ArtifactRecord, MadeBy } from './types.js';

export { MismatchError, requireSame } from './identity.js';

const DAY_MS = 86_400_000;

export interface ArtifactStoreOptions {
  /** Device that computes, asked when a record is written. */
  device: () => string;
  /** Told of damaged artifacts that are made again, and of other kernels that are waited for. */
  report?: (message: string) => void;
  /** Asked when a call begins to wait for another kernel; aborting the signal ends the wait. */
  signal?: () => AbortSignal | undefined;
  /** Asked when a record is written: the cell that makes it. */
  madeBy?: () => MadeBy | undefined;
}

export interface ComputeOptions<T> {
  /** Make it again even when it is there. */
  fresh?: boolean;
  /** As shown to the user. */
  title?: string;
  /**
   * File or folder with the state from which a stopped run goes on. Only the call that makes the result touches it; it
   * is deleted once the result and its record are safe on the disk.
   */
  unfinished?: string;
  /**
   * Files that `load` does not read to the end: they are measured only, and checked as they are read (record.files).
   */
  lazy?: (file: string) => boolean;
  /** Writes every file of the result into the folder, but not the record. May return the record's `contents`. */
  make(temporaryFolder: string): Promise<string | void>;
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

/** A result on the disk; `cached`: another kernel made it while this one waited. */
interface Made {
  record: ArtifactRecord;
  cached: boolean;
}

/** Computations running in this process, by folder: equal calls wait for one. */
const running = new SharedWork<string, Made>();

/** The results of one artifact folder: made, loaded, found and deleted. */
export class ArtifactStore {
  readonly folder: string;
  private readonly records: Records;

  /** Creates nothing on the disk before the first result. */
  constructor(
    folder: string,
    private readonly options: ArtifactStoreOptions,
  ) {
    this.folder = resolve(folder);
    this.records = new Records(this.folder, (at, what) => this.report(at, what));
  }

  idOf(key: ArtifactKey): string {
    return artifactId(key);
  }

  /** The folder of a key's result, whether it exists or not. */
  folderOf(key: ArtifactKey): string {
    return join(this.folder, artifactFolderName(key.kind, artifactId(key)));
  }

  /**
   * The result of `key`: loaded when it is there, else made and loaded. A record that cannot be trusted (damaged, or of
   * another key) and a result that is damaged or does not load are reported and made again. Equal calls at the same
   * time, of this kernel or of others, make once.
   */
  async compute<T>(key: ArtifactKey, options: ComputeOptions<T>): Promise<Computed<T>> {
    const folder = this.folderOf(key);
    const found = options.fresh ? 'unwanted' : await this.loadCached(folder, key, options);
    if (typeof found === 'object') {
      await this.clearAfterKill(folder, options.unfinished);
      return found;
    }
    const { record, cached } = await this.makeOnce(folder, key, options, found);
    return { value: await options.load(folder, record), record, cached, folder };
  }

  /** The record of a result, whose files are not read; undefined where there is none or it is damaged. */
  keptRecord(key: ArtifactKey): Promise<ArtifactRecord | undefined> {
    return this.records.trusted(this.folderOf(key), key);
  }

  /**
   * The folder and record of a result after every byte was compared with its hashes, or why it cannot be used. Makes
   * nothing.
   */
  async checked(key: ArtifactKey): Promise<{ folder: string; record: ArtifactRecord } | 'absent' | 'damaged'> {
    const folder = this.folderOf(key);
    const found = await this.loadCached(folder, key, { load: () => Promise.resolve(folder) });
    return typeof found === 'object' ? { folder, record: found.record } : found;
  }

  /** Deletes a result, unless it is being made right now. */
  async drop(key: ArtifactKey): Promise<void> {
    const folder = this.folderOf(key);
    const lock = await FileLock.tryTake(`${folder}.lock`);
    if (lock) await removeFolder(folder).finally(() => lock.release());
  }

  /** Records of all whole artifacts, newest first. Damaged ones are left out and reported. */
  list(): Promise<ArtifactRecord[]> {
    return this.records.list();
  }

  /** The artifact of an id (or of its first 8 digits or more). Throws when two artifacts begin alike. */
  find(id: string): Promise<FoundArtifact | undefined> {
    return this.records.find(id);
  }

  /** As find, but the artifact must exist. @throws Error that names the newest ones */
  require(id: string): Promise<FoundArtifact> {
    return this.records.require(id);
  }

  /** Reads every byte of the artifacts with these ids, or of all, and compares it with the hashes. */
  async verify(ids?: readonly string[]): Promise<CheckedArtifact[]> {
    const folders = ids
      ? await Promise.all(ids.map(async (id) => (await this.require(id)).folder))
      : await this.records.folders();
    const checked: CheckedArtifact[] = [];
    for (const folder of folders) checked.push(await this.records.check(folder));
    return checked;
  }

  /**
   * A result by the id of its record, or its first 8 digits or more. `how` gives, for its record, the function that
   * reads it.
   * @throws when there is none, two begin alike, or its files are not what was written
   */
  async open<T>(
    id: string,
    how: (record: ArtifactRecord) => Pick<ComputeOptions<T>, 'load' | 'lazy'>,
  ): Promise<{ value: T; record: ArtifactRecord; folder: string }> {
    const { record, folder } = await this.require(id);
    const { load, lazy } = how(record);
    try {
      if (record.files) await checkFolder(folder, record.files, lazy);
      const value = await load(folder, record);
      await markUsed(folder);
      return { value, record, folder };
    } catch (error) {
      if (error instanceof Error && error.name === 'AbortError') throw error;
      const what = `${record.kind} ${record.id.slice(0, 16)}${record.title ? ` (${record.title})` : ''}`;
      throw new Error(`${what} does not load: ${messageOf(error)}; the call that made it makes it again`, {
        cause: error,
      });
    }
  }

  /** Writes a note about an artifact into its record, with where it was written; an empty note removes it. */
  async annotate(id: string, note: string): Promise<ArtifactRecord> {
    const { record, folder } = await this.require(id);
    const now = this.options.madeBy?.();
    return rewriteRecord(folder, record, { note, madeBy: { ...now, ...record.madeBy, ...keyFiguresOf(now) } });
  }

  /**
   * Deletes artifacts that were neither made nor loaded for `unusedDays` days, and leftovers of crashed makers. Returns
   * the records of the deleted ones.
   */
  async prune({ unusedDays, kinds }: PruneOptions): Promise<ArtifactRecord[]> {
    const before = Date.now() - unusedDays * DAY_MS;
    const gone: ArtifactRecord[] = [];
    for (const folder of await this.records.folders()) {
      const record = await this.records.trusted(folder);
      if (!record || running.has(folder) || (kinds && !kinds.includes(record.kind))) continue;
      const used = await mtimeOf(join(folder, RECORD));
      if (used === undefined || used > before) continue;
      const lock = await FileLock.tryTake(`${folder}.lock`);
      if (!lock) continue;
      if (await removeFolder(folder).finally(() => lock.release())) gone.push(record);
    }
    await this.removeLeftovers();
    return gone;
  }

  private async loadCached<T>(
    folder: string,
    key: ArtifactKey,
    { load, lazy }: Pick<ComputeOptions<T>, 'load' | 'lazy'>,
  ): Promise<Computed<T> | 'absent' | 'damaged'> {
    const record = await this.records.trusted(folder, key);
    if (!record) return (await kindOfPath(folder)) ? 'damaged' : 'absent';
    try {
      if (record.files) await checkFolder(folder, record.files, lazy);
      const value = await load(folder, record);
      if (!record.files) await this.addHashes(folder, record);
      await markUsed(folder);
      return { value, record, cached: true, folder };
    } catch (error) {
      if (error instanceof Error && error.name === 'AbortError') throw error;
      this.report(folder, `does not load (${messageOf(error)})`);
      return 'damaged';
    }
  }

  /** An artifact of a version that wrote no hashes is hashed when it has loaded for the first time. */
  private async addHashes(folder: string, record: ArtifactRecord): Promise<void> {
    try {
      await writeRecord(folder, record);
    } catch (error) {
      // A read-only store still serves its results.
      if (!['EROFS', 'EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }

  private async makeOnce<T>(
    folder: string,
    key: ArtifactKey,
    options: ComputeOptions<T>,
    found: 'absent' | 'damaged' | 'unwanted',
  ): Promise<Made> {
    for (let other = running.get(folder); other; other = running.get(folder)) {
      // The other call may fail for its own reasons (its caller cancelled): then this one makes the result itself.
      const made = await other.catch(() => undefined);
      if (made) return { ...made, cached: false };
    }
    return running.begin(folder, (requireCurrent) => this.makeLocked(folder, key, options, found, requireCurrent));
  }

  /** Makes a result while holding its lock; a result that another kernel made in the meantime is used instead. */
  private async makeLocked<T>(
    folder: string,
    key: ArtifactKey,
    options: ComputeOptions<T>,
    found: 'absent' | 'damaged' | 'unwanted',
    requireCurrent: () => void,
  ): Promise<Made> {
    await mkdir(this.folder, { recursive: true });
    let waited = false;
    const lock = await FileLock.take(`${folder}.lock`, {
      signal: this.options.signal?.(),
      onWait: (owner) => {
        waited = true;
        this.options.report?.(`${options.title ?? key.kind} is being made by ${describeOwner(owner)}; waiting for it`);
      },
    });
    try {
      if (found === 'absent' || (waited && found === 'damaged')) {
        const theirs = await this.loadCached(folder, key, options);
        if (typeof theirs === 'object') return { record: theirs.record, cached: true };
      }
      return { record: await this.make(folder, key, options, requireCurrent), cached: false };
    } finally {
      await lock.release();
    }
  }

  private async make<T>(
    folder: string,
    key: ArtifactKey,
    { make, title, unfinished }: ComputeOptions<T>,
    requireCurrent: () => void,
  ): Promise<ArtifactRecord> {
    const temporary = temporaryFolder(folder);
    await mkdir(temporary);
    try {
      const start = performance.now();
      const madeBy = this.options.madeBy?.();
      const contents = await make(temporary);
      const record = await writeRecord(temporary, {
        id: artifactId(key),
        kind: key.kind,
        parameters: key.parameters,
        inputs: key.inputs,
        codeVersion: key.codeVersion,
        ...(title === undefined ? {} : { title }),
        ...(typeof contents === 'string' ? { contents } : {}),
        ...(madeBy === undefined ? {} : { madeBy }),
        created: new Date().toISOString(),
        device: this.options.device(),
        packages: packageVersions(),
        wallMs: Math.round(performance.now() - start),
      });
      // A stopped call may get here late, when another already makes the same result.
      requireCurrent();
      await replaceFolder(temporary, folder);
      await syncFolder(this.folder);
      // Deleted only now: a process that is killed earlier goes on from it.
      requireCurrent();
      if (unfinished !== undefined) await rm(unfinished, { recursive: true, force: true });
      return record;
    } catch (error) {
      throw writeError(folder, error);
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  }

  /**
   * Deletes what a maker leaves that was killed when its result was safe: the state it would have resumed from, and its
   * lock. Another kernel that makes the result afresh keeps its own.
   */
  private async clearAfterKill(folder: string, unfinished: string | undefined): Promise<void> {
    if (running.has(folder)) return;
    const left = unfinished !== undefined && (await kindOfPath(unfinished)) !== undefined;
    if (!left && !(await isStaleLock(`${folder}.lock`))) return;
    const lock = await FileLock.tryTake(`${folder}.lock`).catch(() => undefined);
    if (!lock) return;
    const cleared = left ? rm(unfinished, { recursive: true, force: true }) : Promise.resolve();
    await cleared.finally(() => lock.release());
  }

  /** Deletes temporary folders whose maker is gone: of a dead process on this host, or a day old. */
  private async removeLeftovers(): Promise<void> {
    for (const name of await readdir(this.folder).catch(() => [] as string[])) {
      const lockFile = join(this.folder, name);
      if (name.endsWith('.lock') && (await isStaleLock(lockFile))) await (await FileLock.tryTake(lockFile))?.release();
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

/** Replaces a folder. The old one is renamed out of the way before it is deleted. */
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
      // Another maker put its equal result there in the meantime.
      if (attempt < 5 && ['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(code)) continue;
      throw error;
    } finally {
      if (had) await rm(old, { recursive: true, force: true });
    }
    return;
  }
}

/** False where the folder is already gone: another call or kernel deletes too. */
async function removeFolder(folder: string): Promise<boolean> {
  const old = temporaryFolder(folder);
  try {
    await rename(folder, old);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  await rm(old, { recursive: true, force: true });
  return true;
}

/** Undefined where the file is gone. */
async function mtimeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Sets the record's time of change, which stands for the time of last use. */
async function markUsed(folder: string): Promise<void> {
  const now = new Date();
  // A read-only store still serves its results.
  await utimes(join(folder, RECORD), now, now).catch(() => undefined);
}

function temporaryFolder(folder: string): string {
  return `${folder}.${process.pid}@${hostName()}@${randomBytes(4).toString('hex')}.tmp`;
}

function keyFiguresOf(by: MadeBy | undefined): Pick<MadeBy, 'keyFigures'> {
  return by?.keyFigures ? { keyFigures: by.keyFigures } : {};
}

function hostName(): string {
  return hostname().replace(/[^A-Za-z0-9.-]/g, '-');
}

function describeOwner(owner: LockOwner | undefined): string {
  if (!owner) return 'another kernel';
  return `process ${owner.pid} on ${owner.host} since ${owner.since.slice(0, 19).replace('T', ' ')} UTC`;
}
