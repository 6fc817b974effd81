/** The `.fgnb` notebook file: stable JSON, version 1. Types only; the codec is in notebookCodec.ts. */

/** Raised when a reader of the version before could no longer read the file. */
export const NOTEBOOK_VERSION = 1;
export const NOTEBOOK_TYPE = 'fgnb';
export const CELL_LANGUAGE = 'fgnb-typescript';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** One representation of an output. Exactly one of text, json, base64 is set. */
export interface OutputItem {
  mime: string;
  /** Lines, each but the last ending in "\n". */
  text?: string[];
  json?: Json;
  base64?: string;
  /** Keys this version does not know, kept as they were read. */
  [unknown: string]: Json | undefined;
}

export interface CellOutput {
  /** Representations, richest first. */
  items: OutputItem[];
  metadata?: JsonObject;
  [unknown: string]: Json | OutputItem[] | undefined;
}

/** No time and no date: the file of a notebook that gives the same results is the same file. */
export interface CellExecution {
  /** 1-based counter of the kernel session that ran the cell. */
  order?: number;
  status?: 'ok' | 'error' | 'interrupted';
}

export interface NotebookCell {
  /** Stable across edits, unique in the file. */
  id: string;
  kind: 'code' | 'markdown';
  language: string;
  /** Lines, each but the last ending in "\n"; LF always. */
  source: string[];
  metadata?: JsonObject;
  execution?: CellExecution;
  outputs?: CellOutput[];
  [unknown: string]: unknown;
}

export interface NotebookFile {
  fgnb: number;
  metadata: JsonObject;
  cells: NotebookCell[];
  [unknown: string]: unknown;
}
