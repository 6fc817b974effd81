/**
 * Whether a folder, file or socket is the user's own and closed to others: kernel and extension meet only in such
 * places. Pure: it judges what `lstat` (never `stat`) or `fstat` said.
 */

/** Of Node's Stats. */
export interface PlaceFacts {
  uid: number;
  mode: number;
  isDirectory(): boolean;
  isFile(): boolean;
  isSocket(): boolean;
  isSymbolicLink(): boolean;
}

export type PlaceKind = 'folder' | 'file' | 'socket';

const OTHERS = 0o077;

function isKind(facts: PlaceFacts, kind: PlaceKind): boolean {
  return kind === 'folder' ? facts.isDirectory() : kind === 'file' ? facts.isFile() : facts.isSocket();
}

/**
 * Why a place is not private to the user `uid`, in words; undefined when it is.
 * @param uid undefined where the system has no user ids (Windows: folders of the profile are private).
 */
export function privacyProblem(
  path: string,
  facts: PlaceFacts,
  kind: PlaceKind,
  uid: number | undefined,
): string | undefined {
  if (facts.isSymbolicLink()) return `${path} is a link; a ${kind} of yours is expected`;
  if (!isKind(facts, kind)) return `${path} is not a ${kind}`;
  if (uid === undefined) return undefined;
  if (facts.uid !== uid) return `${path} belongs to another user (user id ${facts.uid}, yours is ${uid})`;
  const mode = facts.mode & 0o777;
  if ((mode & OTHERS) !== 0) return `${path} is open to other users (mode ${mode.toString(8).padStart(4, '0')})`;
  return undefined;
}
