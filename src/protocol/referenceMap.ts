/**
 * The JSON of the reference tool's feature maps: `{ meta, semantic_groups, model_a, model_b }`, two models with points that
 * name their counterparts by feature id. Read with checks, since files come from anywhere.
 */
import type { JsonObject } from './notebook.js';
import { isJsonObject, isRecord } from './objects.js';

export interface ReferencePoint {
  feature_id: number;
  x: number;
  y: number;
  /** Tokens, separated by ", ". */
  label: string;
  /** Feature of the other model. */
  mapped_feature_id?: number;
  /** r with that feature. */
  corr_to_mapped?: number;
}

export interface ReferenceModel {
  name: string;
  sae_name: string;
  layer: number;
  points: ReferencePoint[];
}

export interface ReferenceGroup {
  id: string;
  name: string;
  feature_ids_a: number[];
  feature_ids_b: number[];
}

export interface ReferenceMap {
  meta: JsonObject;
  semantic_groups: ReferenceGroup[];
  model_a: ReferenceModel;
  model_b: ReferenceModel;
}

/** What a map keeps of the file it was read from, so that an export writes the same file again. */
export interface ReferenceOrigin {
  meta: JsonObject;
  models: [Omit<ReferenceModel, 'points'>, Omit<ReferenceModel, 'points'>];
}

/** What joins the tokens of a label. */
export const LABEL_JOIN = ', ';

const MAX_POINTS = 1_000_000;
const MAX_GROUPS = 1000;

/** Whether it has the members of such a file. */
export const isReferenceMap = (x: unknown): boolean => isRecord(x) && 'model_a' in x && 'model_b' in x;

/** @throws TypeError that says where the value stands, what it is and what is expected */
function expectThat(ok: boolean, at: string, value: unknown, expected: string): asserts ok {
  const found = Array.isArray(value) ? `a list of ${value.length}` : (JSON.stringify(value)?.slice(0, 60) ?? 'missing');
  if (!ok) throw new TypeError(`${at} is ${found}; expected ${expected}`);
}

const isText = (v: unknown): v is string => typeof v === 'string';
const isNumber = (v: unknown): v is number => Number.isFinite(v);
const isId = (v: unknown): v is number => isNumber(v) && Number.isInteger(v) && v >= 0 && v < 2 ** 31;
const areIds = (v: unknown): v is number[] => Array.isArray(v) && v.every(isId);

function pointOf(given: unknown, at: string): ReferencePoint {
  expectThat(isRecord(given), at, given, 'a point');
  const { feature_id, x, y, label } = given;
  expectThat(isId(feature_id), `${at}.feature_id`, feature_id, 'a whole number of at least 0');
  expectThat(isNumber(x), `${at}.x`, x, 'a number');
  expectThat(isNumber(y), `${at}.y`, y, 'a number');
  expectThat(isText(label), `${at}.label`, label, 'a text');
  const mapped = given.mapped_feature_id ?? undefined;
  expectThat(mapped === undefined || isId(mapped), `${at}.mapped_feature_id`, mapped, 'a feature id, or none');
  const r = given.corr_to_mapped ?? undefined;
  expectThat(r === undefined || isNumber(r), `${at}.corr_to_mapped`, r, 'a number, or none');
  // What the tool may add later is kept as it is.
  const { mapped_feature_id: _, corr_to_mapped: __, ...rest } = given;
  return {
    ...{ ...rest, feature_id, x, y, label },
    ...(mapped !== undefined && { mapped_feature_id: mapped }),
    ...(r !== undefined && { corr_to_mapped: r }),
  };
}

function modelOf(given: unknown, at: string): ReferenceModel {
  expectThat(isRecord(given), at, given, 'a model with points');
  const { name, sae_name: sae = '', layer = 0, points } = given;
  expectThat(isText(name), `${at}.name`, name, 'a text');
  expectThat(isText(sae), `${at}.sae_name`, sae, 'a text');
  expectThat(isNumber(layer), `${at}.layer`, layer, 'a number');
  const fits = Array.isArray(points) && points.length > 0 && points.length <= MAX_POINTS;
  expectThat(fits, `${at}.points`, points, `a list of 1 to ${MAX_POINTS} points`);
  const read = (points as unknown[]).map((point, i) => pointOf(point, `${at}.points[${i}]`));
  const ids = new Set(read.map((point) => point.feature_id));
  if (ids.size < read.length) throw new TypeError(`${at}.points names a feature twice; expected every feature once`);
  return { name, sae_name: sae, layer, points: read };
}

function groupOf(given: unknown, at: string): ReferenceGroup {
  expectThat(isRecord(given), at, given, 'a group');
  const { id, name, feature_ids_a: a, feature_ids_b: b } = given;
  expectThat(isText(id), `${at}.id`, id, 'a text');
  expectThat(isText(name), `${at}.name`, name, 'a text');
  expectThat(areIds(a), `${at}.feature_ids_a`, a, 'a list of feature ids');
  expectThat(areIds(b), `${at}.feature_ids_b`, b, 'a list of feature ids');
  return { ...given, id, name, feature_ids_a: a, feature_ids_b: b };
}

/** Reads the JSON of such a file. `where` begins messages. @throws TypeError for what is none */
export function readReferenceMap(json: unknown, where: string): ReferenceMap {
  if (!isReferenceMap(json))
    throw new TypeError(`${where} is no feature map; expected JSON with meta, semantic_groups, model_a and model_b`);
  const { meta = {}, semantic_groups: groups = [], model_a, model_b } = json as Record<string, unknown>;
  expectThat(isJsonObject(meta), `${where}: meta`, meta, 'an object');
  const listed = Array.isArray(groups) && groups.length <= MAX_GROUPS;
  expectThat(listed, `${where}: semantic_groups`, groups, `a list of at most ${MAX_GROUPS} groups`);
  return {
    meta: meta as JsonObject,
    semantic_groups: (groups as unknown[]).map((group, g) => groupOf(group, `${where}: semantic_groups[${g}]`)),
    model_a: modelOf(model_a, `${where}: model_a`),
    model_b: modelOf(model_b, `${where}: model_b`),
  };
}
