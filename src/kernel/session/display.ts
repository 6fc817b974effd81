/** Values as outputs and as one-line summaries. A summary never calls getters or proxies of the value. */
import { isTypedArray } from '../../protocol/objects.js';
import { inspect, types } from 'node:util';
import type { OutputItemMessage, VariableInfo } from '../../protocol/kernel.js';
import { MIME } from '../../protocol/mime.js';
import type { Json, OutputItem } from '../../protocol/notebook.js';
import type { TypedArray } from '../../protocol/safetensors.js';
import { helpOf } from '../verb/help.js';
import { checkDisplay } from './bounds.js';

/** A value with this method is shown by the items that it returns (a promise of them is awaited). */
export const DISPLAY = Symbol.for('fgnb.display');

const SHOWN = 6;

/** Own data property, without calling a getter or a proxy's trap. */
function own(value: object, key: string): unknown {
  if (types.isProxy(value)) return undefined;
  return Object.getOwnPropertyDescriptor(value, key)?.value;
}

function isShape(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= 16 && value.every((size) => Number.isInteger(size));
}

/** Shape, dtype and data of an array-like value: typed arrays, matrices {rows, cols, data}, tensors {shape, dtype}. */
function arrayFacts(value: object): { shape: number[]; dtype?: string; data?: TypedArray } | undefined {
  if (isTypedArray(value)) return { shape: [value.length], dtype: value.constructor.name, data: value };
  const [rows, cols, data, shape, dtype] = ['rows', 'cols', 'data', 'shape', 'dtype'].map((key) => own(value, key));
  if (typeof rows === 'number' && typeof cols === 'number' && isTypedArray(data)) {
    return { shape: [rows, cols], dtype: data.constructor.name, data };
  }
  if (!isShape(shape)) return undefined;
  const array = isTypedArray(data) ? data : undefined;
  return { shape, dtype: typeof dtype === 'string' ? dtype : array?.constructor.name, data: array };
}

/** Class of a value, such as "Float32Array", "Map", "SparseActivations", "number". */
export function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value !== 'object' && typeof value !== 'function') return typeof value;
  if (types.isProxy(value)) return 'Proxy';
  if (typeof value === 'function') return types.isAsyncFunction(value) ? 'async function' : 'function';
  // A bundler may have added a number to the class name.
  if (own(value, 'dataId') !== undefined && isShape(own(value, 'shape'))) return 'Tensor';
  for (let proto: unknown = Object.getPrototypeOf(value); proto && typeof proto === 'object';) {
    if (types.isProxy(proto)) return 'object';
    const made: unknown = Object.getOwnPropertyDescriptor(proto, 'constructor')?.value;
    const name: unknown = typeof made === 'function' ? Object.getOwnPropertyDescriptor(made, 'name')?.value : undefined;
    if (typeof name === 'string' && name) return name;
    proto = Object.getPrototypeOf(proto);
  }
  return 'object';
}

function numbers(data: TypedArray): string {
  const first = Array.from(data.subarray(0, SHOWN) as ArrayLike<number | bigint>, (v) =>
    typeof v === 'bigint' ? `${v}` : String(Number(v.toPrecision(5))),
  );
  return `[${first.join(', ')}${data.length > SHOWN ? ', …' : ''}]`;
}

/** `Matrix 3 × 4 Float32Array [0, 1, …]`: type, shape and the first values; undefined for a value that is no array. */
function arrayText(value: object): string | undefined {
  const facts = arrayFacts(value);
  if (!facts) return undefined;
  const name = typeName(value);
  const title = name === 'Object' ? 'Matrix' : name;
  const dtype = facts.dtype && facts.dtype !== name ? ` ${facts.dtype}` : '';
  return `${title} ${facts.shape.join(' × ')}${dtype}${facts.data ? ` ${numbers(facts.data)}` : ''}`;
}

/** The text of a value, bounded: arrays by type and shape, other values as Node prints them. */
export function valueText(value: unknown): string {
  if (typeof value === 'object' && value !== null && !types.isProxy(value)) {
    const text = arrayText(value);
    if (text) return text;
  }
  return inspect(value, { depth: 4, maxArrayLength: 60, maxStringLength: 10_000, breakLength: 100 });
}

/**
 * The outputs of a cell's last value; undefined shows nothing.
 * @param stacks how a stack in the text is made readable.
 * @throws what the value's own display method throws.
 */
export async function valueItems(
  value: unknown,
  stacks: { readable(text: string): string } = { readable: (text) => text },
): Promise<OutputItem[]> {
  if (value === undefined) return [];
  const method: unknown =
    typeof value === 'object' && value !== null && !types.isProxy(value) ? Reflect.get(value, DISPLAY) : undefined;
  if (typeof method === 'function') {
    const items: unknown = await Reflect.apply(method, value, []);
    if (Array.isArray(items) && items.every(isItem)) return items;
    throw new TypeError(`[Symbol.for('fgnb.display')]() must return output items {mime, text | json | base64}`);
  }
  return [{ mime: MIME.text, text: [stacks.readable(valueText(value))] }];
}

