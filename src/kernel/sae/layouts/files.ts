/** What there is of an SAE on disk: tensors and the config beside them, and which of both were used. */
import { basename, dirname, join, relative } from 'node:path';
import type { Json, JsonObject } from '../../../protocol/notebook.js';
import { matrix, type Matrix } from '../../compute/matrix.js';
import { openArrays } from '../../io/arrays.js';
import { kindOfPath, readJson as readJsonFile } from '../../io/files.js';
import { toFloat32, type NdArray } from '../../io/ndarray.js';
import type { PickledScalar } from '../../io/namedValues.js';
import type { WeightSource } from '../../io/weights.js';
import { NeedsOption, type LoadSaeOptions } from './layout.js';
import { isJsonObject } from '../../../protocol/objects.js';

/** Weights that libraries name always alike, each with the configs that lie beside it, by paths from its folder. */
const KNOWN_FILES: ReadonlyArray<[weights: string, configs: readonly string[]]> = [
  ['sae_weights.safetensors', ['cfg.json']],
  ['sae.safetensors', ['cfg.json']],
  ['ae.pt', ['config.json']],
  ['params.npz', []],
  ['params.safetensors', ['config.json']],
  ['checkpoints/final.safetensors', ['hyperparams.json']],
];
/** Tensors named in a message. */
const SHOWN = 40;
/** Numbers of a vector that are read where only headers are asked for. */
const LONG_VECTOR = 1 << 17;

/** What a folder of an SAE may hold, by paths inside it: one of these weights, and any of these configs. */
export const SAE_WEIGHTS: readonly string[] = KNOWN_FILES.map(([weights]) => weights);
export const SAE_CONFIGS: readonly string[] = [
  ...new Set([...KNOWN_FILES.flatMap(([, configs]) => configs), 'activation_scaler.json']),
];

export class SaeFiles {
  private readonly usedTensors = new Set<string>();
  private readonly usedFields = new Set<string>();
  private readonly usedOptions = new Set<string>();
  private readonly ignored = new Set<string>();

  private constructor(
    /** The weights file. */
    readonly path: string,
    /** Whether a config lies beside it. */
    readonly hasConfig: boolean,
    /** The config's name, such as 'cfg.json', for messages. */
    readonly configName: string,
    /** Fields of nested objects are named with dots: 'trainer.k'. */
    readonly config: JsonObject,
    readonly source: WeightSource,
    readonly options: LoadSaeOptions,
    private readonly headersOnly: boolean,
  ) {}

  /**
   * Opens a weights file with the config that belongs to it, or a folder with one of the known files. `headersOnly`: for
   * looking at what would be loaded; matrices have their sizes and no values, and long vectors are zeros.
   */
  static async open(fileOrFolder: string, options: LoadSaeOptions, headersOnly = false): Promise<SaeFiles> {
    const { weights, config } = await locate(fileOrFolder);
    const read = config === undefined ? {} : await readJson(config);
    const source = await openArrays(weights);
    // Numbers and texts beside the tensors of a checkpoint are config too.
    const fields = nested(source.scalars ?? new Map());
    const name = basename(config ?? weights);
    return new SaeFiles(weights, config !== undefined, name, { ...fields, ...read }, source, options, headersOnly);
  }

  close(): Promise<void> {
    return this.source.close();
  }

  get folder(): string {
    return dirname(this.path);
  }

  names(): string[] {
    return this.source.names();
  }

  has(...names: string[]): boolean {
    const all = new Set(this.names());
    return names.every((name) => all.has(name));
  }

  /** [] for a tensor that is not there or has a type that is not read. */
  shape(name: string): number[] {
    if (!this.has(name)) return [];
    try {
      return this.source.info(name).shape;
    } catch {
      return [];
    }
  }

