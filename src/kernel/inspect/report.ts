/** Builds a report line by line. */
import { byteLengthOf } from '../io/ndarray.js';
import type { WeightSource } from '../io/weights.js';
import { messageOf } from '../io/files.js';
import type { Finding, FindingCode, InspectedKind, Inspection, TensorFact } from './types.js';

/** Names in a finding. */
const SHOWN = 40;

/** What is being looked at. */
export interface Subject {
  /** Absolute path. */
  path: string;
  /** As it was asked for: a path or a hub id. */
  asked: string;
  /** Of a repository: the file or folder in it. */
  inside?: string;
  /** Headers of a repository's files: their values are not there. */
  remote: boolean;
  signal?: AbortSignal;
}

export class Report {
  readonly inspection: Inspection;

  constructor(asked: string) {
    this.inspection = {
      inspection: 1,
      path: asked,
      repository: null,
      kind: 'unknown',
      format: '',
      loads: false,
      load: null,
      files: [],
      tensors: [],
      parameters: 0,
      memory: { stored: 0, float32: 0, bf16: 0 },
      values: { looked: 0, of: 0 },
      unusual: [],
      model: null,
      tokenizer: null,
      sae: null,
      dataset: null,
      saes: [],
      artifacts: [],
    };
  }

  is(kind: InspectedKind, format: string, load: string | null): void {
    Object.assign(this.inspection, { kind, format, load });
  }

  add(code: FindingCode, severity: Finding['severity'], text: string, names: readonly string[] = []): void {
    this.inspection.unusual.push({
      code,
      severity,
      text,
      ...(names.length > 0 ? { names: names.slice(0, SHOWN) } : {}),
    });
  }

  /** What a reader threw: a pointer of Git LFS, a file that is not there, or damage. */
  failed(error: unknown, code: FindingCode = 'damaged'): void {
    const text = messageOf(error);
    if (text.includes('is a Git LFS pointer')) this.add('lfs-pointer', 'refused', text);
    else this.add(code, 'refused', text);
  }

  /** Adds the tensors of an open file. */
  addTensors(source: WeightSource, file?: string): void {
    const { tensors, memory } = this.inspection;
    for (const name of source.names()) {
      const fact = factOf(source, name);
      tensors.push({ ...fact, ...(file === undefined ? {} : { file }) });
      const elements = fact.shape.reduce((a, b) => a * b, 1);
      this.inspection.parameters += elements;
      memory.stored += fact.bytes;
      memory.float32 += 4 * elements;
      memory.bf16 += (fact.shape.length > 1 ? 2 : 4) * elements;
    }
  }

  /** Whether nothing was found that refuses it. */
  finish(): Inspection {
    const { inspection } = this;
    const order = ['refused', 'warning', 'note'];
    inspection.unusual.sort((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
    inspection.loads = inspection.load !== null && inspection.unusual.every(({ severity }) => severity !== 'refused');
    inspection.values.of = inspection.memory.stored;
    return inspection;
  }
}

/** A tensor of a type that is not read has no size. */
function factOf(source: WeightSource, name: string): TensorFact {
  try {
    const { dtype, shape } = source.info(name);
    return { name, dtype, shape, bytes: byteLengthOf(dtype, shape) };
  } catch {
    return { name, dtype: null, shape: [], bytes: 0 };
  }
}
