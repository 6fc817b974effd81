/** A result with identity and provenance. The hash of an artifact = kind + parameters + input ids + code version. */
import type { JsonObject } from '../../protocol/notebook.js';
import type { FolderDigest } from '../io/digest.js';

export interface ArtifactKey {
  /** Such as "sae", "activations", "correlation", "layout", "map". */
  kind: string;
  /** Everything that changes the result; seeds included. */
  parameters: JsonObject;
  /** Named identities: { model: "…", tokens: "…" }. */
  inputs: Record<string, string>;
  /** Bumped by a room when its results change. */
  codeVersion: number;
}

export interface ArtifactRecord extends ArtifactKey {
  id: string;
  created: string;
  device: string;
  packages: Record<string, string>;
  wallMs: number;
  /** For people. */
  title?: string;
  /** Hashes of the artifact's files. Absent in records of earlier versions, until the first time such a one is loaded. */
  files?: FolderDigest;
  /** SHA-256 of the rest of the record; absent where `files` is. */
  check?: string;
}
