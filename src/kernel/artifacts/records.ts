/** The records that an artifact folder holds: validated when read, listed, found by id, and checked file by file. */
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { checkFolder } from '../io/digest.js';
import { kindOfPath, messageOf } from '../io/files.js';
import { artifactFolderName } from './identity.js';
import { parseRecord, RECORD } from './record.js';
import type { ArtifactKey, ArtifactRecord } from './types.js';

/** An artifact in the store. */
export interface FoundArtifact {
  record: ArtifactRecord;
  /** Absolute path. */
  folder: string;
}

/** Result of checking an artifact's files. */
export interface CheckedArtifact {
  /** Name of its folder. */
  name: string;
  /**
   * 'whole': every byte is as it was written; 'unhashed': written by a version without hashes; 'damaged': see
   * `problem`.
   */
  state: 'whole' | 'unhashed' | 'damaged';
  /** Absent where the record itself cannot be trusted. */
  record?: ArtifactRecord;
  /** Size of its files as they were written. */
  bytes: number;
  /** What is wrong, with the file and the place. */
  problem?: string;
}

const FOLDER_NAME = /^[a-z][a-z0-9-]*-[0-9a-f]{16}$/;

/** The records of one artifact folder; `report` is told of damaged ones. */
export class Records {
  constructor(
    readonly folder: string,
    private readonly report: (folder: string, what: string) => void,
  ) {}

  /** Folders of artifacts, damaged or not. */
  async folders(): Promise<string[]> {
    const names = await readdir(this.folder, { withFileTypes: true }).catch(() => []);
    return names
      .filter((entry) => entry.isDirectory() && FOLDER_NAME.test(entry.name))
      .map((entry) => join(this.folder, entry.name));
  }

  /** The record in a folder, when it is whole and hashes to the folder's name (and is of `key`). */
  async trusted(folder: string, key?: ArtifactKey): Promise<ArtifactRecord | undefined> {
    let text: string;
    try {
      text = await readFile(join(folder, RECORD), 'utf8');
    } catch (error) {
      if (await kindOfPath(folder)) this.report(folder, `has no readable ${RECORD} (${messageOf(error)})`);
      return undefined;
    }
    try {
      return parseRecord(text, folder, key);
    } catch (error) {
      this.report(folder, `has a damaged ${RECORD} (${messageOf(error)})`);
      return undefined;
    }
  }

  /** Records of all whole artifacts, newest first. Damaged ones are left out and reported. */
  async list(): Promise<ArtifactRecord[]> {
    const records = await this.among(await this.folders());
    return records.sort((a, b) => (a.created < b.created ? 1 : a.created > b.created ? -1 : a.id < b.id ? -1 : 1));
  }

  /** The artifact of an id (or of its first 8 digits or more). Throws when two artifacts begin alike. */
  async find(id: string): Promise<FoundArtifact | undefined> {
    if (!/^[0-9a-f]{8,64}$/.test(id)) throw new Error(`artifact id "${id}": expected 8 to 64 hex digits`);
    // Folder names end with 16 digits of the id: only matching folders are read.
    const alike = (await this.folders()).filter((folder) => idDigits(folder).startsWith(id.slice(0, 16)));
    const named = (await this.among(alike)).filter((record) => record.id.startsWith(id));
    const found = named.length > 0 ? named : (await this.list()).filter((record) => record.contents?.startsWith(id));
    // Several artifacts with the same contents count as one: the newest is given.
    if (found.length > 1 && (named.length > 0 || found.some((r) => r.contents !== found[0].contents))) {
      throw new Error(
        `artifact id "${id}" is short: ${found.map((r) => `${r.kind} ${r.id}`).join(', ')} begin with it`,
      );
    }
    const record = found.at(0);
    return record && { record, folder: join(this.folder, artifactFolderName(record.kind, record.id)) };
  }

  /** The artifact of an id. @throws when there is none, naming the newest */
  async require(id: string): Promise<FoundArtifact> {
    const found = await this.find(id);
    if (found) return found;
    const newest = (await this.list()).slice(0, 3).map((r) => `${r.kind} ${r.id.slice(0, 8)} ${r.title ?? ''}`.trim());
    throw new Error(
      `no artifact ${id} in ${this.folder}; ${newest.length > 0 ? `the newest are ${newest.join(', ')}` : 'it has none'}`,
    );
  }

  /** Reads every file of an artifact to its end and compares it with the hashes of its record. */
  async check(folder: string): Promise<CheckedArtifact> {
    const name = basename(folder);
    let record: ArtifactRecord;
    try {
      record = parseRecord(await readFile(join(folder, RECORD), 'utf8'), folder);
    } catch (error) {
      return { name, state: 'damaged', bytes: 0, problem: `${RECORD}: ${messageOf(error)}` };
    }
    if (!record.files) return { name, state: 'unhashed', record, bytes: 0 };
    const bytes = Object.values(record.files).reduce((sum, file) => sum + file.bytes, 0);
    try {
      await checkFolder(folder, record.files);
      return { name, state: 'whole', record, bytes };
    } catch (error) {
      return { name, state: 'damaged', record, bytes, problem: messageOf(error) };
    }
  }

  private async among(folders: readonly string[]): Promise<ArtifactRecord[]> {
    const records: ArtifactRecord[] = [];
    for (const folder of folders) {
      const record = await this.trusted(folder);
      if (record) records.push(record);
    }
    return records;
  }
}

const idDigits = (folder: string): string => folder.slice(-16);
