/**
 * Graphs of heavy work, put together node by node. One description runs on every device that ONNX Runtime reaches
 * (process.ts); the kernel's typed-array code is what they are compared with.
 *
 * What the WebGPU provider lacks or does badly is avoided here and in the graphs: no LayerNormalization (its variance is
 * E[x²] − E[x]²), no FusedMatMul, no arithmetic of int64; nodes without a kernel on the device are an error, never a
 * silent move to the CPU.
 */
import type { OnnxAttribute, OnnxConstant, OnnxElement, OnnxGraph, OnnxNode } from '../onnxModel.js';

/** Operators have the versions of this opset. */
const OPSET = 20;

/** The name of a value of a graph. */
export type Value = string & { readonly value: unique symbol };

/** A graph under construction. */
export class Graph {
  readonly #nodes: OnnxNode[] = [];
  readonly #constants: OnnxConstant[] = [];
  readonly #inputs: string[] = [];
  readonly #types: Record<string, OnnxElement> = {};
  readonly #numbers = new Map<string, Value>();
  #next = 0;

  #name(): Value {
    return `v${this.#next++}` as Value;
  }

  /** An input, a tensor of any shape; asked for again by the same name it is the same one. */
  input(name: string, element: OnnxElement = 'float32'): Value {
    if (!this.#inputs.includes(name)) {
      this.#inputs.push(name);
      this.#types[name] = element;
    }
    return name as Value;
  }

  #constant(key: string, constant: Omit<OnnxConstant, 'name'>): Value {
    let name = this.#numbers.get(key);
    if (!name) {
      this.#numbers.set(key, (name = this.#name()));
      this.#constants.push({ name, ...constant });
    }
    return name;
  }

  /** A float32 of shape [1]. */
  number(value: number): Value {
    return this.#constant(`float ${value}`, { shape: [1], data: Float32Array.of(value) });
  }

  /** Whole numbers (int64), as shapes, axes and bounds are given. */
  whole(...values: number[]): Value {
    const data = BigInt64Array.from(values, BigInt);
    return this.#constant(`whole ${values.join()}`, { shape: [values.length], data });
  }

  /** One operator with one output. */
  op(op: string, inputs: readonly Value[], attributes?: Record<string, OnnxAttribute>): Value {
    return this.ops(op, 1, inputs, attributes)[0];
  }

  /** One operator with several outputs. */
  ops(op: string, outputs: number, inputs: readonly Value[], attributes?: Record<string, OnnxAttribute>): Value[] {
    const output = Array.from({ length: outputs }, () => this.#name());
    this.#nodes.push({ op, inputs, output, ...(attributes ? { attributes } : {}) });
    return output;
  }

  add = (a: Value, b: Value): Value => this.op('Add', [a, b]);
  sub = (a: Value, b: Value): Value => this.op('Sub', [a, b]);
  mul = (a: Value, b: Value): Value => this.op('Mul', [a, b]);
  div = (a: Value, b: Value): Value => this.op('Div', [a, b]);
  sqrt = (x: Value): Value => this.op('Sqrt', [x]);
  matMul = (a: Value, b: Value): Value => this.op('MatMul', [a, b]);

  /** op(A) · op(B) (+ C), of matrices. */
  gemm(a: Value, b: Value, options: { c?: Value; transA?: boolean; transB?: boolean } = {}): Value {
    const { c, transA = false, transB = false } = options;
    return this.op('Gemm', c ? [a, b, c] : [a, b], { transA: Number(transA), transB: Number(transB) });
  }

  /** Over the last axis unless `axis` says otherwise; the axis stays with length 1 unless `keep` is false. */
  mean(x: Value, axis = -1): Value {
    return this.op('ReduceMean', [x, this.whole(axis)]);
  }

  sum(x: Value, axis = -1, keep = true): Value {
    return this.op('ReduceSum', [x, this.whole(axis)], { keepdims: Number(keep) });
  }

  /** A tensor of this shape; 0 keeps a length, −1 is what is left. */
  reshape(x: Value, ...shape: number[]): Value {
    return this.op('Reshape', [x, this.whole(...shape)]);
  }

  transpose(x: Value, ...perm: number[]): Value {
    return this.op('Transpose', [x], { perm });
  }

  /** Where condition holds `yes`, else `no`. */
  where(condition: Value, yes: Value, no: Value): Value {
    return this.op('Where', [condition, yes, no]);
  }

  /** Elements from … to − 1 of an axis. */
  slice(x: Value, axis: number, from: number, to: number): Value {
    return this.op('Slice', [x, this.whole(from), this.whole(to), this.whole(axis)]);
  }

  /**
   * The k largest of each row, best first, ties to the lower index; k is an int64 input of shape [1].
   */
  topK(x: Value, k: Value, axis: number): { values: Value; indices: Value } {
    const [values, indices] = this.ops('TopK', 2, [x, k], { axis });
    return { values, indices };
  }

  /** The graph with these outputs, float32 but for those in `types`. */
  build(outputs: Record<string, Value>, types: Record<string, OnnxElement> = {}): OnnxGraph {
    // A value that is an output bears its name. An Identity would do too, but the device has none of int64.
    const names = new Map<string, string>();
    const copies: OnnxNode[] = [];
    for (const [output, from] of Object.entries(outputs)) {
      const isMade = this.#nodes.some((node) => [node.output].flat().includes(from));
      if (isMade && !names.has(from)) names.set(from, output);
      else copies.push({ op: 'Identity', inputs: [names.get(from) ?? from], output });
    }
    const named = (name: string): string => names.get(name) ?? name;
    const nodes = this.#nodes.map((n) => ({
      ...n,
      inputs: n.inputs.map(named),
      output: [n.output].flat().map(named),
    }));
    return {
      nodes: [...nodes, ...copies],
      inputs: this.#inputs,
      outputs: Object.keys(outputs),
      types: { ...this.#types, ...types },
      constants: this.#constants,
      opset: OPSET,
    };
  }
}
