/**
 * The state of a training run on disk: everything that the next step depends on, in one safetensors file with a hash of
 * its contents. One process at a time writes it: who calls makes sure of that (ArtifactStore does).
 */
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { clip } from '../../protocol/clip.js';
import { kindOfPath, parseJson } from '../io/files.js';
import { canonicalJson, sha256 } from '../io/hash.js';
import { toFloat32, toInt32, type NdArray } from '../io/ndarray.js';
import { SafetensorsFile, writeSafetensors } from '../io/safetensors.js';
import type { BDecInit } from './bDecInit.js';
import type { BufferState } from './buffer.js';
import type { HistoryRow } from './train.js';

const FILE = 'training_state.safetensors';
const FORMAT = 'fgnb sae training 4';
const ARRAYS = ['parameters', 'm', 'v', 'buffer', 'sinceFired'] as const;
type ArrayName = (typeof ARRAYS)[number];

/** `Row`: a logged step. */
export interface TrainingState<Row extends object = HistoryRow> {
  /** Steps done. */
  step: number;
  parameters: Float32Array;
  m: Float32Array;
  v: Float32Array;
  /** [d_sae]: steps since the feature fired. */
  sinceFired: Int32Array;
  buffer: BufferState;
  /** Scale of the activations; 1 = none. */
  scale: number;
  /** What the architecture's steps leave to the next one. */
  memory: number[];
  /** How b_dec began. */
  bDec: BDecInit;
  history: Row[];
}

/** Bytes of states that trainings write in a second on average: what a disk takes in a tenth of it. */
const BYTES_PER_SECOND = 5e7;
let trainings = 0;

/**
 * When a training writes its state. Large states are written so seldom that all trainings that run side by side spend
 * about a tenth of their time on it.
 */
export class CheckpointPace {
  private last: number;

  /** `bytes` of a state. */
  constructor(
    private readonly bytes: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.last = now();
    trainings++;
  }

  /** Whether the start, or the last state, is long enough ago. */
  due(): boolean {
    return this.now() - this.last >= (1000 * this.bytes * trainings) / BYTES_PER_SECOND;
  }

  wrote(): void {
    this.last = this.now();
  }

  close(): void {
    trainings--;
  }
}

/** Writes the state, replacing the folder's older one only when whole. `run`: what makes this run this run. */
export async function saveTrainingState(folder: string, state: TrainingState<object>, run: object): Promise<void> {
  await mkdir(folder, { recursive: true });
  const { parameters, m, v, sinceFired, buffer } = state;
  const f32 = (data: Float32Array) => ({ dtype: 'F32' as const, shape: [data.length], data });
  const arrays: Record<ArrayName, NdArray> = {
    parameters: f32(parameters),
    m: f32(m),
    v: f32(v),
    buffer: f32(buffer.rows),
    sinceFired: { dtype: 'I32', shape: [sinceFired.length], data: sinceFired },
  };
  const words = {
    run: canonicalJson(run),
    state: JSON.stringify({
      step: state.step,
      scale: state.scale,
      bDec: state.bDec,
      memory: state.memory,
      history: state.history,
      buffer: { toServe: buffer.toServe, refills: buffer.refills, epoch: buffer.epoch, epochRows: buffer.epochRows },
    }),
  };
  await writeSafetensors(join(folder, FILE), arrays, { format: FORMAT, ...words, check: checkOf(arrays, words) });
}

/**
 * The state in a folder; undefined when there is none. A state that is damaged, or of an earlier format, is set aside
 * under another name and reported; the run then begins anew. Throws when the state belongs to a run with other options
 * or another source, naming what differs.
 */
export async function loadTrainingState<Row extends object = HistoryRow>(
  folder: string,
  run: object,
  report: (message: string) => void = () => undefined,
): Promise<TrainingState<Row> | undefined> {
  const path = join(folder, FILE);
  if (!(await kindOfPath(path))) return undefined;
  let read: { state: TrainingState<Row>; run: string };
  try {
    read = await readState<Row>(path);
  } catch (error) {
    const aside = join(folder, `damaged-${FILE}`);
    await rename(path, aside);
    const why = error instanceof Error ? error.message : String(error);
    report(
      `the saved state of a stopped training is not usable (${why}); it is set aside as ${aside}, and the training begins anew`,
    );
    return undefined;
  }
  requireSameRun(path, read.run, canonicalJson(run));
  return read.state;
}

/** Throws when anything in the file is not what was written. */
async function readState<Row extends object>(path: string): Promise<{ state: TrainingState<Row>; run: string }> {
  const file = await SafetensorsFile.open(path);
  try {
    const { format, run, state, check } = file.metadata;
    if (format !== FORMAT) throw new Error(`${path} has format "${clip(String(format))}", expected "${FORMAT}"`);
    const arrays = {} as Record<ArrayName, NdArray>;
    for (const name of ARRAYS) arrays[name] = await file.read(name);
    if (check !== checkOf(arrays, { run, state })) throw new Error(`${path} does not hold what was written`);
    const kept = parseJson(state, path) as Pick<
      TrainingState<Row>,
      'step' | 'scale' | 'bDec' | 'memory' | 'history'
    > & {
      buffer: Omit<BufferState, 'rows'>;
    };
    return {
      run,
      state: {
        ...kept,
        history: kept.history.map(withNaN),
        parameters: toFloat32(arrays.parameters),
        m: toFloat32(arrays.m),
        v: toFloat32(arrays.v),
        sinceFired: toInt32(arrays.sinceFired),
        buffer: { ...kept.buffer, rows: toFloat32(arrays.buffer) },
      },
    };
  } finally {
    await file.close();
  }
}

/** A row as it was: JSON has null for the figures that are NaN, and no other null. */
const withNaN = <Row extends object>(row: Row): Row =>
  Object.fromEntries(Object.entries(row).map(([name, v]) => [name, (v as unknown) ?? NaN])) as Row;

function checkOf(arrays: Record<ArrayName, NdArray>, words: { run: string; state: string }): string {
  return sha256([
    words.run,
    words.state,
    ...ARRAYS.flatMap((n) => [`${arrays[n].dtype} ${arrays[n].shape.join()}`, arrays[n].data]),
  ]);
}

function requireSameRun(path: string, kept: string, wanted: string): void {
  if (kept === wanted) return;
  const a = JSON.parse(kept) as Record<string, unknown>;
  const b = JSON.parse(wanted) as Record<string, unknown>;
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].filter(
    (n) => JSON.stringify(a[n]) !== JSON.stringify(b[n]),
  );
  const list = names.map((n) => `${n} (there ${JSON.stringify(a[n])}, here ${JSON.stringify(b[n])})`).join(', ');
  throw new Error(
    `${path} is the state of another run: ${list} differ; resume with the same options or choose another checkpoint folder`,
  );
}
