/** Rotary position embeddings in config.json: base, and the scaling that long contexts use. */
import type { JsonObject } from '../../../protocol/notebook.js';
import type { RopeScaling, Rotary } from '../types.js';
import { brief, type Fields } from './fields.js';

/**
 * `rope_theta` with `rope_scaling`, or the newer `rope_parameters` that holds both. Default base 10,000.
 * @throws for scalings that are not computed here (longrope, mrope, …), by name.
 */
export function readRope(f: Fields, dHead: number, base = 10000): Rotary {
  const given = f.inner('rope_parameters') ?? f.inner('rope_scaling');
  for (const fields of given ? [f, given] : [f])
    if (fields.has('partial_rotary_factor')) fields.requireValue('partial_rotary_factor', 1);
  const theta = given?.has('rope_theta')
    ? given.number(['rope_theta'])
    : f.number(['rope_theta', 'rotary_emb_base'], base);
  const scaling = given && readScaling(given, f.integer(['max_position_embeddings']));
  return { dims: dHead, base: theta, ...(scaling && { scaling }) };
}

/** A scaling; undefined where positions are plain. */
export function readScaling(f: Fields, maxPositions: number): RopeScaling | undefined {
  const type = String(f.json.rope_type ?? f.json.type ?? 'default');
  const original = f.integer(['original_max_position_embeddings'], maxPositions);
  switch (type) {
    case 'default':
      return undefined;
    case 'linear':
      return { type, factor: factorOf(f) };
    case 'dynamic':
      return { type, factor: factorOf(f), original };
    case 'llama3': {
      const [lowFreqFactor, highFreqFactor] = [f.number(['low_freq_factor']), f.number(['high_freq_factor'])];
      if (!(lowFreqFactor > 0 && highFreqFactor > lowFreqFactor))
        throw new Error(
          `${f.where}: low_freq_factor ${lowFreqFactor} must be positive and below high_freq_factor ${highFreqFactor}`,
        );
      return {
        type,
        factor: factorOf(f),
        lowFreqFactor,
        highFreqFactor,
        original: f.integer(['original_max_position_embeddings']),
      };
    }
    case 'yarn':
      return readYarn(f, original, maxPositions);
    default:
      throw new Error(
        `${f.where}: rope_type ${brief(type)} is not supported; supported are default, linear, dynamic, llama3, yarn`,
      );
  }
}

function factorOf(f: Fields, missing?: number): number {
  const factor = f.number(['factor'], missing);
  if (factor >= 1) return factor;
  throw new Error(`${f.where}: factor must be at least 1 but is ${factor}`);
}

function readYarn(f: Fields, original: number, maxPositions: number): RopeScaling {
  const factor = factorOf(f, maxPositions / original);
  const mscale = (scale: number, by: number): number => (scale <= 1 ? 1 : 0.1 * by * Math.log(scale) + 1);
  const both = f.has('mscale') && f.has('mscale_all_dim') && f.number(['mscale_all_dim']) !== 0;
  const standard = both
    ? mscale(factor, f.number(['mscale'])) / mscale(factor, f.number(['mscale_all_dim']))
    : mscale(factor, 1);
  return {
    type: 'yarn',
    factor,
    original,
    betaFast: f.number(['beta_fast'], 32),
    betaSlow: f.number(['beta_slow'], 1),
    attentionFactor: f.number(['attention_factor'], standard),
    truncate: f.boolean('truncate', true),
  };
}

/** Longest sequence: dynamic and yarn reach beyond the length that the model was first trained on. */
export function ropeContext(maxPositions: number, scaling: RopeScaling | undefined): number {
  if (scaling?.type !== 'dynamic' && scaling?.type !== 'yarn') return maxPositions;
  return Math.max(maxPositions, Math.floor(scaling.original * scaling.factor));
}

/** rope_scaling as readScaling reads it. */
export function writeScaling(scaling: RopeScaling | undefined): JsonObject | null {
  switch (scaling?.type) {
    case undefined:
      return null;
    case 'linear':
      return { rope_type: 'linear', factor: scaling.factor };
    case 'dynamic':
      return { rope_type: 'dynamic', factor: scaling.factor, original_max_position_embeddings: scaling.original };
    case 'llama3':
      return {
        rope_type: 'llama3',
        factor: scaling.factor,
        low_freq_factor: scaling.lowFreqFactor,
        high_freq_factor: scaling.highFreqFactor,
        original_max_position_embeddings: scaling.original,
      };
    case 'yarn':
      return {
        rope_type: 'yarn',
        factor: scaling.factor,
        original_max_position_embeddings: scaling.original,
        beta_fast: scaling.betaFast,
        beta_slow: scaling.betaSlow,
        attention_factor: scaling.attentionFactor,
        truncate: scaling.truncate,
      };
  }
}
