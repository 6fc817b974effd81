/** `fgnb artifacts`: the results that a folder keeps, read without a kernel. */
import { cp } from 'node:fs/promises';
import path from 'node:path';
import { formatBytes } from '../../protocol/bytes.js';
import type { FoundArtifact } from '../artifacts/records.js';
import { DATE_WORDS, dateOf, searchRecords } from '../artifacts/search.js';
import { ArtifactStore } from '../artifacts/store.js';
import type { ArtifactRecord } from '../artifacts/types.js';
import { checkFolder } from '../io/digest.js';
import { kindOfPath } from '../io/files.js';
import { command, print, shownPath, UsageError, writeError, type Command } from './command.js';

const OPTIONS = {
  kind: { type: 'string', multiple: true },
  title: { type: 'string' },
  note: { type: 'string' },
  notebook: { type: 'string' },
  since: { type: 'string' },
  before: { type: 'string' },
  'unused-days': { type: 'string' },
  out: { type: 'string' },
  artifacts: { type: 'string', default: '.fgnb' },
  json: { type: 'boolean' },
} as const;

type Values = Parameters<Command<typeof OPTIONS>['run']>[0];
type Name = keyof Values & string;

interface Action {
  /** Options that the action takes besides --artifacts and --json. */
  options: readonly Name[];
  run(store: ArtifactStore, values: Values, given: string[]): Promise<number>;
}

const sizeOf = (record: ArtifactRecord): number =>
  Object.values(record.files ?? {}).reduce((sum, file) => sum + file.bytes, 0);

const line = (record: ArtifactRecord): string =>
  [
    record.id.slice(0, 8),
    record.created.slice(0, 16).replace('T', ' '),
    record.kind.padEnd(12),
    formatBytes(sizeOf(record)).padStart(9),
    record.title ?? '',
  ]
    .join('  ')
    .trimEnd();

function dateGiven(name: 'since' | 'before', text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = dateOf(text);
  if (ms === undefined) throw new UsageError(`--${name} is "${text}"; expected ${DATE_WORDS}`);
  return ms;
}

async function list(store: ArtifactStore, values: Values, words: string[]): Promise<number> {
  const [since, before] = [dateGiven('since', values.since), dateGiven('before', values.before)];
  const { title, note, notebook, kind: kinds } = values;
  const all = await store.list();
  const found = searchRecords(all, { search: words.join(' '), title, note, notebook, since, before }).filter(
    ({ kind }) => !kinds || kinds.includes(kind),
  );
  if (values.json) found.forEach((record) => print(JSON.stringify(record)));
  else {
    found.forEach((record) => print(line(record)));
    print(`${found.length} of ${all.length} artifacts in ${shownPath(store.folder)}`);
  }
  return 0;
}

async function found(store: ArtifactStore, [id, ...more]: string[], action: string): Promise<FoundArtifact> {
  if (id === undefined || more.length > 0) throw new UsageError(`fgnb artifacts ${action} needs one id`);
  return store.require(id);
}

async function show(store: ArtifactStore, { json }: Values, given: string[]): Promise<number> {
  const { record, folder } = await found(store, given, 'show');
  if (json) return (print(JSON.stringify({ ...record, folder })), 0);
  const { kind, id, title, note, created, device, wallMs, madeBy, parameters, inputs, contents, files } = record;
  const rows: Array<[string, string | undefined]> = [
    ['kind', kind],
    ['id', id],
    ['contents', contents],
    ['title', title],
    ['note', note],
    ['made', `${created.slice(0, 19).replace('T', ' ')} UTC on ${device} in ${(wallMs / 1000).toFixed(1)} s`],
    ['notebook', madeBy?.notebook],
    ['cell', madeBy?.cell],
    ...Object.entries(madeBy?.keyFigures ?? {}).map(([name, value]): [string, string] => [name, value]),
    ['folder', shownPath(folder)],
    ...Object.entries(inputs).map(([name, value]): [string, string] => [`of ${name}`, value]),
    ['parameters', JSON.stringify(parameters, null, 2).replaceAll('\n', '\n              ')],
    ...Object.entries(files ?? {}).map(([name, { bytes }]): [string, string] => ['file', `${name} (${formatBytes(bytes)})`]), // prettier-ignore
  ];
  for (const [name, value] of rows) if (value !== undefined) print(`${name.padEnd(12)}  ${value}`);
  return 0;
}

