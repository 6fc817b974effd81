/** Typed reading of a config.json, with errors that name the file, the field and what was expected. */
import type { Json, JsonObject } from '../../../protocol/notebook.js';
import type { ModelConfig } from '../types.js';

const ACTIVATIONS: Record<string, ModelConfig['activation']> = {
  gelu_new: 'gelu_new',
  gelu_fast: 'gelu_new',
  gelu_pytorch_tanh: 'gelu_new',
  gelu: 'gelu',
  relu: 'relu',
  silu: 'silu',
  swish: 'silu',
};

/** Layers that a config may name: a bound on what a hostile file can ask for. */
const MOST_LAYERS = 4096;

/** The first name present counts; null counts as absent. */
export class Fields {
  constructor(
    readonly json: JsonObject,
    readonly where: string,
  ) {}

  has(name: string): boolean {
    return this.json[name] !== undefined && this.json[name] !== null;
  }

  number(names: string[], missing?: number): number {
    const name = names.find((n) => this.has(n));
    const value = name === undefined ? missing : this.json[name];
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    throw new Error(
      `${this.where}: ${names.join(' or ')} must be a number but is ${brief(value as Json | undefined) ?? 'missing'}`,
    );
  }

  integer(names: string[], missing?: number): number {
    const value = this.number(names, missing);
    if (Number.isInteger(value) && value > 0) return value;
    throw new Error(`${this.where}: ${names.join(' or ')} must be a positive integer but is ${value}`);
  }

  /** Number of layers, bounded. */
  layers(names: string[]): number {
    const value = this.integer(names);
    if (value <= MOST_LAYERS) return value;
    throw new Error(`${this.where}: ${names.join(' or ')} is ${value}; at most ${MOST_LAYERS} layers are read`);
  }

  boolean(name: string, missing: boolean): boolean {
    const value = this.json[name] ?? missing;
    if (typeof value === 'boolean') return value;
    throw new Error(`${this.where}: ${name} must be true or false but is ${brief(value)}`);
  }

  activation(names: string[], missing: string): ModelConfig['activation'] {
    const name = names.find((n) => this.has(n)) ?? names[0];
    const value = String(this.json[name] ?? missing);
    if (Object.hasOwn(ACTIVATIONS, value)) return ACTIVATIONS[value];
    throw new Error(
      `${this.where}: ${name} "${value.slice(0, 40)}" is not supported; supported are ${Object.keys(ACTIVATIONS).join(', ')}`,
    );
  }

  /** Refuses a variant of the architecture that the forward pass does not compute. */
  requireValue(name: string, expected: Json): void {
    const value = this.json[name];
    if (value === undefined || value === null || value === expected) return;
    throw new Error(`${this.where}: ${name} = ${brief(value)} is not supported (expected ${JSON.stringify(expected)})`);
  }

  headWidth(dModel: number, heads: number): number {
    if (dModel % heads === 0) return dModel / heads;
    throw new Error(`${this.where}: width ${dModel} is not divisible by ${heads} heads`);
  }

  /** A nested object; undefined when absent. */
  inner(name: string): Fields | undefined {
    const value = this.json[name];
    if (value === undefined || value === null) return undefined;
    if (typeof value === 'object' && !Array.isArray(value)) return new Fields(value, `${this.where}: ${name}`);
    throw new Error(`${this.where}: ${name} must be an object but is ${brief(value)}`);
  }

  /** One name for each layer, each a key of `kinds`. */
  perLayer<T>(name: string, layers: number, kinds: Record<string, T>): T[] {
    const value = this.json[name];
    if (
      Array.isArray(value) &&
      value.length === layers &&
      value.every((v) => typeof v === 'string' && Object.hasOwn(kinds, v))
    )
      return value.map((v) => kinds[v as string]);
    throw new Error(
      `${this.where}: ${name} must name one of ${Object.keys(kinds).join(', ')} for each of ${layers} layers but is ${brief(value)}`,
    );
  }

  /** Rotary base and the part of each head that is rotated, in GPT-NeoX's old and new spelling. */
  neoxRope(): { base: number; part: number } {
    const nested = this.inner('rope_parameters');
    if (nested) {
      nested.requireValue('rope_type', 'default');
      return {
        base: nested.number(['rope_theta'], 10000),
        part: nested.number(['partial_rotary_factor'], this.number(['rotary_pct'], 0.25)),
      };
    }
    return {
      base: this.number(['rotary_emb_base', 'rope_theta'], 10000),
      part: this.number(['rotary_pct', 'partial_rotary_factor'], 0.25),
    };
  }
}

/** A value for an error message, never longer than a line. */
export function brief(value: Json | undefined): string | undefined {
  if (Array.isArray(value)) return `[${value.slice(0, 4).map(brief).join(', ')}${value.length > 4 ? ', …' : ''}]`;
  const text = JSON.stringify(value);
  return text !== undefined && text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
