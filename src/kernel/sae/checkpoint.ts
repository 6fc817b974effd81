/** The state of a training run on disk: everything that the next step depends on, in one safetensors file. */
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson } from '../io/hash.js';
import { toFloat32, toInt32 } from '../io/ndarray.js';
import { SafetensorsFile, writeSafetensors } from '../io/safetensors.js';
import type { BufferState } from './buffer.js';
import type { HistoryRow } from './train.js';

const FILE = 'training_state.safetensors';

export interface TrainingState {
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
  history: HistoryRow[];
}

/** Writes the state, replacing the folder's older one only when whole. `run`: what makes this run this run. */
export async function saveTrainingState(folder: string, state: TrainingState, run: object): Promise<void> {
  await mkdir(folder, { recursive: true });
  const { parameters, m, v, sinceFired, buffer } = state;
  const f32 = (data: Float32Array) => ({ dtype: 'F32' as const, shape: [data.length], data });
  await writeSafetensors(
    join(folder, FILE),
    {
      parameters: f32(parameters),
      m: f32(m),
      v: f32(v),
      buffer: f32(buffer.rows),
      sinceFired: { dtype: 'I32', shape: [sinceFired.length], data: sinceFired },
    },
    {
      format: 'fgnb sae training 1',
      run: canonicalJson(run),
      state: JSON.stringify({
        step: state.step,
        scale: state.scale,
        history: state.history,
        buffer: { toServe: buffer.toServe, refills: buffer.refills, epoch: buffer.epoch, epochRows: buffer.epochRows },
      }),
    },
  );
}

/**
 * The state in a folder; undefined when there is none. Throws when it belongs to a run with other options or another
 * source, naming what differs.
 */
export async function loadTrainingState(folder: string, run: object): Promise<TrainingState | undefined> {
  const path = join(folder, FILE);
  if (!(await stat(path).catch(() => undefined))) return undefined;
  const file = await SafetensorsFile.open(path);
  try {
    requireSameRun(path, file.metadata.run ?? '{}', canonicalJson(run));
    const kept = JSON.parse(file.metadata.state) as Pick<TrainingState, 'step' | 'scale' | 'history'> & {
      buffer: Omit<BufferState, 'rows'>;
    };
    const f32 = async (name: string) => toFloat32(await file.read(name));
    return {
      ...kept,
      history: kept.history.map((row) => ({ ...row, explainedVariance: row.explainedVariance ?? NaN })),
      parameters: await f32('parameters'),
      m: await f32('m'),
      v: await f32('v'),
      sinceFired: toInt32(await file.read('sinceFired')),
      buffer: { ...kept.buffer, rows: await f32('buffer') },
    };
  } finally {
    await file.close();
  }
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
