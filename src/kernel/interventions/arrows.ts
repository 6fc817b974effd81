/** How a joint map is drawn: arrows from before to after as the bundle that panels read, the null beside. */
import fs from 'node:fs/promises';
import path from 'node:path';
import type { FeatureExample } from '../../protocol/bundle.js';
import type { MapDescriptor, MapMeta, MapShift } from '../../protocol/map.js';
import { MIME } from '../../protocol/mime.js';
import type { Json, OutputItem } from '../../protocol/notebook.js';
import { sha256 } from '../io/hash.js';
import { axisOf, writeMapBundle, type BundleSet } from '../maps/bundle.js';
import type { TokenSet } from '../models/types.js';
import { besideText, nullName } from '../present/interventions.js';
import { count, textItem } from '../present/items.js';
import { thumbnail } from '../present/thumbnail.js';
import type { Environment } from '../verb/environment.js';
import type { JointMap } from './joint.js';

/** A joint map that knows the tokens it is of. */
export interface TokenMap extends JointMap {
  /** Identity of the result. */
  readonly id: string;
  /** Descriptions of the interventions. */
  readonly interventions: string;
  /** The tokens. */
  readonly tokens: TokenSet;
}

/** Raised when the same map is drawn otherwise. */
const ARROWS_VERSION = 1;
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
    columns: {
      ...{ x2: axisOf(after, 0), y2: axisOf(after, 1), delta: Float32Array.from(map.token, (t) => delta[t]) },
      ...{ partner: same, r: new Float32Array(n).fill(NaN) },
    },
  };
}

function setsOf(map: TokenMap, withNull: boolean): BundleSet[] {
  const own = setOf(map, 'Δ', map.interventions, map.after, map.delta);
  if (!withNull) {
    const { partner: _, r: __, ...columns } = own.columns!;
    return [{ ...own, columns }];
  }
  const nulls = setOf(
    map,
    'null',
    `${nullName(map.shift.nulls[0])} of the same norm, the first of seed ${map.shift.nulls[0].seed}`,
    map.nullAfter,
    map.nullDelta,
  );
  return [own, nulls];
}

/** The map of tokens before and after, drawn; `beside`: with the first null direction. Written once for equal calls. */
export async function arrowItems(
  env: Environment,
  map: TokenMap,
  given: { title?: string; beside: boolean },
): Promise<OutputItem[]> {
  const title = given.title ?? `${map.interventions}, at ${map.hook}`;
  const shift: MapShift = {
    unit: 'token',
    before: 'before',
    after: 'after',
    delta: map.sae ? 'Δ norm of features' : 'Δ norm',
    note: summary(map).split('\n').slice(1).join('. '),
  };
  const sets = setsOf(map, given.beside);
  const key = {
    kind: 'map',
    parameters: { title, null: given.beside, shift: { ...shift } },
    inputs: { jointMap: map.id },
    codeVersion: ARROWS_VERSION,
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
  return [
    { mime: MIME.map, json: JSON.parse(JSON.stringify(descriptor)) as Json },
    { mime: MIME.png, base64: thumbnail(sets).toString('base64') },
    textItem(`${title}\n${summary(map)}`),
  ];
}
