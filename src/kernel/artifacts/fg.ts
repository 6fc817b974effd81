/** fg.artifacts: results on disk, with identity and provenance. */
import type { OutputItem } from '../../protocol/notebook.js';
import { tableItems, tableOf } from '../present/items.js';
import { words } from '../verb/common.js';
import { namespace } from '../verb/namespace.js';
import { value } from '../verb/option.js';
import { syncVerb, verb } from '../verb/verb.js';
import type { CheckedArtifact, FoundArtifact } from './records.js';
import { LIST, pruneOptions, searchRecords } from './search.js';
import type { ArtifactRecord } from './types.js';

/** A table of records, one a row: kind and title, an id that find takes, and where it came from. */
function recordItems(records: readonly ArtifactRecord[], title: string): OutputItem[] {
  const noted = records.some(({ note }) => note !== undefined);
  return tableItems(
    tableOf(
      records.map(({ kind, id, title: name, note, madeBy, created, device, wallMs }) => ({
        kind,
        id: id.slice(0, 8),
        title: name,
        ...(noted ? { note: note ?? '' } : {}),
        'made by': [madeBy?.notebook, madeBy?.cell].filter(Boolean).join(' '),
        created: created.slice(0, 16).replace('T', ' '),
        seconds: wallMs / 1000,
        device,
      })),
      title,
      1000,
    ),
  );
}

const folder = syncVerb({
  doc: 'Absolute path of the folder that holds the artifacts of the notebook.',
  args: [],
  run: ({ env }) => env.store.folder,
});

const list = verb({
  doc: 'Records of everything in the artifact folder, newest first: kind, parameters, identities of inputs, device, packages, time. Damaged artifacts are left out and told of.',
  args: [],
  options: LIST,
  async run({ env, options }): Promise<ArtifactRecord[]> {
    return searchRecords(await env.store.list(), options);
  },
  show: (records, { env }) => recordItems(records, `Artifacts in ${env.store.folder}`),
});

const verify = verb({
  doc: 'Reads every byte of the artifacts and compares it with the hashes of their records. Shows those that are damaged and how many are whole.',
  args: [],
  options: {
    ids: value<readonly string[]>(
      'an array of ids, or of their first 8 digits or more',
      { doc: 'Artifacts to check.', fallback: 'all' },
      (given) => Array.isArray(given) && given.every((id) => typeof id === 'string'),
    ),
  },
  run: ({ env, options }): Promise<CheckedArtifact[]> => env.store.verify(options.ids),
  show: (checked, { env }) =>
    tableItems(
      tableOf(
        checked.map(({ name, state, bytes, record, problem }) => ({
          artifact: name,
          state,
          MB: bytes / 1e6,
          title: record?.title,
          problem,
        })),
        `${checked.filter(({ state }) => state === 'whole').length} of ${checked.length} artifacts are whole in ${env.store.folder}`,
        1000,
      ),
    ),
});

const find = verb({
  doc: 'The record and folder of an artifact; undefined when there is none.',
  args: [words('id', 'Its id, or the first 8 digits or more.')],
  options: {},
  errors: ['What is no id, and an id that several artifacts begin with, are refused.'],
  run: ({ env }, id): Promise<FoundArtifact | undefined> => env.store.find(id),
});

/** fg.artifacts. `kinds`: the kinds that verbs keep, as they are declared. */
export const artifacts = (kinds: readonly string[]) => {
  const known = [...new Set(kinds)].sort();
  const prune = verb({
    doc: 'Deletes artifacts that were neither made nor loaded for some days, and what crashed calls left behind; returns the records of what went.',
    args: [],
    options: pruneOptions(known),
    run: ({ env, options }): Promise<ArtifactRecord[]> => env.store.prune(options),
    show: (records) => recordItems(records, 'Deleted artifacts'),
  });
  return namespace({
    name: 'artifacts',
    doc: 'Results on disk, each with its identity and where it came from. A call that makes one again loads it.',
    example: `const circle = Array.from({ length: 50 }, (_, i) => [Math.cos(i / 8), Math.sin(i / 8)])
await fg.mapper.lens(circle, 'pca')
const [newest] = await fg.artifacts.list()
const { record, folder } = (await fg.artifacts.find(newest.id.slice(0, 8)))!
await fg.artifacts.verify({ ids: [newest.id] })
await fg.artifacts.prune({ unusedDays: 30, kinds: ['lens'] })`,
    verbs: { list, find, verify, prune, folder },
  });
};