/** Copies the files of an artifact and checks the copy, so that other programs read exactly what was written. */
async function load(store: ArtifactStore, { out, json }: Values, given: string[]): Promise<number> {
  const { record, folder } = await found(store, given, 'load');
  if (!out) throw new UsageError('fgnb artifacts load needs --out FOLDER');
  if (await kindOfPath(out)) throw new Error(`${out} exists already: give a folder that does not`);
  await cp(folder, out, { recursive: true, errorOnExist: true, force: false, verbatimSymlinks: true });
  if (record.files) await checkFolder(path.resolve(out), record.files);
  print(json ? JSON.stringify({ ...record, folder: path.resolve(out) }) : `${record.kind}  ${shownPath(out)}`);
  return 0;
}

async function verify(store: ArtifactStore, { json }: Values, ids: string[]): Promise<number> {
  const checked = await store.verify(ids.length > 0 ? ids : undefined);
  for (const { name, state, bytes, problem, record } of checked) {
    if (json) print(JSON.stringify({ name, state, bytes, problem, id: record?.id, title: record?.title }));
    else if (state !== 'whole') print(`${name}  ${problem ?? 'was written without hashes: nothing to compare with'}`);
  }
  const damaged = checked.filter(({ state }) => state === 'damaged').length;
  if (!json) {
    const unhashed = checked.filter(({ state }) => state === 'unhashed').length;
    const bytes = checked.reduce((sum, each) => sum + each.bytes, 0);
    print(
      `${checked.length - damaged - unhashed} of ${checked.length} artifacts are whole (${formatBytes(bytes)} read)` +
        `, ${damaged} damaged, ${unhashed} without hashes`,
    );
  }
  return damaged > 0 ? 1 : 0;
}

async function prune(store: ArtifactStore, values: Values, given: string[]): Promise<number> {
  const text = values['unused-days'];
  if (given.length > 0) throw new UsageError(`fgnb artifacts prune takes no ids: ${given.join(' ')}`);
  if (text === undefined || !/^\d+(\.\d+)?$/.test(text))
    throw new UsageError('fgnb artifacts prune needs --unused-days N, a number ≥ 0; 0 takes all');
  const gone = await store.prune({ unusedDays: Number(text), kinds: values.kind });
  for (const record of gone) print(values.json ? JSON.stringify(record) : line(record));
  if (!values.json) print(`${gone.length} artifacts deleted in ${shownPath(store.folder)}`);
  return 0;
}

const ACTIONS: Readonly<Record<string, Action>> = {
  list: { options: ['kind', 'title', 'note', 'notebook', 'since', 'before'], run: list },
  show: { options: [], run: show },
  load: { options: ['out'], run: load },
  verify: { options: [], run: verify },
  prune: { options: ['kind', 'unused-days'], run: prune },
};

export const artifacts = command({
  help: `  fgnb artifacts list [WORD]... [--kind KIND]... [--title WORDS] [--note WORDS] [--notebook WORDS] [--since DATE]
           [--before DATE]
  fgnb artifacts show ID
  fgnb artifacts load ID --out FOLDER
  fgnb artifacts verify [ID]...
  fgnb artifacts prune --unused-days N [--kind KIND]...
      The results that a folder keeps, newest first: those in which all words occur (in id, kind, title, note, cell, key
      figures or parameters), one whole record, a checked copy of one's files, a check of every byte, and the deletion of
      what was neither made nor loaded for N days. IDs may be cut to 8 digits; DATE is such as 2026-11-29 (UTC).
      All take --artifacts DIR (default .fgnb here) and --json, one record a line.
      Exit code: 0 done, 1 not there or damaged, 2 wrong usage.`,
  options: OPTIONS,
  takes: [1, Infinity, 'list, show, load, verify or prune'],
  async run(values, [name, ...given]) {
    if (!Object.hasOwn(ACTIONS, name))
      throw new UsageError(`fgnb artifacts ${name} is unknown; there are ${Object.keys(ACTIONS).join(', ')}`);
    const action = ACTIONS[name];
    for (const option of Object.keys(values) as Name[])
      if (option !== 'artifacts' && option !== 'json' && !action.options.includes(option))
        throw new UsageError(`fgnb artifacts ${name} takes no --${option}`);
    const folder = path.resolve(values.artifacts);
    if ((await kindOfPath(folder)) !== 'folder')
      throw new Error(`no artifact folder ${folder}: notebooks keep theirs in .fgnb beside them; give --artifacts DIR`);
    const store = new ArtifactStore(folder, {
      device: () => 'none',
      report: (message) => void writeError(`fgnb: ${message}\n`),
    });
    return action.run(store, values, given);
  },
});
