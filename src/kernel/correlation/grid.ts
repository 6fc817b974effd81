/** Grids of layers: the features of every SAE of one model against those of every SAE of another. */
import { alignActivations, TextJoiner, type Combine } from '../activations/align.js';
import type { AlignedShares } from '../activations/characterSpans.js';
import { saveActivations } from '../activations/save.js';
import type { SparseActivations } from '../activations/types.js';
import type { ArtifactStore } from '../artifacts/store.js';
import type { CallOptions } from '../compute/call.js';
import { gatherRows } from '../compute/rows.js';
import { tokenSet, type Tokens } from '../datasets/dataset.js';
import type { LanguageModel } from '../models/types.js';
import type { Sae } from '../sae/types.js';
import { correlateArtifact } from './artifact.js';
import type { CorrelateParameters } from './options.js';
import { poolNulls } from './poolNulls.js';
import { similarityScores, type ScoreOptions } from './scores.js';
import type { SimilarityScore } from './types.js';

/** A model and SAEs of its layers. */
export interface GridSide {
  readonly model: LanguageModel;
  readonly saes: readonly Sae[];
}

/** An SAE of A against one of B. */
export interface GridCell {
  /** Numbers of the SAEs in their lists. */
  readonly a: number;
  readonly b: number;
  readonly pairs: number;
  /** Mean r of the pairs; NaN without any. */
  readonly meanR: number;
  /** Beside their nulls; [] where fewer than 3 pairs are left. */
  readonly scores: readonly SimilarityScore[];
}

export interface LayerGrid {
  /** Names of rows and columns: hooks, or SAEs where two share a hook. */
  readonly a: readonly string[];
  readonly b: readonly string[];
  readonly models: readonly [a: string, b: string];
  /** Tokens that maps are made over, or spans of text where the tokenizers differ. */
  readonly tokens: number;
  /** How much of both texts was joined, where the tokenizers differ. */
  readonly aligned?: AlignedShares;
  readonly method: string;
  /** Row by row of A. */
  readonly cells: readonly GridCell[];
}

/** Names of SAEs that tell them apart: their hooks where these differ. */
export function sideNames(saes: readonly Sae[]): string[] {
  const hooks = saes.map(({ config, name }) => (config.hookName === '' ? name : config.hookName));
  const names = new Set(hooks).size === saes.length ? hooks : saes.map(({ name }) => name);
  return names.map((name, i) => (names.indexOf(name) === i ? name : `${name} (${i})`));
}

interface GridOptions extends CallOptions {
  store: ArtifactStore;
  map: CorrelateParameters;
  scores: ScoreOptions;
  /** What a feature has on a span of several tokens, where the tokenizers differ; default max. */
  combine?: Combine;
  /** Gives a cell that was made before, or makes it. */
  remember: <T>(run: string, make: () => Promise<T>) => Promise<T>;
}

/** Activations by the number of the SAE on its side: an SAE may be on both, with another model. */
type Stores = Map<number, Promise<SparseActivations>>;

/** A cell as it is remembered: plain JSON, which has no NaN. */
interface Kept extends Omit<GridCell, 'meanR'> {
  readonly meanR: number | null;
  readonly tokens: number;
  readonly method: string;
  readonly aligned?: AlignedShares;
}

/** Run of a pair of SAEs. */
export const cellName = (i: number, j: number): string => `${i},${j}`;

/**
 * Brings two stores to the same rows: as they are where their tokens are the same, otherwise by the spans of text that
 * both have. Stores are brought there once, whatever the number of cells that they are in.
 */
function rowsInCommon(store: ArtifactStore, combine: Combine | undefined, call: CallOptions) {
  const joiner = new TextJoiner();
  return async (
    a: SparseActivations,
    b: SparseActivations,
  ): Promise<{ a: SparseActivations; b: SparseActivations; shares?: AlignedShares }> =>
    a.meta.tokenSet.id === b.meta.tokenSet.id
      ? { a, b }
      : (await alignActivations(a, b, store, { ...call, joiner, ...(combine ? { combine } : {}) })).value;
}

/**
 * Saves the activations of every SAE over the same text, correlates every SAE of A with every one of B and scores the
 * decoder rows of the pairs. Models with different tokenizers are joined by spans of characters. Activations and maps are artifacts of their own; a finished cell is not made again.
 */
export async function layerGrid(a: GridSide, b: GridSide, data: Tokens, o: GridOptions): Promise<LayerGrid> {
  const { store, remember, signal, onProgress } = o;
  const call = { signal, onProgress };
  const activationsOf = ({ model, saes }: GridSide, i: number, known: Stores): Promise<SparseActivations> => {
    const made =
      known.get(i) ??
      saveActivations(model, saes[i], tokenSet(data, model), store, { ...call, conformance: false }).then(
        ({ activations }) => activations,
      );
    known.set(i, made);
    return made;
  };
  const [ofA, ofB]: [Stores, Stores] = [new Map(), new Map()];
  const inCommon = rowsInCommon(store, o.combine, call);
  const cell = async (i: number, j: number): Promise<Kept> => {
    const [saeA, saeB] = [a.saes[i], b.saes[j]];
    const common = await inCommon(await activationsOf(a, i, ofA), await activationsOf(b, j, ofB));
    const { value: map } = await correlateArtifact(common.a, common.b, store, { ...o.map, ...call });
    const { pairs, tokens, method } = map;
    const n = pairs.r.length;
    const rows = [gatherRows(saeA.decoder, pairs.a), gatherRows(saeB.decoder, pairs.b)] as const;
    return {
      ...{ a: i, b: j, pairs: n, tokens, method },
      ...(common.shares ? { aligned: common.shares } : {}),
      meanR: n > 0 ? pairs.r.reduce((sum, r) => sum + r, 0) / n : null,
      scores: n < 3 ? [] : await similarityScores(rows[0], rows[1], { ...o.scores, shareNulls: poolNulls, ...call }),
    };
  };
  const cells: Kept[] = [];
  const total = a.saes.length * b.saes.length;
  for (let i = 0; i < a.saes.length; i++)
    for (let j = 0; j < b.saes.length; j++) {
      cells.push(await remember(cellName(i, j), () => cell(i, j)));
      onProgress?.({ label: 'layer grid', done: cells.length, total, unit: 'pairs of SAEs' });
    }
  return {
    ...{ a: sideNames(a.saes), b: sideNames(b.saes), models: [a.model.name, b.model.name] },
    tokens: cells[0].tokens,
    ...(cells[0].aligned ? { aligned: cells[0].aligned } : {}),
    method: cells[0].method,
    cells: cells.map(({ a: i, b: j, pairs, meanR, scores }) => ({ a: i, b: j, pairs, meanR: meanR ?? NaN, scores })),
  };
}