function isItem(value: unknown): value is OutputItem {
  return typeof value === 'object' && value !== null && typeof (value as { mime?: unknown }).mime === 'string';
}

/**
 * Items as messages: binary contents move to the frame's buffers.
 * @throws RangeError when they are too large to show
 */
export function toMessages(items: readonly OutputItem[]): { items: OutputItemMessage[]; buffers: Uint8Array[] } {
  const buffers: Uint8Array[] = [];
  const messages = items.map(({ mime, text, json, base64 }): OutputItemMessage => {
    if (base64 !== undefined) return { mime, buffer: buffers.push(new Uint8Array(Buffer.from(base64, 'base64'))) - 1 };
    if (text !== undefined) return { mime, text: Array.isArray(text) ? text.join('') : String(text) };
    return { mime, json: (json ?? null) as Json };
  });
  checkDisplay(messages, buffers);
  return { items: messages, buffers };
}

/** A row of the variables view. */
export function describeVariable(name: string, value: unknown): VariableInfo {
  const type = typeName(value);
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null || types.isProxy(value)) {
    return { name, type, summary: type === 'Proxy' ? 'Proxy' : short(inspect(value, { maxStringLength: 200 })) };
  }
  const facts = arrayFacts(value);
  const info: VariableInfo = { name, type, summary: short(summary(value, type)) };
  if (facts) info.shape = facts.shape;
  if (facts?.dtype) info.dtype = facts.dtype;
  if (facts?.data) info.bytes = facts.data.byteLength;
  if (types.isAnyArrayBuffer(value)) info.bytes = value.byteLength;
  return info;
}

function short(text: string): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length > 120 ? line.slice(0, 119) + '…' : line;
}

function summary(value: object, type: string): string {
  const array = arrayText(value);
  if (array) return array;
  if (Array.isArray(value)) return `Array(${value.length})`;
  if (types.isMap(value) || types.isSet(value)) return `${type}(${value.size})`;
  if (typeof value === 'function') return type;
  if (types.isNativeError(value) || types.isDate(value) || types.isRegExp(value)) {
    return inspect(value, { customInspect: false, depth: 0 });
  }
  const keys = Object.keys(value);
  return `${type === 'Object' ? '' : `${type} `}{${keys.slice(0, 8).join(', ')}${keys.length > 8 ? ', …' : ''}}`;
}

const PATH = /^[\p{L}_$][\p{L}\p{N}_$]*(\.[\p{L}_$][\p{L}\p{N}_$]*)*$/u;

/** The value of a path such as `a.b.c`. Only data properties are followed, so no code of the user's runs. */
function valueOf(expression: string, lookup: (name: string) => unknown): unknown {
  if (!PATH.test(expression)) return undefined;
  const [first, ...rest] = expression.split('.');
  let value = lookup(first);
  for (const key of rest) value = isObject(value) ? inherited(value, key) : undefined;
  return value;
}

/** Property names of the value of an expression like `a.b.c`, for completion; none where the expression is unknown. */
export function propertyNames(expression: string, lookup: (name: string) => unknown): string[] {
  const value = valueOf(expression, lookup);
  const names = new Set<string>();
  for (let at: unknown = Object(value ?? {}); isObject(at) && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    if (types.isProxy(at)) break;
    for (const key of Object.getOwnPropertyNames(at)) if (key !== 'constructor' && !/^\d+$/.test(key)) names.add(key);
    if (names.size > 2000) break;
  }
  return value === undefined || value === null ? [] : [...names];
}

/** A description of the value of an expression like `a.b.c`: the help of a verb of `fg`, or type, shape and value. */
export function describeExpression(expression: string, lookup: (name: string) => unknown): string | undefined {
  const value = valueOf(expression, lookup);
  if (value === undefined) return undefined;
  const help = isObject(value) ? helpOf(value) : undefined;
  if (help !== undefined) return help;
  const { type, summary, shape, dtype } = describeVariable(expression, value);
  const size = shape ? `, shape [${shape.join(', ')}]${dtype === undefined ? '' : `, ${dtype}`}` : '';
  return `${expression}: ${type}${size}\n${summary}`;
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

function inherited(value: object, key: string): unknown {
  for (let at: unknown = value; isObject(at) && !types.isProxy(at); at = Object.getPrototypeOf(at)) {
    const property = Object.getOwnPropertyDescriptor(at, key);
    if (property) return property.value;
  }
  return undefined;
}
