/**
 * Type and see: texts that were run through models, and which features of their SAEs fire on which token. A view of its own
 * (its descriptor carries the data, there is no bundle), and a part of maps and feature pages, whose descriptors carry the
 * same under `prompt`.
 */
import { isRecord } from './objects.js';
import type { PointLabel } from './tokens.js';

export interface PromptSide {
  model: { id: string; name: string };
  sae: { id: string; name: string; features: number; hook: string };
}

/** One text in one model. */
export interface TriedSide {
  tokens: string[];
  /** [tokens + 1]: the features of token t are entries at[t] to at[t + 1], the largest activation first. */
  at: number[];
  features: number[];
  /** Activations, to six digits. */
  values: number[];
  /** Firings that were left out, the smallest of each token, where a text has very many. */
  left: number;
  /** Absent: the tokens are those of the first side. Else stretches of text, by token, -1 = in none. */
  stretches?: { first: number[]; own: number[] };
  /** Labels of the features that are strongest somewhere; absent: none are known. */
  labels?: Array<[feature: number, label: PointLabel]>;
}

export interface Try {
  text: string;
  sides: TriedSide[];
}

export interface PromptMeta {
  title: string;
  /** Name under which the session answers. */
  live: string;
  sides: PromptSide[];
  /** Oldest first. */
  tries: Try[];
}

export interface PromptDescriptor {
  version: 1;
  id: string;
  path?: undefined;
  meta: PromptMeta;
}

/** Longest text that is tried, in characters. */
export const MAX_TRIED_TEXT = 20_000;
/** Tries that are kept, the newest. */
export const MAX_TRIES = 50;

/** Methods of live calls: what they take and give. `ms` is the time in the kernel. */
export interface PromptMethods {
  /** Shows a text that is being typed: it is not kept. */
  see: { params: { text: string }; value: { tried: Try; ms: number } };
  try: { params: { text: string }; value: { tried: Try; ms: number } };
  tries: { params: null; value: Try[] };
}

const isNumbers = (v: unknown): v is number[] => Array.isArray(v) && v.every((n) => typeof n === 'number');
const isTexts = (v: unknown): v is string[] => Array.isArray(v) && v.every((t) => typeof t === 'string');

function fits(side: unknown, first: unknown): boolean {
  if (!isRecord(side)) return false;
  const { tokens, at, features, values, left, stretches, labels } = side;
  if (!isTexts(tokens) || !isNumbers(at) || !isNumbers(features) || !isNumbers(values)) return false;
  const rising = at.every((n, t) => Number.isInteger(n) && n >= (t === 0 ? 0 : at[t - 1]));
  const whole = at.length === tokens.length + 1 && at[0] === 0 && at.at(-1) === features.length;
  if (!rising || !whole || values.length !== features.length || typeof left !== 'number') return false;
  if (labels !== undefined && !(Array.isArray(labels) && labels.every((l) => Array.isArray(l) && l.length === 2)))
    return false;
  const others = isRecord(first) && isTexts(first.tokens) ? first.tokens.length : -1;
  if (stretches === undefined) return others === tokens.length;
  if (!isRecord(stretches) || !isNumbers(stretches.first) || !isNumbers(stretches.own)) return false;
  return stretches.first.length === others && stretches.own.length === tokens.length;
}

/** Whether a value that came from a file or a message is a try that the views can draw. */
export function isTry(value: unknown, sides: number): value is Try {
  if (!isRecord(value) || typeof value.text !== 'string' || !Array.isArray(value.sides)) return false;
  const [first] = value.sides as unknown[];
  return value.sides.length === sides && value.sides.every((side) => fits(side, first));
}

/** Whether a value is the meta of a prompt box, its tries aside. */
function isBox(value: unknown): value is Omit<PromptMeta, 'tries'> & { tries: unknown[] } {
  if (!isRecord(value) || typeof value.live !== 'string' || !Array.isArray(value.sides)) return false;
  const named = (v: unknown): boolean => isRecord(v) && typeof v.id === 'string' && typeof v.name === 'string';
  const whole = value.sides.every((side) => isRecord(side) && named(side.model) && named(side.sae));
  return whole && value.sides.length > 0 && Array.isArray(value.tries);
}

/** The prompt box of a descriptor that came from a file; null where it has none that can be drawn. */
export function asPrompt(value: unknown): PromptMeta | null {
  if (!isBox(value)) return null;
  return { ...value, tries: value.tries.filter((each) => isTry(each, value.sides.length)) };
}
