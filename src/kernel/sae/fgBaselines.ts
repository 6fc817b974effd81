/** fg.sae.baselines: what an SAE must do better than. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { tokensArg, tokenSet } from '../datasets/dataset.js';
import { writeFileAtomic } from '../io/files.js';
import { capturedWidth } from '../models/capture.js';
import { ignoringOf, ignoringParameters } from '../models/ignored.js';
import type { CallOptions } from '../compute/call.js';
import { KEPT } from '../verb/common.js';
import type { Environment } from '../verb/environment.js';
import { only, several, value, type Option } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { BASELINES, l0Of, optionsOf, rememberBaselines, type BaselineKind, type SaeBaselines } from './baselines.js';
import { directionSae, DIRECTIONS, type Directions } from './directions.js';
import { FROZEN } from './frozen.js';
import { HISTORY, loadTrained } from './keptTraining.js';
import { allowOtherModel, modelArg, requireModelOfSae, saeArg } from './ofModel.js';
import { requireReconstructs } from './sae.js';
import { saveSae } from './save.js';
import { sharedSources, type ActivationSource } from './source.js';
import { TRAIN, withFeatures } from './trainOptions.js';
import { trainTogether } from './trainTogether.js';
import type { Sae } from './types.js';

/** Option of verbs that can show baselines beside an SAE. */
export const withBaselines = (what: string, { identity }: { identity?: boolean } = {}): Option<true | SaeBaselines> =>
  value<true | SaeBaselines>(
    'true, or what fg.sae.baselines returned',
    {
      doc: `Baselines of the SAE whose ${what} stand beside its own; true: those that fg.sae.baselines made of it in this session.`,
      fallback: 'none',
      identity,
    },
    (v) => v === true || (typeof v === 'object' && v !== null),
  );

const CODE_VERSION = 1;

/** Directions in the place of the SAE's, kept for themselves. */
async function keptDirections(
  env: Environment,
  kind: Directions,
  sae: Sae,
  source: () => ActivationSource,
  { tokens, seed }: { tokens: string; seed: number },
  { fresh, ...call }: CallOptions & { fresh?: boolean },
): Promise<Sae> {
  const l0 = l0Of(sae);
  const { value: made } = await env.store.compute(
    {
      kind: 'sae',
      parameters: { directions: kind, l0, seed },
      inputs: { sae: sae.id, tokens },
      codeVersion: CODE_VERSION,
    },
    {
      fresh,
      title: `${kind} directions in the place of ${sae.name}`,
      async make(folder) {
        const made = await directionSae(kind, sae, source(), { l0, seed }, call);
        await mkdir(folder, { recursive: true });
        await saveSae(made, folder);
        await writeFileAtomic(path.join(folder, HISTORY), '[]');
        return made.id;
      },
      load: loadTrained,
    },
  );
  return made;
}

export const baselines = verb({
  doc: 'The baselines of an SAE, of the same size, on the same batches in the same order: its training with the decoder frozen at its random start, with decoder rows held at a cosine of .8 or more with theirs, and with the encoder frozen, all on one pass of the model; and directions that nobody trained, of the norms of its decoder rows and as sparse as the SAE: the principal directions of the activations with both signs, and random ones. Each is an SAE: evaluate it, save its activations, draw its map. `{ baselines: true }` shows them beside the SAE in evaluations, probes, maps, correlation and splitting. Each is kept; the same call loads it.',
  args: [modelArg, saeArg, tokensArg],
  options: {
    kinds: several(BASELINES, { doc: 'Which of them.', fallback: 'all; of a transcoder those that are trained' }),
    allowOtherModel,
    ...KEPT,
  },
  errors: [
    'An SAE that does not say how it was trained, another text than that of its training, and another model are refused.',
  ],
  kinds: ['sae'],
  check: (options, model, sae) => requireModelOfSae(sae, model, options.allowOtherModel),
  async run({ env, options, call }, model, sae, data): Promise<SaeBaselines> {
    const { kinds = sae.config.transcoder ? FROZEN : BASELINES, fresh } = options;
    const tokens = tokenSet(data, model);
    const { hook, hookOut, ignoreTokens, ...settings } = optionsOf(sae, tokens);
    const ignoring = ignoringParameters(ignoringOf(tokens, ignoreTokens));
    const source = sharedSources(model, tokens, [{ hook, hookOut, ignoreTokens }]);
    if (DIRECTIONS.some((kind) => kinds.includes(kind))) requireReconstructs(sae, 'pca and random directions');
    const frozen = FROZEN.filter((kind) => kinds.includes(kind));
    const runs = frozen.map((baseline) => ({
      data: {
        title: `${baseline} baseline of an SAE of ${model.name} ${hook}`,
        inputs: { model: model.id, tokens: tokens.id },
        source: () => source({ hook, hookOut, ignoreTokens }),
      },
      options: {
        hook,
        ...(hookOut === undefined ? {} : { hookOut }),
        ignoring,
        ...withFeatures(only(TRAIN, { ...settings, baseline }), capturedWidth(model, hook)),
        fresh,
      },
    }));
    const trained = runs.length > 0 ? await trainTogether(env, runs, call) : [];
    const found: Partial<Record<BaselineKind, Sae>> = {};
    frozen.forEach((kind, i) => (found[kind] = trained[i]));
    const at = { tokens: tokens.id, seed: settings.seed ?? TRAIN.seed.usual };
    for (const kind of DIRECTIONS)
      if (kinds.includes(kind))
        found[kind] = await keptDirections(env, kind, sae, () => source({ hook, ignoreTokens }), at, {
          ...call,
          fresh,
        });
    rememberBaselines(env, sae, found);
    return found;
  },
});
