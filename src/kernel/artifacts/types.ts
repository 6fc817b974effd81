/** A result with identity and provenance. The hash of an artifact = kind + parameters + input ids + code version. */
import type { JsonObject } from '../../protocol/notebook.js';
import type { FolderDigest } from '../io/digest.js';

export interface ArtifactKey {
  /** A kind such as "sae", "activations", "correlation", "layout", "map". */
  kind: string;
  /** Everything that changes the result; seeds included. */
  parameters: JsonObject;
  /** Named identities: { model: "…", tokens: "…" }. */
  inputs: Record<string, string>;
  /** Bumped by a room when its results change. */
  codeVersion: number;
}

/** Where a result was made, as far as the session knows. */
export interface MadeBy {
  /** File name of the notebook, or the name of its folder where no file is known. */
  notebook?: string;
  /** Id of the cell. */
  cell?: string;
  /** Key figures that the notebook had reported by then, or by the time of the note. */
  keyFigures?: Record<string, string>;
}

export interface ArtifactRecord extends ArtifactKey {
  id: string;
  created: string;
  device: string;
  packages: Record<string, string>;
  wallMs: number;
  /** Title as shown to the user. */
  title?: string;
  /** Identity of the contents, where other results name that and not the id of this record: a world, an SAE. */
  contents?: string;
  /** The user's note about it. */
  note?: string;
  /** Absent in records of earlier versions. */
  madeBy?: MadeBy;
  /** Hashes of the artifact's files. Records of earlier versions lack them until such an artifact is first loaded. */
  files?: FolderDigest;
  /** SHA-256 of the rest of the record; absent where `files` is. */
  check?: string;
}
