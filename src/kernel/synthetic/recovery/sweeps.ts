/**
 * Sweeps: SAE × width × k × world, every cell an artifact of its own. A run that was stopped or killed goes on with the
 * cells that are missing; the table of a sweep can be had without computing anything.
 */
import { RECOVERY, type RecoveryParameters } from './options.js';
import { filled } from '../../verb/filled.js';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { JsonObject } from '../../../protocol/notebook.js';
import type { ArtifactStore } from '../../artifacts/store.js';
import type { ArtifactKey } from '../../artifacts/types.js';
import { AbortError, checkAborted, type CallOptions } from '../../compute/call.js';
import { takersOf, type TrainedName } from '../../sae/architectures/trained.js';
import { trainSae } from '../../sae/train.js';
import { TRAIN, type SaeTrainOptions } from '../../sae/trainOptions.js';
import { form, listOf } from '../../verb/kinds.js';
import type { Remember } from '../../verb/remember.js';
import { group, numbers, required, text, whole, type Given } from '../../verb/option.js';
import { saveSae } from '../../sae/save.js';
import { recoverySettings, saeRecovery, RECOVERY_VERSION, type Recovery } from './recovery.js';
import { worldSource } from './activations.js';
import { loadResult, saveResult } from '../../artifacts/result.js';
import type { World } from '../types.js';

/** Bumped when the same cell gives another result. */
const SWEEP_VERSION = 2;

const { features: _width, expansion: _expansion, k: _k, seed: _seed, ...others } = TRAIN;

/** How one kind of SAE is trained: the training options other than width, k and seed, with a name for the table. */
const SWEPT = { name: text({ doc: 'In the table.', fallback: 'the architecture' }), ...others };
export interface SweptSae extends Given<typeof SWEPT> {}

const SWEPT_SAES = listOf<SweptSae>(
  form(SWEPT, {
    doc: 'Kinds of SAE: options of fg.synthetic.train but for features, k and seed, with a name.',
    expected: "options such as { name: 'TopK', architecture: 'topk', steps: 500 }",
  }),
  1,
);

/** What a sweep goes over: every combination is a cell. */
export const SWEEP = {
  correlations: numbers({ doc: 'What the function is called with.', usual: [0] }),
  saes: required(SWEPT_SAES),
  widths: required(numbers({ doc: 'Latents.', min: 1, whole: true })),
  ks: numbers({
    doc: 'Latents kept per sample; TopK SAEs alone have it, others get one cell for all.',
    min: 1,
    whole: true,
  }),
  seeds: numbers({ doc: 'Of training.', whole: true, usual: [0] }),
  samples: whole({ doc: "Samples of the world's stream that training goes over.", min: 1, usual: 100_000 }),
  recovery: group(RECOVERY, { doc: 'How recovery is measured.' }),
};

export interface SweepPlan extends Omit<Given<typeof SWEEP>, 'correlations' | 'recovery'> {
  /** Worlds by what sets them apart, such as their correlation. */
  worlds: ReadonlyArray<{ correlation: number | string; world: World }>;
  recovery?: RecoveryParameters;
}

/** One cell: what is trained on what. */
export interface SweepCell {
  sae: string;
  features: number;
  /** null for SAEs without a k. */
  k: number | null;
  correlation: number | string;
  seed: number;
}

export interface SweepRow extends SweepCell {
  status: 'done' | 'missing' | 'failed';
  /** Why it failed. */
  error?: string;
  /** True when it was there before this run. */
  cached?: boolean;
  recovery?: Recovery;
  /** Folder of the artifact, which holds the SAE in "sae"; for cells that are done. */
  folder?: string;
}

interface Planned {
  cell: SweepCell;
  world: World;
  train: SaeTrainOptions;
  key: ArtifactKey;
}

const architectureOf = (sae: SweptSae): TrainedName => sae.architecture ?? TRAIN.architecture.usual;
const takesK = (sae: SweptSae): boolean => takersOf('k').includes(architectureOf(sae));

/**
 * Every cell of a plan, in order: world, SAE, width, k, seed. Throws on names that two SAEs share, and where an SAE takes a k and none is given.
 */
export function planSweep(plan: SweepPlan): Planned[] {
  const { saes, widths, ks = [], worlds, seeds, samples } = filled(SWEEP, plan);
  const names = saes.map((sae) => sae.name ?? architectureOf(sae));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new RangeError(`two SAEs of the sweep are named "${twice}": give each a { name } of its own`);
  const planned: Planned[] = [];
  for (const { correlation, world } of worlds) {
    for (const [i, sae] of saes.entries()) {
      const hasK = takesK(sae);
      if (hasK && ks.length === 0) throw new RangeError(`${architectureOf(sae)} SAEs need at least one of ks`);
      for (const features of widths)
        for (const k of hasK ? ks : [null])
          for (const seed of seeds) {
            const { name: _, ...options } = sae;
            const train = { ...options, dSae: features, ...(k === null ? {} : { k }), seed };
            planned.push({
              cell: { sae: names[i], features, k, correlation, seed },
              world,
              train,
              key: keyOf(world, train, samples, plan.recovery ?? {}),
            });
          }
    }
  }
  return planned;
}

