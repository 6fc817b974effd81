/** Runs of mutual feature regularization that differ by the coupling alone, and what each recovers of the truth. */
import path from 'node:path';
import { loadResult, saveResult } from '../../artifacts/result.js';
import type { ArtifactRecord } from '../../artifacts/types.js';
import type { CallOptions } from '../../compute/call.js';
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
  const { value, cached, record } = await env.store.compute(key, {
    fresh,
    title,
    async make(folder) {
      const { saes, history } = await trainMutual(world, { ...parameters, ...call });
      for (const [i, sae] of saes.entries()) await saveSae(sae, part(folder, i));
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
