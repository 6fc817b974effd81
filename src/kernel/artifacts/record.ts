/** artifact.json: written last, and checked whenever it is read. */
import { join } from 'node:path';
import { digestFolder } from '../io/digest.js';
import { parseJson, writeFileAtomic } from '../io/files.js';
import { canonicalJson, sha256 } from '../io/hash.js';
import { artifactFolderName, artifactId } from './identity.js';
import type { ArtifactKey, ArtifactRecord } from './types.js';

export const RECORD = 'artifact.json';

/** Hashes and flushes the files of a folder, then writes the record with these hashes. */
export async function writeRecord(
  folder: string,
  record: Omit<ArtifactRecord, 'files' | 'check'>,
): Promise<ArtifactRecord> {
  const whole = { ...record, files: await digestFolder(folder, [RECORD]) };
  const checked: ArtifactRecord = { ...whole, check: checkOf(whole) };
  await writeFileAtomic(join(folder, RECORD), `${JSON.stringify(checked, null, 2)}\n`);
  return checked;
}

/** Writes a record again with changed text, such as a note; the hashes of its files stay as they were. */
export async function rewriteRecord(
  folder: string,
  { check: _, ...record }: ArtifactRecord,
  words: Pick<ArtifactRecord, 'note' | 'madeBy'>,
): Promise<ArtifactRecord> {
  const { note, ...rest } = { ...record, ...words };
  const whole: ArtifactRecord = note ? { ...rest, note } : rest;
  // Records of earlier versions have neither file hashes nor a check.
  const written: ArtifactRecord = whole.files === undefined ? whole : { ...whole, check: checkOf(whole) };
  await writeFileAtomic(join(folder, RECORD), `${JSON.stringify(written, null, 2)}\n`);
  return written;
}

/** Parses a record. @throws Error unless it is complete, its id fits the folder's name, and it is of `key` */
export function parseRecord(text: string, folder: string, key?: ArtifactKey): ArtifactRecord {
  const record = parseJson(text, RECORD) as ArtifactRecord;
  const id = artifactId(record);
  if (id !== record.id || !folder.endsWith(artifactFolderName(record.kind, id)) || (key && artifactId(key) !== id))
    throw new Error(`its id is ${record.id} but its contents hash to ${id}`);
  const { check, ...rest } = record;
  if ((check !== undefined || record.files !== undefined) && check !== checkOf(rest))
    throw new Error('its contents are not what was written');
  return record;
}

function checkOf(record: Omit<ArtifactRecord, 'check'>): string {
  return sha256(['fgnb record 1', canonicalJson(record, 'record')]);
}
