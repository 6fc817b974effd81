/** What values that came from outside are. */
import type { JsonObject } from './notebook.js';

/** Anything with members: arrays too, but not null. */
export const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** An object with members by name: no array, not null. */
export const isRecord = (value: unknown): value is Record<string, unknown> => isObject(value) && !Array.isArray(value);

/** The same of parsed JSON. */
export const isJsonObject = isRecord as (value: unknown) => value is JsonObject;
