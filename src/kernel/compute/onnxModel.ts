/** ONNX models of a few nodes, written out by hand: field tags, lengths and names of onnx.proto3. */

type Bytes = Uint8Array | readonly number[];

const text = new TextEncoder();

function join(parts: readonly Bytes[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function varint(n: number): number[] {
  const out: number[] = [];
  for (; n > 127; n = Math.floor(n / 128)) out.push((n & 127) | 128);
  out.push(n);
  return out;
}

const message = (field: number, ...parts: Bytes[]): Uint8Array => {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return join([varint(field * 8 + 2), varint(length), ...parts]);
};
const string = (field: number, value: string): Uint8Array => message(field, text.encode(value));
const integer = (field: number, value: number): number[] => [...varint(field * 8), ...varint(value)];

/** Element types of tensors, as TensorProto.DataType numbers them. */
const ELEMENTS = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7 } as const;
export type OnnxElement = keyof typeof ELEMENTS;

/** Types of attributes (AttributeProto.AttributeType). */
const FLOAT = 1;
const INT = 2;
const STRING = 3;
const INTS = 7;

/** A whole number of at least 0, such numbers, a text, or a float32. */
export type OnnxAttribute = number | readonly number[] | string | { float: number };

export interface OnnxNode {
  op: string;
  /** Empty names stand for optional inputs left out. */
  inputs: readonly string[];
  /** Its name, or the names of several. */
  output: string | readonly string[];
  attributes?: Record<string, OnnxAttribute>;

  /** "com.microsoft" for ONNX Runtime's own operators; default: the standard ones. */
  domain?: 'com.microsoft';
}

export interface OnnxConstant {
  name: string;
  shape: readonly number[];
  data: Float32Array | BigInt64Array;
}

export interface OnnxGraph {
  nodes: readonly OnnxNode[];
  /** Tensors of any shape, of float32 unless `types` says otherwise. */
  inputs: readonly string[];
  outputs: readonly string[];
  types?: Readonly<Record<string, OnnxElement>>;
  constants?: readonly OnnxConstant[];
  /** Version of the standard operators; default 17. */
  opset?: number;
}

function attribute([name, value]: [string, OnnxAttribute]): Uint8Array {
  if (typeof value === 'number') return message(5, string(1, name), integer(3, value), integer(20, INT));
  if (typeof value === 'string') return message(5, string(1, name), string(4, value), integer(20, STRING));
  if ('float' in value) {
    const bytes = new Uint8Array(Float32Array.of(value.float).buffer);
    return message(5, string(1, name), [(2 << 3) | 5], bytes, integer(20, FLOAT));
  }
  return message(5, string(1, name), ...value.map((v) => integer(8, v)), integer(20, INTS));
}

function node(n: OnnxNode): Uint8Array {
  return message(
    1,
    ...n.inputs.map((name) => string(1, name)),
    ...[n.output].flat().map((name) => string(2, name)),
    string(4, n.op),
    ...Object.entries(n.attributes ?? {}).map(attribute),
    ...(n.domain ? [string(7, n.domain)] : []),
  );
}

function constant({ name, shape, data }: OnnxConstant): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength); // ONNX is little-endian, as our hosts are
  const element = data instanceof Float32Array ? ELEMENTS.float32 : ELEMENTS.int64;
  return message(5, ...shape.map((d) => integer(1, d)), integer(2, element), string(8, name), message(9, bytes));
}

/** A model of `graph` as ONNX Runtime loads it. */
export function onnxModel(graph: OnnxGraph): Uint8Array {
  const value = (field: number, name: string) =>
    message(field, string(1, name), message(2, message(1, integer(1, ELEMENTS[graph.types?.[name] ?? 'float32']))));
  return join([
    integer(1, 8),
    message(8, integer(2, graph.opset ?? 17)),
    message(8, string(1, 'com.microsoft'), integer(2, 1)),
    message(
      7,
      ...graph.nodes.map(node),
      string(2, 'graph'),
      ...(graph.constants ?? []).map(constant),
      ...graph.inputs.map((name) => value(11, name)),
      ...graph.outputs.map((name) => value(12, name)),
    ),
  ]);
}
