/** Runs of mutual feature regularization that differ by the coupling alone, and what each recovers of the truth. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { loadResult, saveResult } from '../../artifacts/result.js';
import type { ArtifactRecord } from '../../artifacts/types.js';
import type { CallOptions } from '../../compute/call.js';
import { count } from '../../present/items.js';
import { loadSae } from '../../sae/load.js';
import { saveSae } from '../../sae/save.js';
import type { Sae } from '../../sae/types.js';
import type { Environment } from '../../verb/environment.js';
import { MFR_VERSION, mfrSettings, trainMutual, type MfrHistoryRow, type MfrParameters } from './mfr.js';
import type { Recovery } from './recovery.js';
import { bestOfRows, cosines } from '../../compute/cosines.js';
import type { World } from '../types.js';

/** One coupling: the SAEs trained with it, and what they recovered. */
export interface MutualRun {
  coupling: number;
  saes: Sae[];
  recoveries: Recovery[];
  history: MfrHistoryRow[];
  /** Per latent of the first SAE: largest cosine with a true feature and with a latent of the second. */
  agreement: { toTrue: Float32Array; toOther: Float32Array };
}

/** The runs, in the order of the couplings. */
export interface MutualRegularization {
  runs: MutualRun[];
}

export interface MutualOptions extends Omit<MfrParameters, 'coupling'> {
  couplings: readonly number[];
  /** Train again even when the SAEs are in the artifact folder. */
  fresh: boolean;
}

/** The SAEs of one coupling, trained side by side. */
export interface MutualSaes {
  saes: Sae[];
  history: MfrHistoryRow[];
}

const part = (folder: string, i: number): string => path.join(folder, `sae-${i}`);

async function saveSaes(saes: readonly Sae[], folder: string): Promise<string[]> {
  const folders = saes.map((_, i) => part(folder, i));
  for (const [i, sae] of saes.entries()) await saveSae(sae, folders[i]);
  return folders;
}

/** Reads what mutualSaes keeps. */
export async function loadMutual(
  folder: string,
  { parameters }: Pick<ArtifactRecord, 'parameters'>,
): Promise<MutualSaes> {
  const saes: Sae[] = [];
  for (let i = 0; i < Number(parameters.saes); i++) saes.push(await loadSae(part(folder, i)));
  return { saes, ...(await loadResult<{ history: MfrHistoryRow[] }>(folder)) };
}

/** The SAEs of one coupling, from the artifact folder when they were trained before. */
async function mutualSaes(
  env: Environment,
  world: World,
  parameters: Required<MfrParameters>,
  fresh: boolean,
  call: CallOptions,
): Promise<MutualSaes> {
  const key = {
    kind: 'mfr',
    parameters: { ...parameters },
    inputs: { world: world.id },
    codeVersion: MFR_VERSION,
  };
  const title = `Mutual feature regularization, coupling ${parameters.coupling}`;
  const checkpoint = path.join(env.context.artifactFolder, 'unfinished', `mfr-${env.store.idOf(key).slice(0, 16)}`);
  const print = (message: string): void => env.context.print(message);
  const { value, cached, record } = await env.store.compute(key, {
    fresh,
    title,
    unfinished: checkpoint,
    async make(folder) {
      if (fresh) await fs.rm(checkpoint, { recursive: true, force: true });
      const onStopped = async ({ saes }: MutualSaes, step: number): Promise<void> => {
        const kept = await saveSaes(saes, checkpoint);
        const lines = kept.map((at) => `fg.sae.load(${JSON.stringify(env.relative(at))})`);
        print(`The SAEs of step ${count(step)} are kept: ${lines.join(', ')}; the same call goes on`);
      };
      const { saes, history } = await trainMutual(world, {
        ...parameters,
        ...call,
        checkpoint,
        report: print,
        onStopped,
      });
      await saveSaes(saes, folder);
      await saveResult(folder, { history });
    },
    load: loadMutual,
  });
  env.tellCached(title, cached, record);
  return value;
}

/**
 * Trains the SAEs of every coupling and measures them.
 * @param measure how much of the world an SAE has found
 */
export async function mutualRuns(
  env: Environment,
  world: World,
  { couplings, fresh, ...rest }: MutualOptions,
  measure: (sae: Sae) => Promise<Recovery>,
  call: CallOptions,
): Promise<MutualRegularization> {
  const runs: MutualRun[] = [];
  for (const coupling of couplings) {
    const parameters = mfrSettings(world, { ...rest, coupling });
    const { saes, history } = await mutualSaes(env, world, parameters, fresh, call);
    const recoveries: Recovery[] = [];
    for (const sae of saes) recoveries.push(await measure(sae));
    const [first, second = first] = saes;
    const toTrue = bestOfRows(await cosines(first.W_dec, world.dictionary), false).cosine;
    const toOther = bestOfRows(await cosines(first.W_dec, second.W_dec), false).cosine;
    runs.push({ coupling, saes, history, recoveries, agreement: { toTrue, toOther } });
  }
  return { runs };
}
