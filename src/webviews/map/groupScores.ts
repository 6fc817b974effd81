/** The scores of a keyword group, by the code that fg.correlation runs: what the view computes whenever the group changes. */
import { matrix, sameTokenScore, similarityScores, type SimilarityScore } from '../../kernel/correlation/inPages.js';
import type { KeywordGroup } from '../../protocol/keywordGroups.js';
import { labelAt } from '../ui/bundle.js';
import { messageOf } from '../ui/message.js';
import { groupTest } from './filter.js';
import type { linkedPairs, MapModel } from './model.js';

type Links = ReturnType<typeof linkedPairs>;

/** The decoder rows of both sets, by point; null where the bundle carries none. */
export interface Decoders {
  widths: readonly [number, number];
  rows: readonly [Float32Array, Float32Array];
}

export const SCORES = ['SVCCA', 'RSA', 'Jaccard', 'same token'] as const;
export type ScoreName = (typeof SCORES)[number];

export interface GroupScores {
  group: KeywordGroup;
  /** Pairs of the map with a feature that is called by one of the words. */
  pairs: number;
  /** Features of each side in these pairs. */
  features: [number, number];
  /** NaN without pairs. */
  meanR: number;
  /** A score, or in words why there is none. */
  scores: Record<ScoreName, SimilarityScore | string>;
}

/** Fewer have no geometry. */
const LEAST_PAIRS = 3;
/** RSA looks at this many pairs at most, so that an answer takes a moment. */
const RSA_ROWS = 512;

/** Links of the map with a feature, of either side, that belongs to the group, at this r or more. */
export function groupLinks(model: MapModel, links: Links, group: KeywordGroup, minR: number): number[] {
  const inGroup = groupTest(model, group);
  const hit = model.sets.map((set, s) =>
    Uint8Array.from(set.keys, (_, i) => Number(set.dead[i] === 0 && inGroup(s, i))),
  );
  return Array.from(links.a.keys()).filter(
    (i) => (minR <= 0 || links.r[i] >= minR) && (hit[0][links.a[i]] === 1 || hit[1][links.b[i]] === 1),
  );
}

/** Ten neighbours, or fewer in a small group, where ten would be most of it. */
const neighboursOf = (n: number): number => Math.max(1, Math.min(10, Math.floor(n / 5)));

const gathered = (rows: Float32Array, width: number, points: readonly number[]) => {
  const data = new Float32Array(points.length * width);
  points.forEach((point, i) => data.set(rows.subarray(point * width, (point + 1) * width), i * width));
  return matrix(points.length, width, data);
};

const METRIC = { SVCCA: 'svcca', RSA: 'rsa', Jaccard: 'jaccard' } as const;

/**
 * Scores a group beside the nulls of `nulls` shuffles of its pairs, seed 0.
 * @throws AbortError when the signal is aborted
 */
export async function scoreGroup(
  o: { model: MapModel; links: Links; decoders: Decoders | null; minR: number },
  group: KeywordGroup,
  nulls: number,
  signal: AbortSignal,
): Promise<GroupScores> {
  const { model, links, decoders, minR } = o;
  const chosen = groupLinks(model, links, group, minR);
  const [a, b] = [chosen.map((i) => links.a[i]), chosen.map((i) => links.b[i])];
  const labels = [a, b].map((points, s) => points.map((point) => labelAt(model.sets[s].columns, point)));
  const own = Array.from(chosen.keys());
  const call = { nulls, seed: 0, signal };
  const same = await sameTokenScore(labels[0], labels[1], { a: own, b: own }, { ...call, intervals: 0 });
  const scores: GroupScores['scores'] = {
    ...(Object.fromEntries(SCORES.map((name) => [name, 'no pairs'])) as GroupScores['scores']),
    ...(same.pairs > 0 && { 'same token': same.shared }),
  };
  for (const name of ['SVCCA', 'RSA', 'Jaccard'] as const) {
    if (a.length < LEAST_PAIRS) scores[name] = `${LEAST_PAIRS} pairs or more are needed`;
    else if (!decoders) scores[name] = 'this map carries no decoder rows';
    else {
      const [x, y] = [a, b].map((points, s) => gathered(decoders.rows[s], decoders.widths[s], points));
      const neighbours = neighboursOf(a.length);
      const options = { metrics: [METRIC[name]], neighbours, rsaRows: RSA_ROWS, ...call };
      scores[name] = await similarityScores(x, y, options).then(
        ([score]) => score,
        (error: unknown) => {
          if (signal.aborted) throw error;
          return messageOf(error);
        },
      );
    }
  }
  const meanR = chosen.reduce((sum, i) => sum + links.r[i], 0) / chosen.length;
  return { group, pairs: a.length, features: [new Set(a).size, new Set(b).size], meanR, scores };
}

/** The decoder rows of a model's bundle, cut by set. */
export function decodersOf(model: MapModel, all: Float32Array | null): Decoders | null {
  const [a, b] = model.sets.map(({ meta }) => meta);
  if (!all || !a.width || !b.width) return null;
  const cut = a.points * a.width;
  return { widths: [a.width, b.width], rows: [all.subarray(0, cut), all.subarray(cut)] };
}
