/**
 * The globals that a PyTorch checkpoint's pickle may name: tensors over storages, OrderedDict and a few inert values.
 * Everything else is refused by name. Source: torch/_utils.py and torch/serialization.py.
 */
import { dtypeBytes, elementCount, type Dtype } from './ndarray.js';
import { clip } from '../../protocol/clip.js';
import { PickleGlobal, type Spend } from './pickle.js';

/** A storage, by the key under which the checkpoint holds its bytes. `begin` (elements) is set by legacy views. */
export interface TorchStorage {
  key: string;
  /** Undefined for an untyped storage: the tensor gives the dtype of its bytes. */
  dtype: Dtype | undefined;
  /** Number of elements; of bytes where untyped. */
  length: number;
  begin: number;
}

/** A strided view of a storage; offset and strides in elements. */
export class TorchTensor {
  constructor(
    readonly storage: TorchStorage,
    readonly dtype: Dtype,
    readonly offset: number,
    readonly shape: number[],
    readonly strides: number[],
  ) {}
}

/**
 * A broadcast view may have more elements than its storage, up to this many: 32 MiB at most from a file of any size.
 */
const MAX_BROADCAST = 2 ** 22;
/** Most dimensions, as in PyTorch. */
const MAX_DIMENSIONS = 64;

const STORAGES: Record<string, Dtype | 'untyped'> = {
  DoubleStorage: 'F64',
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
  UntypedStorage: 'untyped',
};

const DTYPES: Record<string, Dtype> = {
  float64: 'F64',
  double: 'F64',
  float32: 'F32',
  float: 'F32',
  float16: 'F16',
  half: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
  long: 'I64',
  int32: 'I32',
  int: 'I32',
  int16: 'I16',
  short: 'I16',
  int8: 'I8',
  uint8: 'U8',
  uint16: 'U16',
  uint32: 'U32',
  uint64: 'U64',
  bool: 'BOOL',
};

/** A torch.dtype in the pickle; its name is that of the global. */
const dtypeOf = (value: unknown): Dtype | undefined =>
  value instanceof PickleGlobal ? DTYPES[value.name.replace(/^torch\./, '')] : undefined;

/** The globals of a state dict. `what` begins the errors. */
export function torchGlobals(what: string): (name: string) => PickleGlobal | undefined {
  const tensor = (args: unknown[], dtype?: Dtype): TorchTensor => rebuildTensor(args, dtype, what);
  const calls = new Map<string, (args: unknown[], spend: Spend) => unknown>([
    ['collections.OrderedDict', orderedDict],
    ['torch._utils._rebuild_tensor', (args) => tensor(args)],
    ['torch._utils._rebuild_tensor_v2', (args) => tensor(args)],
    ['torch._utils._rebuild_tensor_v3', (args) => tensor(args, dtypeOf(args[6]))],
    ['torch._utils._rebuild_parameter', ([data]) => data],
    ['torch._utils._rebuild_parameter_with_state', ([data]) => data],
    ['torch.Size', ([sizes]) => sizes],
    ['torch.device', (args) => args.map((part) => scalarText(part, 'a device', what)).join(':')],
    ['builtins.set', setOf],
    ['__builtin__.set', setOf],
    ['_codecs.encode', encodeLatin1],
  ]);
  return (name) => {
    const call = calls.get(name);
    if (call) return new PickleGlobal(name, call);
    const last = name.slice(name.lastIndexOf('.') + 1);
    const inert =
      /^torch(\.storage)?\.[A-Za-z0-9]+$/.test(name) && (Object.hasOwn(STORAGES, last) || Object.hasOwn(DTYPES, last));
    return inert ? new PickleGlobal(name) : undefined;
  };
}

/**
 * A persistent id ('storage', type, key, location, length[, view]) as a storage. `legacy` ids carry a view
 * (key, offset, length) of the storage, or None.
 */