  /** A tensor of two dimensions, as float32 in memory that nothing else holds: folding writes into it. */
  async matrix(name: string, transpose = false): Promise<Matrix> {
    if (this.headersOnly) {
      const [rows, cols] = this.shapeOf(name, 2);
      const data = new Float32Array(0);
      return transpose ? { rows: cols, cols: rows, data } : { rows, cols, data };
    }
    const a = await this.tensor(name, 2);
    const [rows, cols] = a.shape;
    const data = owned(a);
    if (!transpose) return matrix(rows, cols, data);
    const turned = new Float32Array(data.length);
    for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) turned[j * rows + i] = data[i * cols + j];
    return matrix(cols, rows, turned);
  }

  /** A tensor of one dimension. */
  async vector(name: string): Promise<Float32Array> {
    if (this.headersOnly) {
      const [length] = this.shapeOf(name, 1);
      if (length > LONG_VECTOR) return new Float32Array(length);
    }
    return owned(await this.tensor(name, 1));
  }

  /** A tensor of one element, of any dimensions. */
  async scalar(name: string): Promise<number> {
    this.usedTensors.add(name);
    const a = await this.source.read(name);
    if (a.data.length !== 1)
      throw new Error(`${this.path}: ${name} must be a single number but has shape [${a.shape.join(', ')}]`);
    return toFloat32(a)[0];
  }

  private async tensor(name: string, dimensions: number): Promise<NdArray> {
    this.shapeOf(name, dimensions);
    return this.source.read(name);
  }

  private shapeOf(name: string, dimensions: number): number[] {
    this.usedTensors.add(name);
    const { shape } = this.source.info(name);
    if (shape.length !== dimensions)
      throw new Error(
        `${this.path}: ${name} must have ${dimensions === 1 ? 'one dimension' : 'two dimensions'} but has shape [${shape.join(', ')}]`,
      );
    return shape;
  }

  /** A config field, undefined when it is not there; null counts as not there. */
  field(name: string): Json | undefined {
    this.usedFields.add(name);
    let value: Json | undefined = this.config;
    for (const part of name.split('.'))
      value = isJsonObject(value) && Object.hasOwn(value, part) ? value[part] : undefined;
    return value ?? undefined;
  }

  text(name: string): string {
    const value = this.field(name);
    return typeof value === 'string' ? value : '';
  }

  /** A positive whole number; undefined when the field is not there. */
  count(name: string): number | undefined {
    const value = this.field(name);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isInteger(value) && value > 0) return value;
    throw new Error(`${this.configName}: ${name} must be a positive integer but is ${JSON.stringify(value)}`);
  }

  /** true, false, or undefined when the field is not there. */
  flag(name: string): boolean | undefined {
    const value = this.field(name);
    if (value === undefined || typeof value === 'boolean') return value;
    throw new Error(`${this.configName}: ${name} must be true or false but is ${JSON.stringify(value)}`);
  }

  /** Tensors and fields that change nothing; `reason` is for the reader of the code. 'a.*' names all below a. */
  irrelevant(_reason: string, names: readonly string[]): void {
    for (const name of names) this.ignored.add(name);
  }

  /**
   * What the file says, or the option where it does not. Throws when both are there and differ, and when neither is and
   * nothing can be assumed: `ask` is the end of that message.
   */
  choose<N extends 'architecture' | 'k' | 'applyBDecToInput'>(
    name: N,
    from: { said?: LoadSaeOptions[N]; assumed?: LoadSaeOptions[N]; ask?: string },
  ): NonNullable<LoadSaeOptions[N]> {
    this.usedOptions.add(name);
    const given = this.options[name];
    if (from.said !== undefined && given !== undefined && given !== from.said) {
      throw new Error(
        `{ ${name}: ${JSON.stringify(given)} } was given, but ${this.path} says ${JSON.stringify(from.said)}; leave the option out`,
      );
    }
    const value = from.said ?? given ?? from.assumed;
    if (value === undefined)
      throw new NeedsOption(`${this.path}: ${from.ask ?? `the file does not say its ${name}; give { ${name} }`}`);
    return value;
  }

  /** An option that only some files need; asking for it counts as using it. */
  option<N extends 'normScalingFactor' | 'thresholdScale' | 'map'>(name: N): LoadSaeOptions[N] {
    this.usedOptions.add(name);
    return this.options[name];
  }

  /** Tensors and config fields that nothing has used, and that are not known to change nothing. */
  unused(): { tensors: string[]; fields: string[] } {
    const dropped = new Set(this.options.ignore ?? []);
    return {
      tensors: this.names().filter((n) => !this.usedTensors.has(n) && !this.ignored.has(n) && !dropped.has(n)),
      fields: leaves(this.config).filter((n) => !this.known(n, dropped)),
    };
  }

  /** Refuses what nothing has used: tensors, config fields, options. */
  finish(layout: string): void {
    for (const name of this.options.ignore ?? [])
      if (!this.has(name) && !this.hasField(name))
        throw new Error(`{ ignore } names ${name}, which is neither a tensor nor a config field of ${this.path}`);
    const { tensors, fields } = this.unused();
    if (tensors.length > 0)
      throw new Error(
        `${this.path}, read as ${layout}: ${this.describe(tensors)} would not be used, and may change what the SAE computes; ` +
          'check that the config names the right architecture, or give { ignore: [name, …] } for tensors that are of no use',
      );
    if (fields.length > 0)
      throw new Error(
        `${this.configName} of ${this.path}, read as ${layout}: the fields ${fields.slice(0, SHOWN).join(', ')} are not known, and may change what the SAE computes; ` +
          'give { ignore: [name, …] } for fields that do not',
      );
    for (const name of ['architecture', 'k', 'applyBDecToInput', 'normScalingFactor', 'thresholdScale', 'map'] as const)
      if (this.options[name] !== undefined && !this.usedOptions.has(name))
        throw new Error(`{ ${name} } was given, but means nothing to ${this.path}, read as ${layout}; leave it out`);
  }

  private known(field: string, dropped: ReadonlySet<string>): boolean {
    const parts = field.split('.');
    for (let n = parts.length; n > 0; n--) {
      const name = parts.slice(0, n).join('.');
      if (this.usedFields.has(name) || this.ignored.has(name) || dropped.has(name)) return true;
      if (n < parts.length && this.ignored.has(`${name}.*`)) return true;
    }
    return false;
  }

  private hasField(name: string): boolean {
    return leaves(this.config).some((leaf) => leaf === name || leaf.startsWith(`${name}.`));
  }

  /** "W_enc [24, 40], b_enc [40]". */
  describe(names: readonly string[] = this.names()): string {
    const shown = names.slice(0, SHOWN).map((name) => `${name} [${this.shape(name).join(', ')}]`);
    return `${shown.join(', ')}${names.length > SHOWN ? ` and ${names.length - SHOWN} more` : ''}`;
  }
}

