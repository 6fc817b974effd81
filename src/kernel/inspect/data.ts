/** What is no model and no SAE: arrays, token sets, datasets, kept results. */
import { basename, extname, join } from 'node:path';
import { parseRecord, RECORD } from '../artifacts/record.js';
import { ArtifactStore } from '../artifacts/store.js';
import type { ArtifactRecord } from '../artifacts/types.js';
import { openArrays } from '../io/arrays.js';
import { openData, readText } from '../io/files.js';
import { SafetensorsFile } from '../io/safetensors.js';
import { datasetColumns } from '../io/datasetColumns.js';
import type { WeightSource } from '../io/weights.js';
import type { Report, Subject } from './report.js';
import type { ArtifactFact } from './types.js';
import { lookAtValues } from './values.js';
import { quoted } from './words.js';

/** Pickles have no header: they are read whole. */
const MAX_PICKLE_BYTES = 256 << 20;
const PICKLE = /\.(pkl|pickle|p)$/i;

export async function inspectArrays(subject: Subject, bytes: number, report: Report): Promise<void> {
  const { path, asked } = subject;
  const ending = extname(path).slice(1).toLowerCase();
  const line = (several: boolean): string => `await fg.arrays.${several ? 'loadAll' : 'load'}(${quoted(asked)})`;
  report.is('arrays', ending || 'arrays', subject.remote ? null : line(false));
  if (PICKLE.test(path) && bytes > MAX_PICKLE_BYTES)
    return report.add(
      'not-looked-into',
      'warning',
      `${basename(path)}: a pickle has no header, and is read whole when it is loaded`,
    );
  let source: WeightSource;
  try {
    source = await openArrays(path);
  } catch (error) {
    return report.failed(error);
  }
  try {
    const tokens = source instanceof SafetensorsFile && source.metadata.format === 'fgnb tokens 1';
    const format = tokens ? 'token set, safetensors' : ending || 'arrays';
    report.is('arrays', format, subject.remote ? null : line(source.names().length !== 1));
    report.addTensors(source);
    const unread = report.inspection.tensors.filter(({ dtype }) => dtype === null).map(({ name }) => name);
    if (unread.length > 0)
      report.add('damaged', 'refused', `arrays of a type that is not read: ${unread.join(', ')}`, unread);
    if (!subject.remote) await lookAtValues(report, source, 'note', subject.signal);
  } finally {
    await source.close();
  }
}

export async function inspectDataset(subject: Subject, file: string, report: Report): Promise<void> {
  report.is('dataset', `dataset, ${extname(file).slice(1)}`, `await fg.datasets.load(${quoted(subject.asked)})`);
  try {
    report.inspection.dataset = await datasetColumns(file);
  } catch (error) {
    report.failed(error);
  }
}

/** A kept result by its folder. */
export async function inspectArtifact(subject: Subject, report: Report): Promise<void> {
  report.is('artifact', 'kept result', null);
  try {
    const record = parseRecord(await readText(join(subject.path, RECORD)), subject.path);
    report.inspection.artifacts = [artifactFact(record)];
    report.is('artifact', `kept result, ${record.kind}`, `await fg.artifacts.load(${quoted(record.id)})`);
  } catch (error) {
    report.failed(error);
  }
}

/** The folder of all kept results. */
export async function inspectArtifacts(subject: Subject, report: Report): Promise<void> {
  const store = new ArtifactStore(subject.path, {
    device: () => '',
    report: (message) => report.add('damaged', 'warning', message),
  });
  report.inspection.artifacts = (await store.list()).map(artifactFact);
  report.is('artifacts', 'kept results', 'await fg.artifacts.list()');
}

const artifactFact = ({ kind, id, title, note, created }: ArtifactRecord): ArtifactFact => ({
  kind,
  id,
  title: title ?? null,
  note: note ?? null,
  created,
});

/** How a file begins; opened as every foreign file is. */
export async function startOf(path: string, length: number): Promise<{ start: Buffer; bytes: number }> {
  const handle = await openData(path);
  try {
    const start = Buffer.alloc(length);
    const { bytesRead } = await handle.read(start, 0, length, 0);
    return { start: start.subarray(0, bytesRead), bytes: (await handle.stat()).size };
  } finally {
    await handle.close();
  }
}
