/** fg.correlation.grid: every layer of one model against every layer of another. */
import { maxOf } from '../../protocol/lists.js';
import { tokensArg, tokenSet } from '../datasets/dataset.js';
import { sha256 } from '../io/hash.js';
import { layerGridItems } from '../present/correlationGrid.js';
import { CONFORMANCE, pairs, type Pairing } from '../sae/pairing.js';
import type { Sae } from '../sae/types.js';
import { KEPT, nulls, thing } from '../verb/common.js';
import { choice, membersGiven, only, several } from '../verb/option.js';
import { CLUSTER } from '../verb/split.js';
import { verb } from '../verb/verb.js';
import { cellName, layerGrid, type GridSide } from './grid.js';
import { CORRELATE } from './options.js';
import { METRICS, USUAL } from './usual.js';

function requireSide(side: GridSide, at: string): GridSide {
  const { model, saes } = side as Partial<GridSide>;
  if (typeof model !== 'object' || !Array.isArray(saes) || saes.length === 0)
    throw new TypeError(`${at} is { model, saes: [...] } with at least one SAE`);
  saes.forEach((sae: unknown, i) => {
    if (typeof sae !== 'object' || sae === null || !('decoder' in sae))
      throw new TypeError(`${at}.saes[${i}] is no SAE: write "await" before the call that made it`);
  });
  return side;
}

/** Identity of an SAE at its hook: the same weights may be read at another. */
const atHook = ({ id, config }: Sae): string => sha256(['SAE at a hook', id, config.hookName]);

const sideArg = (name: string) =>
  thing<GridSide, GridSide>(name, `A model and SAEs of its layers, { model, saes: [...] }: side ${name.toUpperCase()}.`, requireSide); // prettier-ignore

const LOOK = {
  metrics: several(METRICS, { doc: 'Which scores; the heat map is of the first.', usual: ['svcca'] }),
  combine: choice(['max', 'mean'], {
    doc: 'What a feature has on a span of several tokens, where the tokenizers differ.',
    usual: 'max',
  }),
};

export const grid = verb({
  doc: 'Every SAE of one model against every SAE of another, over the same text: pairs, mean r, and the similarity of the decoder rows of the pairs beside its null, as heat maps. Models with different tokenizers are joined by the spans of characters that both have, as fg.activations.align does, and the share that was joined is said. Activations and maps are kept as they are by fg.activations.save and fg.correlation.map; a call that was stopped goes on behind its last finished pair of SAEs.',
  args: [sideArg('a'), sideArg('b'), tokensArg],
  options: {
    ...CORRELATE,
    ...LOOK,
    nulls: nulls({ doc: 'Runs with the pairs shuffled.', runs: USUAL.nulls, draws: 'Draws the shuffles.' }),
    ...CONFORMANCE,
    ...CLUSTER,
    ...KEPT,
  },
  errors: [
    'SAEs of another model or width are refused.',
    '`combine` where both models read the same tokens, and `maxShareAtOnePosition` where they do not, are refused: spans have no positions.',
    'Without encoder or hook an SAE has no activations.',
  ],
  check({ combine, maxShareAtOnePosition }, a, b, data) {
    const same = tokenSet(data, a.model).id === tokenSet(data, b.model).id;
    if (same && combine !== undefined)
      throw new TypeError(
        'fg.correlation.grid: combine is read where the tokenizers differ, but both models read the same tokens',
      );
    if (!same && maxShareAtOnePosition < 1)
      throw new TypeError(
        'fg.correlation.grid: maxShareAtOnePosition has no meaning where the tokenizers differ: spans of text have no positions',
      );
  },
  before: pairs((_, a, b, data) =>
    [a, b].flatMap(({ model, saes }) => saes.map((sae): Pairing => ({ model, sae, tokens: tokenSet(data, model) }))),
  ),
  run({ env, options, call, remember }, a, b, data) {
    const { runs, seed } = membersGiven(options.nulls, 'runs');
    const scores = { metrics: options.metrics ?? LOOK.metrics.usual, nulls: runs, seed };
    return layerGrid(a, b, data, {
      store: env.store,
      map: only(CORRELATE, options),
      scores,
      remember,
      combine: options.combine,
      ...call,
    });
  },
  keep: {
    kind: 'correlation-grid',
    version: 3,
    what: 'Layer grid',
    resume: true,
    inputs: (_, a, b, data) => ({
      ...Object.fromEntries(a.saes.map((sae, i) => [`a${i}`, atHook(sae)])),
      ...Object.fromEntries(b.saes.map((sae, i) => [`b${i}`, atHook(sae)])),
      modelA: a.model.id,
      modelB: b.model.id,
      tokensA: tokenSet(data, a.model).id,
      tokensB: tokenSet(data, b.model).id,
    }),
  },
  split: {
    unit: 'pairs of SAEs',
    version: 2,
    pieces: (_, a, b) => ({
      pieces: a.saes.flatMap((_saeA, i) => b.saes.map((_saeB, j) => cellName(i, j))),
      work: { amount: a.saes.length * b.saes.length, unit: 'pairs of SAEs' },
      // Both stores' sums and one block of products; the stores themselves are read shard by shard.
      memory: 2 ** 31 + 64 * maxOf([...a.saes, ...b.saes].map(({ config }) => config.dSae)),
      disk: 4096 * a.saes.length * b.saes.length,
    }),
  },
  show: (made) => layerGridItems(made),
});
