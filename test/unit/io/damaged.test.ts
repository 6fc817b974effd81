/** Every reader of numbers, given 10,000 damaged files: a value or an error with words, and no memory beyond the file's. */
import { parseRecord } from '#kernel/artifacts/record.js';
import { readFileSync } from 'node:fs';
import { openArrays } from '#kernel/io/arrays.js';
import { datasetColumns } from '#kernel/io/datasetColumns.js';
import { ndarray } from '#kernel/io/ndarray.js';
import { PickleFile } from '#kernel/io/pickleFile.js';
import { SafetensorsFile } from '#kernel/io/safetensors.js';
import { readTokenRows } from '#kernel/io/tokenRows.js';
import { TorchFile } from '#kernel/io/torchFile.js';
import { torchCheckpoint } from '#kernel/io/torchWrite.js';
import { openWeights, type WeightSource } from '#kernel/io/weights.js';
import { encodeSafetensors } from '#protocol/safetensors.js';
import { testDamagedFiles, type DamagedReader } from '#test/kit/damage.js';
import { fromBase64, goldens } from '#test/kit/ioGoldens.js';
import { parquetFile } from '#test/kit/parquetFile.js';
import { zipOf } from '#test/kit/zipOf.js';
import { goldens as saes } from '#test/kit/saeLayouts.js';

const PICKLES = ['a.pkl', 'p2.pkl', 'p5.pkl'].map((name) => fromBase64(saes.decoders[name]));
const [w, k] = [ndarray('F32', [4, 3], Float32Array.from({ length: 12 }, (_, i) => i)), ndarray('I32', [], Int32Array.of(3))]; // prettier-ignore
const safetensors = encodeSafetensors({ w, k, half: ndarray('BF16', [2], Uint16Array.of(1, 2)) }, { note: 'x' });
const text = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

/** Bytes of all that a file gives. */
async function readAll(opening: Promise<WeightSource>): Promise<number> {
  const source = await opening;
  let bytes = 0;
  try {
    for (const name of source.names()) bytes += (await source.read(name)).data.byteLength;
  } finally {
    await source.close();
  }
  return bytes;
}

const READERS: DamagedReader[] = [
  { what: 'safetensors', name: 'a.safetensors', whole: [safetensors], read: (path) => readAll(SafetensorsFile.open(path)) },
  { what: 'PyTorch checkpoints, zip and legacy', name: 'a.pt', whole: [torchCheckpoint({ w, k }), ...goldens.torch.slice(1, 9).map(({ bytes }) => fromBase64(bytes))], read: (path) => readAll(TorchFile.open(path)) },
  { what: 'npy', name: 'a.npy', whole: goldens.npy.map(({ bytes }) => fromBase64(bytes)), read: (path) => readAll(openArrays(path)) },
  { what: 'npz', name: 'a.npz', whole: [...goldens.npz.map(({ bytes }) => fromBase64(bytes)), fromBase64(goldens.zip64), zipOf([{ name: 'a.npy', data: fromBase64(goldens.npy[0].bytes), deflate: true }])], read: (path) => readAll(openWeights(path)) },
  { what: 'pickles of arrays', name: 'a.pkl', whole: PICKLES, read: (path) => readAll(PickleFile.open(path)) },
  { what: 'whatever fg.arrays takes', name: 'a.bin', whole: [safetensors, torchCheckpoint({ w }), fromBase64(goldens.npy[0].bytes), PICKLES[0]], read: (path) => readAll(openArrays(path)) },
  { what: 'shard indices', name: 'model.safetensors.index.json', whole: [text({ metadata: { total_size: 56 }, weight_map: { w: 'x.safetensors', k: 'x.safetensors' } })], beside: { 'x.safetensors': safetensors }, read: (_, at) => readAll(openWeights(at)) },
  { what: 'parquet of token ids', name: 'train.parquet', whole: [parquetFile([{ name: 'input_ids', lists: [[1n, 2n], [3n, 4n]] }])], read: async (path) => (await readTokenRows(path)).rows.data.byteLength },
  { what: 'columns of parquet', name: 'train.parquet', whole: [parquetFile([{ name: 'text', strings: ['a', 'bc'] }])], read: async (path) => (await datasetColumns(path)).columns.length },
  { what: 'records of artifacts', name: 'artifact.json', whole: [text({ id: '0'.repeat(64), kind: 'lens', parameters: {}, inputs: {}, codeVersion: 1 })], read: (path, at) => Promise.resolve(parseRecord(readFileSync(path, 'utf8'), at).id.length) },
]; // prettier-ignore

testDamagedFiles(READERS);
