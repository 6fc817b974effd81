/** fg.interventions: effects on the map, one embedding of tokens before and after. */
import fs from 'node:fs/promises';
import path from 'node:path';
import type { FeatureExample } from '../../protocol/bundle.js';
import type { MapDescriptor, MapMeta, MapShift } from '../../protocol/map.js';
import { MIME } from '../../protocol/mime.js';
import type { Json, JsonObject } from '../../protocol/notebook.js';
import { describeAll, identityOf, type Intervention } from '../interventions/intervention.js';
import { jointMap, type JointMap, type JointMapOptions } from '../interventions/joint.js';
import { nullName } from '../interventions/nullDirections.js';
import { sha256 } from '../io/hash.js';
import { writeMapBundle, type BundleSet } from '../maps/bundle.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import { tokenSet, type Tokens } from './datasets.js';
import { keyOf, listOf } from './effects.js';
import { besideText } from './effectTables.js';
import type { Environment } from '../verb/environment.js';
import { CALL, requireGiven, requireOptions, type OptionNames } from './given.js';
import { kept, type KeepOptions } from './kept.js';
import { count, textItem, withSummary } from '../present/items.js';
import { thumbnail } from './thumbnail.js';

/** A joint map that knows the tokens it is of. */
export interface TokenMap extends JointMap {
  /** Identity of the result. */
  readonly id: string;
  /** What was done, as the interventions say it. */
  readonly interventions: string;
  /** The tokens. */
  readonly tokens: TokenSet;
}

export interface ShowArrowsOptions {
  /** Default: what was done, and where it is looked at. */
  title?: string;
  /** Draw the first null direction beside it, in the same embedding; default true. */
  null?: boolean;
}

/** Effects on the map. */
export interface JointMapsApi {
  /**
   * Tokens before and after in one embedding, fitted once to both and to a null direction of the same norm. Tokens that
   * the interventions cannot have touched are left out and counted.
   */
  jointMap(
    model: LanguageModel,
    interventions: Intervention | readonly Intervention[],
    data: Tokens,
    options?: JointMapOptions & KeepOptions,
  ): Promise<TokenMap>;
  /** Draws a joint map: arrows from before to after or a slider between the two, coloured by Δ, the null beside. */
  showArrows(map: TokenMap, options?: ShowArrowsOptions): Promise<void>;
}

const JOINT_OPTIONS: OptionNames<JointMapOptions & KeepOptions> = {
  hook: true,
  sae: true,
  allowOtherModel: true,
  method: true,
  nNeighbors: true,
  minDist: true,
  metric: true,
  points: true,
  untouched: true,
  nulls: true,
  nullKinds: true,
  seed: true,
  sequences: true,
  batchTokens: true,
  fresh: true,
  ...CALL,
};
const SHOW_OPTIONS: OptionNames<ShowArrowsOptions> = { title: true, null: true };
const CODE_VERSION = 1;
/** Tokens shown on either side of a point's own. */
const WINDOW = 8;

function summary(map: TokenMap): string {
  const which = map.withUntouched ? '' : 'touched ';
  const left = map.notDrawn > 0 ? `, ${count(map.notDrawn)} ${which}tokens not drawn` : '';
  const others = map.withUntouched ? 'untouched, which may be drawn too' : 'untouched left out';
  return [
    `${map.interventions}, at ${map.hook}${map.sae ? ` in features of ${map.sae}` : ''}`,
    `${map.description}; ${count(map.touched)} tokens touched, ${count(map.untouched)} ${others}${left}`,
    `mean Δ norm ${besideText(map.shift)}`,
    `coherence of Δ ${besideText(map.coherence)}`,
  ].join('\n');
}

/** The words around a token, with the Δ of each. */
function windowOf({ tokens }: TokenMap, token: number, delta: Float32Array): FeatureExample {
  const { context, tokenizer } = tokens;
  const [sequence, position] = [Math.floor(token / context), token % context];
  const from = Math.max(0, position - WINDOW);
  const to = Math.min(context, position + WINDOW + 1);
  const at = Array.from({ length: to - from }, (_, k) => sequence * context + from + k);
  return {
    ...{ sequence, position, value: delta[token], peak: position - from },
    tokens: at.map((t) => tokenizer.piece(tokens.tokens[t])),
    activations: at.map((t) => delta[t]),
  };
}

