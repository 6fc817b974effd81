/** What a path or a repository of the hub holds: the source of fg.inspect and of `fgnb inspect`. */
import { stat } from 'node:fs/promises';
import { basename, isAbsolute, posix } from 'node:path';
import { kindOfPath, safeJoin } from '../io/files.js';
import { filesOf, inspectFile, inspectFolder } from './folder.js';
import { Report, type Subject } from './report.js';
import { inspectRepository, type InspectOptions } from './repository.js';
import type { Inspection } from './types.js';

export type { InspectOptions } from './repository.js';

/**
 * Tells what is at an absolute path, or in the repository of a hub id. Headers and samples of values are read, never the
 * whole of a large file; of a repository headers alone are downloaded. What a loader would refuse is told, not thrown.
 *
 * @param located absolute path or hub id
 * @param asked the same as it was written, for the line that loads it
 * @throws when there is nothing there, or the hub cannot be asked
 */
export async function inspect(located: string, asked: string, options: InspectOptions = {}): Promise<Inspection> {
  if (!isAbsolute(located)) return inspectRepository(located, options);
  const { inside } = options;
  const path = inside === undefined ? located : safeJoin(located, inside);
  const shown = inside === undefined ? asked : posix.join(asked, inside);
  const kind = await kindOfPath(path);
  if (!kind) throw new Error(`nothing to inspect at ${path}: there is no such file or folder`);
  const report = new Report(shown);
  const subject: Subject = { path, asked: shown, remote: false, signal: options.signal };
  report.inspection.files =
    kind === 'folder' ? await filesOf(path) : [{ path: basename(path), bytes: (await stat(path)).size }];
  if (kind === 'folder') await inspectFolder(subject, report);
  else await inspectFile(subject, report);
  return report.finish();
}
