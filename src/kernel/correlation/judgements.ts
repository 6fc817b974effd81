/** What a person thinks of a pair of features: verdict and note, kept beside the results and shown with the pair. */
import { loadResult, saveResult } from '../artifacts/result.js';
import type { ArtifactStore } from '../artifacts/store.js';
import type { PairedMap } from './types.js';

export const VERDICTS = ['same', 'similar', 'different', 'unsure'] as const;

export type Verdict = (typeof VERDICTS)[number];

/** A judged pair. */
export interface Judgement {
  readonly a: number;
  readonly b: number;
  readonly verdict: Verdict;
  /** '' where there is none. */
  readonly note: string;
}

const VERSION = 1;

/** A judgement is of two features of two stores: every map between these shows it. */
const keyOf = ({ a, b }: PairedMap, pair: { a: number; b: number }) => ({
  kind: 'judgement',
  parameters: { a: pair.a, b: pair.b },
  inputs: { a: a.id, b: b.id },
  codeVersion: VERSION,
});

/**
 * Keeps a judgement; it replaces an earlier one of the same pair.
 * @throws RangeError for a feature that the map does not have
 */
export async function keepJudgement(store: ArtifactStore, map: PairedMap, given: Judgement): Promise<Judgement> {
  for (const [side, f, n] of [
    ['A', given.a, map.featuresA],
    ['B', given.b, map.featuresB],
  ] as const)
    // prettier-ignore
    if (f >= n) throw new RangeError(`feature ${f} does not exist: side ${side} of the map has features 0 to ${n - 1}`);
  const { value } = await store.compute<Judgement>(keyOf(map, given), {
    fresh: true,
    title: `A #${given.a} ↔ B #${given.b}: ${given.verdict}`,
    make: (folder) => saveResult(folder, given),
    load: (folder) => loadResult<Judgement>(folder),
  });
  return value;
}

/** All judgements of pairs of the map's two stores, by a, then b. */
export async function judgementsOf(store: ArtifactStore, map: PairedMap): Promise<Judgement[]> {
  const records = (await store.list()).filter(
    ({ kind, inputs }) => kind === 'judgement' && inputs.a === map.a.id && inputs.b === map.b.id,
  );
  const found: Judgement[] = [];
  for (const { id } of records)
    found.push((await store.open(id, () => ({ load: (folder) => loadResult<Judgement>(folder) }))).value);
  return found.sort((x, y) => x.a - y.a || x.b - y.b);
}
