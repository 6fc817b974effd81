/** What fg.inspect and `fgnb inspect` tell; its JSON is documented in docs/inspect.md. */
import type { Dtype } from '../io/ndarray.js';
import type { SaeArchitecture, SaeConfig } from '../sae/types.js';
import type { ModelFamily } from '../models/types.js';

/** What is unusual; each code is explained in docs/inspect.md. */
export type FindingCode =
  | 'centered-model'
  | 'config-refused'
  | 'damaged'
  | 'duplicate-tensor'
  | 'lfs-pointer'
  | 'missing-file'
  | 'missing-tensor'
  | 'needs-16-bit'
  | 'needs-option'
  | 'no-tokenizer'
  | 'norm-folded-on-load'
  | 'norm-not-folded'
  | 'not-finite'
  | 'not-looked-into'
  | 'padded-vocabulary'
  | 'quantized'
  | 'shape-mismatch'
  | 'shard-gap'
  | 'shard-missing'
  | 'single-threshold'
  | 'tied-embeddings'
  | 'tokenizer-refused'
  | 'unknown-field'
  | 'unknown-tensor'
  | 'unscaled-threshold';

export interface Finding {
  code: FindingCode;
  /** refused: it does not load as it stands. warning: it loads, and may not be what was meant. note: worth knowing. */
  severity: 'refused' | 'warning' | 'note';
  /** A sentence for people. */
  text: string;
  /** Tensors, fields or files that are meant, the first 40. */
  names?: string[];
}

export interface TensorFact {
  name: string;
  /** null where the type is not read. */
  dtype: Dtype | null;
  shape: number[];
  /** As stored. */
  bytes: number;
  /** File that holds it, where there are several. */
  file?: string;
}

export interface MemoryFact {
  /** Bytes of all tensors as they are stored. */
  stored: number;
  float32: number;
  /** Matrices in 16 bits, vectors in 32: what { dtype: 'bf16' } of fg.models.load keeps. */
  bf16: number;
}

export interface ModelFact {
  family: ModelFamily;
  layers: number;
  width: number;
  heads: number;
  kvHeads: number;
  headWidth: number;
  mlpWidth: number;
  vocabulary: number;
  context: number;
  tiedEmbeddings: boolean;
  /** First and last hook of the residual stream. */
  hooks: [string, string];
}

export interface TokenizerFact {
  /** Model of tokenizer.json: BPE, WordLevel, Unigram, … */
  kind: string;
  vocabulary: number;
  bosId: number | null;
  eosId: number | null;
  padId: number | null;
  addsBos: boolean;
}

/** What the layout says; fields that only an option could say are null. */
export interface SaeFact {
  layout: string;
  architecture: SaeArchitecture | null;
  dIn: number | null;
  dSae: number | null;
  dOut: number | null;
  k: number | null;
  hook: string | null;
  hookOut: string | null;
  model: string | null;
  normalize: SaeConfig['normalizeActivations'] | null;
  subtractsBDec: boolean | null;
}

export interface DatasetFact {
  /** Rows where the file says it, or null. */
  rows: number | null;
  columns: Array<{ name: string; type: string }>;
}

export interface ArtifactFact {
  kind: string;
  id: string;
  title: string | null;
  note: string | null;
  created: string;
}

export type InspectedKind =
  'model' | 'tokenizer' | 'sae' | 'saes' | 'arrays' | 'dataset' | 'artifact' | 'artifacts' | 'unknown';

export interface Inspection {
  /** Version of this form. Later ones add fields and codes; they take none away. */
  inspection: 1;
  /** What was asked for. */
  path: string;
  repository: { id: string; type: 'model' | 'dataset'; commit: string } | null;
  kind: InspectedKind;
  /** As shown: "SAELens folder", "Hugging Face model, 3 shards of safetensors". */
  format: string;
  /** Whether the call of `load` takes it as it stands. */
  loads: boolean;
  /** The line of a cell that loads it; null where none does. */
  load: string | null;
  files: Array<{ path: string; bytes: number }>;
  tensors: TensorFact[];
  parameters: number;
  memory: MemoryFact;
  /** Bytes of values that were looked at for NaN and infinity, of all; 0 of what was not downloaded. */
  values: { looked: number; of: number };
  unusual: Finding[];
  model: ModelFact | null;
  tokenizer: TokenizerFact | null;
  sae: SaeFact | null;
  dataset: DatasetFact | null;
  /** SAEs inside, by their paths. */
  saes: string[];
  artifacts: ArtifactFact[];
}
