/** Aligned layouts, kept beside other layouts: what fg.maps.alignedUmap gives and a map of two SAEs draws. */
import { asParameters } from '../artifacts/parameters.js';
import { loadResult, saveResult } from '../artifacts/result.js';
import type { JsonObject } from '../../protocol/notebook.js';
import type { CallOptions } from '../compute/call.js';
import { describeRows, type Matrix } from '../compute/matrix.js';
import { matrixId, sha256 } from '../io/hash.js';
import type { Environment } from '../verb/environment.js';
import { only } from '../verb/option.js';
import { ALIGNED_UMAP, alignedUmap, type AlignedLayouts, type AlignedOptions } from './aligned.js';
import { withSource } from './laidOut.js';
import type { Pairs } from './procrustes.js';
import type { Layout, Watched } from './types.js';

export const ALIGNED_KIND = 'aligned-layouts';

/** With the identity of the rows, and the rows themselves. */
const of = (layout: Layout, x: Matrix): Layout => withSource({ ...layout, rows: matrixId(x) }, x);

/** @param options of the call as they were given */
export async function keptAligned(
  env: Environment,
  rows: readonly [Matrix, Matrix],
  pairs: Pairs,
  options: AlignedOptions,
  { fresh, ...call }: CallOptions & Watched & { fresh?: boolean },
): Promise<AlignedLayouts> {
  const given = only(ALIGNED_UMAP, { ...options });
  const [a, b] = rows;
  const key = {
    kind: ALIGNED_KIND,
    parameters: asParameters(given) as JsonObject,
    inputs: { a: matrixId(a), b: matrixId(b), pairs: sha256(['pairs', pairs.a, pairs.b]) },
    codeVersion: 2,
  };
  const title = `Aligned UMAP of ${describeRows(a)} and ${describeRows(b)}`;
  const { value, cached, record } = await env.store.compute(key, {
    ...{ title, fresh },
    make: async (folder) => saveResult(folder, await alignedUmap(rows, pairs, { ...given, ...call })),
    load: loadResult<AlignedLayouts>,
  });
  env.tellCached(title, cached, record);
  return { ...value, layouts: [of(value.layouts[0], a), of(value.layouts[1], b)] };
}
