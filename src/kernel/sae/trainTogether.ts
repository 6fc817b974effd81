/** Several trainings at once: each is kept as if it were alone, and one table and one chart show them side by side. */
import type { Progress } from '../../protocol/kernel.js';
import type { CallOptions } from '../compute/call.js';
import { messageOf } from '../io/files.js';
import { liveItems, trainingNames, trainingsItems } from '../present/training.js';
import type { Environment } from '../verb/environment.js';
import { LiveTraining } from './liveTraining.js';
import { settingsOf, trainQuietly, type KeptTraining, type TrainedSae, type TrainingData } from './keptTraining.js';

/** One of the trainings. */
export interface Run {
  data: TrainingData;
  options: KeptTraining;
}

/**
 * The SAEs of the runs, in their order: loaded where they are kept, trained side by side where not, a step of each in
 * turn. Each is what it would be alone; when one fails, the others are finished and kept first.
 * @throws the first error that is no abort, with the place of its run in the list; else the abort
 */
export async function trainTogether(
  env: Environment,
  runs: readonly Run[],
  { signal, onProgress }: CallOptions,
): Promise<TrainedSae[]> {
  const progress = joinedProgress(runs.length, onProgress);
  const live = new LiveTraining(env, runs.length, liveItems);
  const names = trainingNames(runs.map(({ options }) => settingsOf(options)));
  const ended = await Promise.allSettled(
    runs.map(({ data, options }, i) =>
      trainQuietly(env, data, options, {
        signal,
        name: names[i],
        onProgress: progress(i),
        watch: (history) => live.take(i, history),
      }),
    ),
  );
  const failed = ended.flatMap((each, i) =>
    each.status === 'rejected' ? [{ i, reason: each.reason as unknown }] : [],
  );
  if (failed.length > 0) throw failureOf(failed, runs.length);
  const trained = ended.map((each) => (each as PromiseFulfilledResult<TrainedSae>).value);
  const rows = trained.map((sae, i) => ({ sae, history: sae.history, given: settingsOf(runs[i].options) }));
  live.end(trainingsItems(rows));
  return trained;
}

/** The error to throw: an abort as it is, another error with the place of its run. */
function failureOf(failed: ReadonlyArray<{ i: number; reason: unknown }>, of: number): unknown {
  const { i, reason } =
    failed.find(({ reason: why }) => !(why instanceof Error && why.name === 'AbortError')) ?? failed[0];
  if (reason instanceof Error && reason.name === 'AbortError') return reason;
  const others = of - failed.length;
  const kept = others > 0 ? `; the ${others === 1 ? 'other one is' : `${others} others are`} kept` : '';
  return new Error(`SAE ${i + 1} of ${of}: ${messageOf(reason)}${kept}`, { cause: reason });
}

/** One progress line for all: their steps summed. */
function joinedProgress(
  n: number,
  tell: CallOptions['onProgress'],
): (i: number) => NonNullable<CallOptions['onProgress']> {
  const last: Array<Progress | undefined> = Array.from({ length: n });
  return (i) => (progress) => {
    if (progress.unit !== 'steps') return tell?.(progress);
    last[i] = progress;
    const running = last.filter((each) => each !== undefined);
    const sum = (of: (each: Progress) => number | undefined): number =>
      running.reduce((total, each) => total + (of(each) ?? 0), 0);
    tell?.({
      label: `training ${running.length} SAEs on one pass`,
      ...{ done: sum(({ done }) => done), total: sum(({ total }) => total), unit: 'steps' },
      detail: running.length === 1 ? running[0].detail : undefined,
    });
  };
}
