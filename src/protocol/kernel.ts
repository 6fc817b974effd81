/** Messages between a client (VS Code extension, tests) and the kernel process. Carried by frames.ts. */
import type { Json, JsonObject } from './notebook.js';

/** Version of these messages: client and kernel of different versions refuse each other. */
export const PROTOCOL_VERSION = 1;

/** State of one call: `total` undefined when unknown. */
export interface Progress {
  label: string;
  done: number;
  total?: number;
  unit?: string;
  /** Such as "loss 0.123, L0 31.9". */
  detail?: string;
}

export interface StackLine {
  /** Function name, '' at top level. */
  fn: string;
  /** Cell id when the frame is in a cell, else a file path. */
  cellId?: string;
  file?: string;
  line: number;
  column: number;
}

export interface OutputItemMessage {
  mime: string;
  /** Text or JSON in the header; bytes in the frame's buffer number `buffer`. */
  text?: string;
  json?: Json;
  buffer?: number;
}

export type CellEvent =
  | { kind: 'started'; order: number }
  | { kind: 'stream'; name: 'stdout' | 'stderr'; text: string }
  /** `displayId` set again replaces that output, without items takes it away; `result` marks the value of the cell's last expression. */
  | { kind: 'display'; items: OutputItemMessage[]; displayId?: string; metadata?: JsonObject; result?: true }
  | { kind: 'progress'; progress: Progress | null }
  | { kind: 'error'; name: string; message: string; stack: StackLine[]; late?: boolean }
  | { kind: 'finished'; status: 'ok' | 'error' | 'interrupted'; ms: number };

export interface VariableInfo {
  name: string;
  /** Such as "Float32Array", "SparseActivations", "number". */
  type: string;
  /** Short printed value. */
  summary: string;
  shape?: number[];
  dtype?: string;
  bytes?: number;
}

export interface MemoryInfo {
  rssBytes: number;
  heapBytes: number;
  arrayBufferBytes: number;
  systemFreeBytes: number;
  /** Memory of GPUs, where the device is one: held by this kernel, and of each card whose driver tells. */
  gpu?: { heldBytes: number; cards: Array<{ name: string; total: number; used: number }> };
}

export interface DeviceSummary {
  device: 'cuda' | 'webgpu' | 'cpu';
  backend: string;
  description: string;
  notes: string[];
  /** Which device each kind of heavy work runs on. */
  work: Array<{ work: string; device: string }>;
}

export type ClientMessage =
  | { type: 'hello'; protocol: number; token: string; lastSeq: number }
  | { type: 'execute'; execution: string; cellId: string; cellIndex: number; source: string }
  | { type: 'interrupt' }
  | { type: 'shutdown' }
  | { type: 'ack'; seq: number }
  | { type: 'request'; id: number; method: 'variables' | 'device' | 'complete' | 'inspect' | 'live'; params?: Json };

export type KernelMessage =
  | { type: 'welcome'; protocol: number; pid: number; session: string; executionCount: number; running?: string }
  | { type: 'state'; state: 'starting' | 'idle' | 'busy' | 'interrupting' }
  | { type: 'cell'; execution: string; cellId: string; event: CellEvent }
  | { type: 'heartbeat'; memory: MemoryInfo; busyMs: number }
  | { type: 'device'; device: DeviceSummary }
  /** Another client took this one's place; the connection closes. */
  | { type: 'displaced' }
  | { type: 'reply'; id: number; ok: true; value: Json }
  | { type: 'reply'; id: number; ok: false; error: string };
