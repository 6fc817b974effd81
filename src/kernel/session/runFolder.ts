/**
 * The kernel's side of its run folder: it reads and writes nothing in a place that another user could have prepared.
 */
import fs from 'node:fs';
import path from 'node:path';
import { privacyProblem, type PlaceFacts, type PlaceKind } from '../../protocol/private.js';

const TOKEN_CHARACTERS = { min: 16, max: 1024 };

function demand(place: string, facts: PlaceFacts, kind: PlaceKind): void {
  const problem = privacyProblem(place, facts, kind, process.getuid?.());
  if (problem) throw new Error(`${problem}: the kernel does not start there`);
}

/** @throws Error for the user when the folder is a link, belongs to another user, or is open to others */
export function checkRunFolder(folder: string): void {
  demand(folder, fs.lstatSync(folder), 'folder');
}

/** The client's token. @throws Error for the user when its file is not private or holds no token */
export function readToken(folder: string): string {
  const file = path.join(folder, 'token');
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = fs.constants;
  const descriptor = fs.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const facts = fs.fstatSync(descriptor);
    demand(file, facts, 'file');
    const { min, max } = TOKEN_CHARACTERS;
    const token = facts.size > max ? '' : fs.readFileSync(descriptor, 'utf8').trim();
    if (token.length < min) throw new Error(`the token in ${folder} must have ${min} to ${max} characters`);
    return token;
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Writes a file of the run folder: as a new file that is renamed into place, so that it is never half written. */
export function writePrivate(file: string, text: string): void {
  const beside = `${file}.tmp`;
  fs.rmSync(beside, { force: true });
  fs.writeFileSync(beside, text, { mode: 0o600, flag: 'wx' });
  fs.renameSync(beside, file);
}

/** Process id in a kernel's record; undefined where there is no record. */
export function recordedPid(file: string): number | undefined {
  try {
    return (JSON.parse(fs.readFileSync(file, 'utf8')) as { pid?: number } | null)?.pid;
  } catch {
    return undefined;
  }
}