/** One side of the map: the intervention, or its null. */
function setOf(map: TokenMap, name: string, title: string, after: Float32Array, delta: Float32Array): BundleSet {
  const n = map.token.length;
  const same = Int32Array.from({ length: n }, (_, i) => i);
  return {
    name,
    title,
    layout: {
      id: sha256([map.before]),
      coordinates: map.before,
      points: n,
      method: 'pca',
      description: map.description,
      parameters: {},
      excluded: 0,
    },
    firings: new Uint32Array(n).fill(1),
    tokens: n,
    labels: Array.from(map.token, (t) => [map.tokens.tokenizer.piece(map.tokens.tokens[t])]),
    examples: Array.from(map.token, (t) => [windowOf(map, t, delta)]),
    ids: map.token,
    after: { coordinates: after, delta: Float32Array.from(map.token, (t) => delta[t]) },
    partner: same,
    r: new Float32Array(n).fill(NaN),
  };
}

function setsOf(map: TokenMap, withNull: boolean): BundleSet[] {
  const own = setOf(map, 'Δ', map.interventions, map.after, map.delta);
  if (!withNull) return [{ ...own, partner: undefined, r: undefined }];
  const nulls = setOf(
    map,
    'null',
    `${nullName(map.shift.nulls[0])} of the same norm, the first of seed ${map.shift.nulls[0].seed}`,
    map.nullAfter,
    map.nullDelta,
  );
  return [own, nulls];
}

async function showArrows(env: Environment, map: TokenMap, options: ShowArrowsOptions): Promise<void> {
  const { null: withNull = true } = options;
  const title = options.title ?? `${map.interventions}, at ${map.hook}`;
  const shift: MapShift = {
    unit: 'token',
    before: 'before',
    after: 'after',
    delta: map.sae ? 'Δ norm of features' : 'Δ norm',
    note: summary(map).split('\n').slice(1).join('. '),
  };
  const sets = setsOf(map, withNull);
  const key = {
    kind: 'map',
    parameters: { title, null: withNull, shift: { ...shift } },
    inputs: { jointMap: map.id },
    codeVersion: CODE_VERSION,
  };
  const computed = await env.outputStore.compute(key, {
    title,
    make: async (folder) => void (await writeMapBundle(folder, sets, { title, shift })),
    load: async (made) => JSON.parse(await fs.readFile(path.join(made, 'map.json'), 'utf8')) as MapMeta,
  });
  const descriptor: MapDescriptor = {
    version: 1,
    id: computed.record.id,
    path: path.relative(env.context.outputFolder, computed.folder).split(path.sep).join('/'),
    meta: computed.value,
  };
  env.context.display([
    { mime: MIME.map, json: JSON.parse(JSON.stringify(descriptor)) as Json },
    { mime: MIME.png, base64: thumbnail(sets).toString('base64') },
    textItem(`${title}\n${summary(map)}`),
  ]);
}

export function jointMapsApi(env: Environment): JointMapsApi {
  return {
    async jointMap(model, interventions, data, options) {
      requireGiven({ model, interventions, data });
      requireOptions('fg.interventions.jointMap', options, JOINT_OPTIONS);
      const [chosen, tokens] = [listOf(interventions), tokenSet(data, model)];
      const sae: Record<string, string> = options?.sae ? { sae: options.sae.id } : {};
      const key = keyOf('joint-map', options, identityOf(model, chosen), {
        ...{ model: model.id, tokens: tokens.id },
        ...sae,
      });
      const result = await env.call(options, (call) =>
        kept(env, 'Joint map', key, options, () => jointMap(model, chosen, tokens, { ...options, ...call })),
      );
      const id = env.store.idOf({ ...key, parameters: key.parameters as JsonObject });
      const map = { ...result, id, interventions: describeAll(chosen), tokens };
      return withSummary(map, () => summary(map));
    },
    async showArrows(map, options = {}) {
      requireGiven({ map });
      requireOptions('fg.interventions.showArrows', options, SHOW_OPTIONS);
      await showArrows(env, map, options);
    },
  };
}
