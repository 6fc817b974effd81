/** fg.interventions: effects on the map, one embedding of tokens before and after. */
import type { JsonObject } from '../../protocol/notebook.js';
import { loadResult, saveResult } from '../artifacts/result.js';
import { CONFORMANCE, pairs } from '../sae/pairing.js';
import { KEPT } from '../verb/common.js';
import { only } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { arrowItems, type TokenMap } from './arrows.js';
import { dataArg, effectParameters, interventionsArg, modelArg, tokensOf } from './fgArgs.js';
import { describeAll } from './intervention.js';
import { JOINT, JOINT_MAP_VERSION, jointMap as jointMapOf, jointOptions, type JointMap } from './joint.js';
import { batchTokens } from './options.js';
import { interventionPairings, pairingsOf } from './pairings.js';

export const jointMap = verb({
  doc: 'Tokens before and after in one embedding, fitted once to both and to a null direction of the same norm. Tokens that the interventions cannot have touched are left out and counted. As the last expression of a cell it is drawn, with arrows from before to after; fg.show(map, options) draws it with a title of yours or alone. The same call again loads the result.',
  args: [modelArg, interventionsArg, dataArg],
  options: { ...JOINT, batchTokens, ...CONFORMANCE, ...KEPT },
  errors: ['Interventions that touch no token at the hook are refused.'],
  kinds: ['joint-map', 'map'],
  before: pairs(({ sae, hook, allowOtherModel }, model, chosen, data) => {
    const tokens = tokensOf(data, model);
    const drawn = pairingsOf(model, sae ? [sae] : [], tokens, { hook, allowOtherModel });
    return [...drawn, ...interventionPairings(model, chosen, tokens)];
  }),
  async run({ env, options, call }, model, chosen, data): Promise<TokenMap> {
    const tokens = tokensOf(data, model);
    const asked = jointOptions(only(JOINT, options));
    const key = {
      kind: 'joint-map',
      parameters: effectParameters(asked, model, chosen) as JsonObject,
      inputs: { model: model.id, tokens: tokens.id, ...(asked.sae ? { sae: asked.sae.id } : {}) },
      codeVersion: JOINT_MAP_VERSION,
    };
    const make = (): Promise<JointMap> =>
      jointMapOf(model, chosen, tokens, { ...asked, batchTokens: options.batchTokens, ...call });
    const {
      value: made,
      cached,
      record,
    } = await env.store.compute<JointMap>(key, {
      fresh: options.fresh,
      title: 'Joint map',
      make: async (folder) => saveResult(folder, await make()),
      load: (folder) => loadResult<JointMap>(folder),
    });
    env.tellCached('Joint map', cached, record);
    return { ...made, id: record.id, interventions: describeAll(chosen), tokens };
  },
  show: (map, { env }) => arrowItems(env, map, { beside: true }),
});