/** Names of all fields, those of nested objects with dots; an empty object is a field. */
function leaves(object: JsonObject, above = '', depth = 0): string[] {
  return Object.entries(object).flatMap(([name, value]) =>
    isJsonObject(value) && depth < 8 && Object.keys(value).length > 0
      ? leaves(value, `${above}${name}.`, depth + 1)
      : [above + name],
  );
}

/** 'a.b': 1 to { a: { b: 1 } }; keys of a file are never prototypes. */
function nested(scalars: ReadonlyMap<string, PickledScalar>): JsonObject {
  const root = Object.create(null) as JsonObject;
  for (const [name, value] of scalars) {
    const parts = name.split('.');
    let at = root;
    for (const part of parts.slice(0, -1)) {
      if (!isJsonObject(at[part])) at[part] = Object.create(null) as JsonObject;
      at = at[part] as JsonObject;
    }
    at[parts[parts.length - 1]] = typeof value === 'bigint' ? Number(value) : value;
  }
  return root;
}

function owned(a: NdArray): Float32Array {
  const data = toFloat32(a);
  return data === a.data ? data.slice() : data;
}

async function locate(path: string): Promise<{ weights: string; config?: string }> {
  const kind = await kindOfPath(path);
  if (!kind) throw new Error(`no SAE at ${path}: there is no such file or folder`);
  if (kind === 'folder') return locateInFolder(path);
  for (const [name, configs] of KNOWN_FILES) {
    if (!path.endsWith(`/${name}`) && path !== name) continue;
    return withConfig(path, join(path, relative(name, '.')), configs);
  }
  // Checkpoints of dictionary_learning lie in a folder beside the config.
  if (/\.pth?$/.test(path)) {
    for (const folder of [dirname(path), dirname(dirname(path))]) {
      const config = join(folder, 'config.json');
      if ((await kindOfPath(config)) !== 'file') continue;
      const { trainer } = await readJson(config);
      if (isJsonObject(trainer) && typeof trainer.dict_class === 'string') return { weights: path, config };
    }
  }
  return { weights: path };
}

async function withConfig(
  weights: string,
  folder: string,
  configs: readonly string[],
): Promise<{ weights: string; config?: string }> {
  for (const name of configs) {
    const config = join(folder, name);
    if ((await kindOfPath(config)) === 'file') return { weights, config };
  }
  return { weights };
}

async function locateInFolder(folder: string): Promise<{ weights: string; config?: string }> {
  const found: Array<{ weights: string; config?: string }> = [];
  for (const [name, configs] of KNOWN_FILES) {
    const weights = join(folder, name);
    if ((await kindOfPath(weights)) === 'file') found.push(await withConfig(weights, folder, configs));
  }
  if (found.length === 1) return found[0];
  const known = KNOWN_FILES.map(([name]) => name).join(', ');
  if (found.length > 1)
    throw new Error(
      `${folder} holds several SAEs: ${found.map(({ weights }) => relative(folder, weights)).join(', ')}; give the path of one of these files`,
    );
  const cfg =
    (await kindOfPath(join(folder, 'cfg.json'))) === 'file'
      ? ' (it has cfg.json: sae_weights.safetensors is missing)'
      : '';
  throw new Error(`${folder} holds no SAE${cfg}; expected one of ${known}, or give the path of a file`);
}

/** A JSON object from a file. */
export async function readJson(path: string): Promise<JsonObject> {
  const value = (await readJsonFile(path)) as Json;
  if (!isJsonObject(value)) throw new Error(`${path} must hold a JSON object`);
  return value;
}
