/** The weights of a model folder: one file, or shards by an index, with all that is wrong with them. */
import { join } from 'node:path';
import { kindOfPath, safeJoin } from '../io/files.js';
import { openWeightFile, readIndex, WEIGHT_FILES, type WeightSource } from '../io/weights.js';
import type { Report } from './report.js';

/** A file of weights that opened. */
export interface OpenFile {
  name: string;
  source: WeightSource;
}

/** What opened of a folder's weights; the rest is told in the report. */
export interface FolderWeights {
  /** "safetensors", "3 shards of safetensors"; undefined where there are none. */
  format: string | undefined;
  files: OpenFile[];
  /** Whether every file of them opened: else tensors are missing that are there. */
  complete: boolean;
}

/** Opens what a folder's weights are; the caller closes the files. */
export async function openFolderWeights(folder: string, report: Report): Promise<FolderWeights> {
  for (const name of WEIGHT_FILES) {
    const path = join(folder, name);
    if (!(await kindOfPath(path))) continue;
    const kind = name.includes('safetensors') ? 'safetensors' : 'PyTorch';
    if (name.endsWith('.index.json')) return openShards(folder, name, kind, report);
    const file = await tryOpen(path, name, report);
    return { format: kind, files: file ? [file] : [], complete: file !== undefined };
  }
  return { format: undefined, files: [], complete: false };
}

async function openShards(folder: string, index: string, kind: string, report: Report): Promise<FolderWeights> {
  let shardOf: Map<string, string>;
  try {
    shardOf = await readIndex(join(folder, index));
  } catch (error) {
    report.failed(error);
    return { format: `shards of ${kind}`, files: [], complete: false };
  }
  const names = [...new Set(shardOf.values())].sort();
  tellGaps(names, report);
  const files: OpenFile[] = [];
  const missing: string[] = [];
  for (const name of names) {
    let path: string;
    try {
      path = safeJoin(folder, name);
    } catch (error) {
      report.failed(error);
      continue;
    }
    if (!(await kindOfPath(path))) missing.push(name);
    else {
      const file = await tryOpen(path, name, report);
      if (file) files.push(file);
    }
  }
  if (missing.length > 0)
    report.add(
      'shard-missing',
      'refused',
      `${index} names ${count(missing.length, 'shard')} that are not there`,
      missing,
    );
  const complete = files.length === names.length;
  tellIndex(shardOf, files, index, report);
  return { format: `${count(names.length, 'shard')} of ${kind}`, files, complete };
}

/** Shards are numbered, and each name says how many there are. */
function tellGaps(names: readonly string[], report: Report): void {
  const numbers = names.map((name) => /-(\d+)-of-(\d+)\./.exec(name));
  const of = Number(numbers[0]?.[2]);
  if (numbers.some((n) => n === null) || !(of > 0) || of > 10_000) return;
  const seen = new Set(numbers.map((n) => Number(n?.[1])));
  const gaps = Array.from({ length: of }, (_, i) => i + 1).filter((i) => !seen.has(i));
  if (gaps.length > 0)
    report.add('shard-gap', 'warning', `the index names no tensor of shard ${gaps.slice(0, 10).join(', ')} of ${of}`);
}

/** Tensors where the index says they are, and no others. */
function tellIndex(
  shardOf: ReadonlyMap<string, string>,
  files: readonly OpenFile[],
  index: string,
  report: Report,
): void {
  for (const { name, source } of files) {
    const held = new Set(source.names());
    const absent = [...shardOf]
      .filter(([tensor, file]) => file === name && !held.has(tensor))
      .map(([tensor]) => tensor);
    if (absent.length > 0)
      report.add(
        'missing-tensor',
        'refused',
        `${name} lacks ${count(absent.length, 'tensor')} that ${index} says it has`,
        absent,
      );
    const extra = [...held].filter((tensor) => shardOf.get(tensor) !== name);
    if (extra.length > 0)
      report.add(
        'shard-gap',
        'note',
        `${name} has ${count(extra.length, 'tensor')} that ${index} does not name there; they are not read`,
        extra,
      );
  }
}

async function tryOpen(path: string, name: string, report: Report): Promise<OpenFile | undefined> {
  try {
    return { name, source: await openWeightFile(path) };
  } catch (error) {
    report.failed(error);
    return undefined;
  }
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
