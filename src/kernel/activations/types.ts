/** The sparse activation store: CSR shards on disk, statistics in memory. */
import type { SparseRows } from '../compute/sparse.js';
import type { Tokenizer } from '../models/types.js';

/** What gives the text of tokens by id: a tokenizer, or a plain object. Ids lie below `vocabSize` where it is given. */
export type TokenDecoder = Pick<Tokenizer, 'id' | 'piece'> & Partial<Pick<Tokenizer, 'vocabSize'>>;

export interface ActivationsMeta {
  version: 1;
  /** N = sequences × context. */
  tokens: number;
  /** How many of them have no entries because they are padding or were ignored; absent when none. */
  ignored?: number;
  sequences: number;
  context: number;
  features: number;
  nonZeros: number;
  hook: string;
  model: { name: string; id: string };
  /** `decoder`: matrixId of W_dec; absent in stores that no SAE made. */
  sae: { name: string; id: string; decoder?: string };
  tokenSet: { id: string; tokenizer: string };
  shards: Array<{ file: string; firstToken: number; tokens: number; nonZeros: number }>;
}

export interface FiringStatistics {
  /** [features]: tokens on which the feature is > 0. */
  firings: Uint32Array;
  /** [features], float64 sums over tokens. */
  sum: Float64Array;
  sumSquares: Float64Array;
  max: Float32Array;
}

/** The tokens from … to − 1. */
export interface TokenRange {
  readonly from: number;
  readonly to: number;
}

export interface SparseActivations {
  /** Artifact id. */
  readonly id: string;
  /** Folder that holds artifact.json, shards and statistics. */
  readonly folder: string;
  readonly meta: ActivationsMeta;
  /** Activations of the SAE's baselines over the same tokens by kind, where they were asked for. */
  readonly baselines?: Readonly<Record<string, SparseActivations>>;
  readonly statistics: FiringStatistics;
  /** Token ids, [tokens]. */
  tokenIds(): Promise<Int32Array>;
  /** Decodes one token for labels. */
  piece(tokenId: number): string;
  /**
   * Rows without entries because they are padding or were ignored (1), [tokens]; undefined where every row counts.
   * @throws when the store says how many they are but not which, as versions before did
   */
  ignored(): Promise<Uint8Array | undefined>;
  /**
   * Reads the shards in order, one in memory at a time. Those without tokens of the range may be left out; the others
   * are whole.
   */
  shards(within?: TokenRange): AsyncIterable<{ firstToken: number; rows: SparseRows }>;
}
