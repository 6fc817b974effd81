/** Which files of a dataset hold a split: the naming habits of the Hugging Face hub. */
import { join } from 'node:path';
import { matchFiles } from './glob.js';
import { HubError, listRepo, resolveRepo, type RepoOptions } from './hub.js';
import type { READ } from './texts.js';
import type { Given } from '../verb/option.js';

/** The branch on which the hub keeps a parquet copy of every dataset. */
const CONVERTED = 'refs/convert/parquet';

export type DatasetOptions = Pick<Given<typeof READ>, 'config'> & { readonly split: string } & Omit<
    RepoOptions,
    'repoType'
  >;

/**
 * Files of a split in order, as local paths. Each is downloaded only when the loop asks for it, so that reading the
 * first texts downloads only the first shard. A dataset without files of the known kinds is read from its parquet
 * branch.
 */
export async function* datasetFiles(idOrFolder: string, options: DatasetOptions): AsyncGenerator<string> {
  const { split, config } = options;
  let repo: RepoOptions = { ...options, repoType: 'dataset' };
  let names = await listRepo(idOrFolder, repo);
  let found = splitFiles(names, split, config);
  if (found.length === 0 && options.revision === undefined) {
    repo = { ...repo, revision: CONVERTED };
    const converted = await listRepo(idOrFolder, repo).catch((error: unknown) => {
      if (error instanceof HubError && ['no-revision', 'no-repo', 'network'].includes(error.code)) return [];
      throw error;
    });
    found = splitFiles(converted, split, config);
    names = [...names, ...converted];
  }
  if (found.length === 0) {
    throw new Error(
      `${idOrFolder} has no files of split "${split}"${config ? ` in "${config}"` : ''}; it has ${names.slice(0, 30).join(', ') || 'no files'}`,
    );
  }
  const folders = [...new Set(found.map((name) => name.slice(0, name.lastIndexOf('/') + 1)))];
  if (folders.length > 1) {
    throw new Error(
      `${idOrFolder} has split "${split}" in ${folders.join(', ')}: set { config } to the folder that is meant`,
    );
  }
  for (const name of found) yield join(await resolveRepo(idOrFolder, { ...repo, files: [name] }), ...name.split('/'));
}

/**
 * Names of a split's files: `<split>-00000-of-00004.parquet`, `<split>/0000.parquet`, `<split>.jsonl`, in any folder.
 */
export function splitFiles(names: readonly string[], split: string, config?: string): string[] {
  const below = config === undefined ? '**/' : `${config}/**/`;
  const kinds = ['parquet', 'jsonl', 'json', 'txt'];
  const patterns = kinds.flatMap((kind) =>
    [`${split}-*.${kind}`, `${split}/*.${kind}`, `${split}.${kind}`, `*-${split}.${kind}`].map((p) => below + p),
  );
  return matchFiles(names, patterns.join('|'));
}
