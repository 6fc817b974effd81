/** Tests of values that came from outside, and plain values as JSON. */
import type { Json, JsonObject } from './notebook.js';
import type { TypedArray } from './safetensors.js';

/** Anything with members: arrays too, but not null. */
export const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** An object with members by name: no array, not null. */
export const isRecord = (value: unknown): value is Record<string, unknown> => isObject(value) && !Array.isArray(value);

/** The same of parsed JSON. */
export const isJsonObject = isRecord as (value: unknown) => value is JsonObject;

/** Numbers in a typed array. */
export const isTypedArray = (value: unknown): value is TypedArray =>
  ArrayBuffer.isView(value) && !(value instanceof DataView);

/**
 * Plain values of an interface as JSON. The compiler takes no interface for a JsonObject, since one may get members that are
 * not declared; what is given holds nothing but what JSON has.
 */
export const plainJson = (value: object | null): Json => value as unknown as Json;

/** Reads back what plainJson made, from a message or a file. Nothing is checked: its reader must stand any value. */
export const fromPlainJson = <T>(value: Json): T => value as unknown as T;