export function torchStorage(id: unknown, what: string): TorchStorage {
  if (!Array.isArray(id) || id[0] !== 'storage' || !(id[1] instanceof PickleGlobal)) {
    throw new Error(`${what}: a reference in the pickle is no tensor storage`);
  }
  const [, type, key, , length, view] = id as [string, PickleGlobal, unknown, unknown, unknown, unknown];
  const last = type.name.slice(type.name.lastIndexOf('.') + 1);
  const kind = Object.hasOwn(STORAGES, last) ? STORAGES[last] : undefined;
  if (!kind)
    throw new Error(`${what}: storage type ${clip(type.name)} is not read; save plain float or integer tensors`);
  const storage = {
    key: scalarText(key, 'a storage key', what),
    dtype: kind === 'untyped' ? undefined : kind,
    length: wholeNumber(length, 'storage length', what),
    begin: 0,
  };
  if (!Array.isArray(view)) return storage;
  const begin = wholeNumber(view[1], 'view offset', what);
  const viewLength = wholeNumber(view[2], 'view length', what);
  if (begin + viewLength > storage.length) {
    throw new Error(`${what}: a view of ${begin} to ${begin + viewLength} in a storage of ${storage.length}`);
  }
  return { ...storage, begin, length: viewLength };
}

function rebuildTensor(args: unknown[], typed: Dtype | undefined, what: string): TorchTensor {
  const [storage, offsetValue, shapeValue, stridesValue] = args;
  if (typeof storage !== 'object' || storage === null || !('key' in storage)) {
    throw new Error(`${what}: a tensor in the pickle has no storage`);
  }
  const { dtype: storageType, length } = storage as TorchStorage;
  const dtype = typed ?? storageType;
  if (!dtype) throw new Error(`${what}: a tensor over an untyped storage has no known dtype`);
  const offset = wholeNumber(offsetValue, 'tensor offset', what);
  const shape = wholeNumbers(shapeValue, 'tensor shape', what);
  const strides = wholeNumbers(stridesValue, 'tensor strides', what);
  if (shape.length !== strides.length)
    throw new Error(`${what}: a tensor of shape [${shape.join(', ')}] has ${strides.length} strides`);
  const count = elementCount(shape, what);
  const elements = storageType ? length : Math.floor(length / dtypeBytes(dtype));
  const reach = count === 0 ? 0 : offset + shape.reduce((sum, size, i) => sum + (size - 1) * strides[i], 0) + 1;
  if (count > elements && count > MAX_BROADCAST) {
    throw new Error(
      `${what}: a tensor of shape [${shape.join(', ')}] repeats the ${elements} elements of its storage; save it with .contiguous()`,
    );
  }
  if (reach > elements) {
    throw new Error(
      `${what}: a tensor of shape [${shape.join(', ')}], strides [${strides.join(', ')}] at ${offset} needs ${reach} elements but its storage has ${elements}`,
    );
  }
  return new TorchTensor(storage as TorchStorage, dtype, offset, shape, strides);
}

/** Reads OrderedDict() or OrderedDict([(key, value), …]). */
function orderedDict([items]: unknown[], spend: Spend): Map<unknown, unknown> {
  if (!Array.isArray(items)) return new Map();
  spend(items.length);
  if (items.some((pair) => !Array.isArray(pair))) throw new Error('an OrderedDict of no pairs');
  return new Map(items as Array<[unknown, unknown]>);
}

function setOf([items]: unknown[], spend: Spend): Set<unknown> {
  if (!Array.isArray(items)) throw new Error('a set of no list');
  spend(items.length);
  return new Set(items as unknown[]);
}

/** Reads bytes as protocol 2 writes them: a latin-1 string and the codec's name. */
function encodeLatin1([text, codec]: unknown[], spend: Spend): Uint8Array {
  if (typeof text !== 'string' || (codec !== 'latin1' && codec !== 'latin-1')) {
    throw new Error('_codecs.encode with other than latin1 text');
  }
  spend(text.length);
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

/** Text of a scalar key; containers are refused, since a list as key could be as long as the pickle makes it. */
export function scalarText(value: unknown, name: string, what: string): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') return String(value);
  throw new Error(`${what}: ${name} is ${describe(value)}: expected text or a number`);
}

function describe(value: unknown): string {
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return clip(String(value));
}

function wholeNumber(value: unknown, name: string, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new Error(`${what}: ${name} is ${describe(value)}: expected a whole number ≥ 0`);
  }
  return value;
}

function wholeNumbers(value: unknown, name: string, what: string): number[] {
  if (!Array.isArray(value)) throw new Error(`${what}: ${name} is no tuple`);
  if (value.length > MAX_DIMENSIONS)
    throw new Error(`${what}: ${name} has ${value.length} numbers; tensors have ${MAX_DIMENSIONS} dimensions at most`);
  return value.map((v) => wholeNumber(v, name, what));
}