function keyOf(world: World, train: SaeTrainOptions, samples: number, recovery: RecoveryParameters): ArtifactKey {
  const given = Object.fromEntries(Object.entries(train).filter(([, value]) => value !== undefined)) as JsonObject;
  return {
    kind: 'sweep-cell',
    parameters: { train: given, samples, recovery: { ...recoverySettings(recovery) } },
    inputs: { world: world.id },
    codeVersion: 1000 * SWEEP_VERSION + RECOVERY_VERSION,
  };
}

const isThere = (folder: string): Promise<boolean> =>
  access(join(folder, 'artifact.json')).then(
    () => true,
    () => false,
  );

/** The table as it stands on disk: nothing is computed. */
export async function sweepTable(plan: SweepPlan, store: ArtifactStore): Promise<SweepRow[]> {
  const rows: SweepRow[] = [];
  for (const { cell, key } of planSweep(plan)) {
    const folder = store.folderOf(key);
    if (!(await isThere(folder))) rows.push({ ...cell, status: 'missing' });
    else {
      const recovery = await loadResult<Recovery>(folder).catch(() => undefined);
      // Files that do not load are made again by the next run: for now there is nothing.
      rows.push(
        recovery ? { ...cell, status: 'done', cached: true, recovery, folder } : { ...cell, status: 'missing' },
      );
    }
  }
  return rows;
}

export interface SweepOptions extends CallOptions {
  /** Train every cell again. */
  fresh?: boolean;
  /** Where the sweep is split: gives why a cell failed, null for one that is kept; see sweepRunNames. */
  remember?: Remember;
}

const cellRun = (index: number): string => `cell ${index}`;

/** Runs that runSweep asks `remember` for: the cells of the plan. */
export const sweepRunNames = (plan: SweepPlan): string[] => planSweep(plan).map((_, i) => cellRun(i));

/**
 * Trains and measures what is missing. A cell that fails (its training diverged, say) is reported and does not stop the
 * others; the next run tries it again. Cancelled, it throws AbortError, and what was finished stays.
 */
export async function runSweep(plan: SweepPlan, store: ArtifactStore, options: SweepOptions = {}): Promise<SweepRow[]> {
  const { remember, onProgress } = options;
  const planned = planSweep(plan);
  const rows: SweepRow[] = [];
  const row = (i: number): Promise<SweepRow> => makeRow(plan, planned, i, store, options);
  if (remember && !remember.plain) {
    const failed: Array<string | null> = [];
    for (const i of planned.keys()) failed.push(await remember(cellRun(i), async () => (await row(i)).error ?? null));
    for (const [i, { cell }] of planned.entries()) {
      const error = failed[i];
      rows.push(error === null ? await row(i) : { ...cell, status: 'failed', error });
    }
  } else for (const i of planned.keys()) rows.push(await row(i));
  onProgress?.({ label: 'sweep', done: planned.length, total: planned.length, unit: 'cells' });
  return rows;
}

/** Trains and measures one cell, or loads it; one that fails says why. @throws AbortError when cancelled */
async function makeRow(
  plan: SweepPlan,
  planned: readonly Planned[],
  index: number,
  store: ArtifactStore,
  { signal, onProgress, fresh }: SweepOptions,
): Promise<SweepRow> {
  const { cell, world, train, key } = planned[index];
  checkAborted(signal, 'sweep');
  const label = `sweep: ${cell.sae}, ${cell.features} latents${cell.k === null ? '' : `, k ${cell.k}`}, correlation ${cell.correlation}`;
  const tell = (detail?: string): void =>
    onProgress?.({ label, done: index, total: planned.length, unit: 'cells', detail });
  tell();
  const call: CallOptions = {
    signal,
    onProgress: (p) => tell([`${p.label} ${p.done}/${p.total ?? '?'}`, p.detail].filter(Boolean).join(', ')),
  };
  try {
    const computed = await store.compute<Recovery>(key, {
      fresh,
      title: label,
      async make(folder) {
        const { sae } = await trainSae(worldSource(world, plan.samples ?? SWEEP.samples.usual), { ...train, ...call });
        await saveSae(sae, join(folder, 'sae'));
        await saveResult(folder, await saeRecovery(world, sae, { ...plan.recovery, ...call }));
      },
      load: (folder) => loadResult<Recovery>(folder),
    });
    const { value: recovery, cached, folder } = computed;
    return { ...cell, status: 'done', cached, recovery, folder };
  } catch (error) {
    if (error instanceof AbortError || signal?.aborted) throw error;
    return { ...cell, status: 'failed', error: error instanceof Error ? error.message : String(error) };
  }
}
