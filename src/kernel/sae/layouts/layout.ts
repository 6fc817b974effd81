/**
 * A layout is one file of this folder and one line in index.ts: it recognises the files of one training library by the
 * names and shapes in them, and maps these to the canonical form. Every tensor and every config field in a file is used,
 * known to change nothing (with the reason), or refused by name: SaeFiles keeps the count.
 */
import type { SaeArchitecture, SaeConfig, SaeWeights } from '../types.js';
import { flag, real, text, value, whole, type Given } from '../../verb/option.js';
import type { SaeFiles } from './files.js';

/**
 * Where a tensor lies in a file of no known layout: its name there; null where there is none (a bias of zeros). Orientation
 * is told by shapes; where these leave it open, `transpose` says it.
 */
export type MappedTensor = string | null | { tensor: string; transpose: boolean };

export const LOAD = {
  architecture: value<SaeArchitecture>(
    'the name of an architecture',
    { doc: 'Needed where the file does not say it; must agree with a file that does.' },
    (v) => typeof v === 'string',
  ),
  k: whole({
    doc: 'Of topk: features kept per token. Needed where the file does not say it; must agree with a file that does.',
    min: 1,
  }),
  applyBDecToInput: flag({
    doc: 'Of state dicts with W_enc: whether b_dec is subtracted from the input.',
    usual: true,
  }),
  hookName: text({ doc: 'Hook that the SAE reads; overrides what the file says, or says what it does not.' }),
  modelName: text({ doc: 'Model that it was trained on, for people; overrides what the file says.' }),
  modelId: text({ doc: 'Identity of that model (`model.id`): the SAE is then refused on any other.' }),
  normScalingFactor: real({
    doc: "The s of 'expected_average_only_in' where the file leaves it unfolded; 1 when it was folded but the cfg not changed.",
  }),
  thresholdScale: real({
    doc: 'Factor of the thresholds, for BatchTopK files whose threshold was left unscaled when the norm was folded.',
    above: 0,
    usual: 1,
  }),
  map: value<Partial<Record<keyof SaeWeights, MappedTensor>>>('an object such as { W_enc: "their.name" }', {
    doc: 'Names of the tensors in a file of another layout, by canonical name; docs/formats.md lists these.',
  }),
  ignore: value<readonly string[]>('an array of names', {
    doc: 'Tensors and fields of the file to leave out, which are refused otherwise since nothing uses them.',
  }),
} as const;

export type LoadSaeOptions = Given<typeof LOAD>;

/** What the files leave open, and an option says. */
export class NeedsOption extends Error {
  override name = 'NeedsOption';
}

/** An SAE as a layout reads it. */
export interface SaeParts {
  config: SaeConfig;
  weights: SaeWeights;
}

export interface Layout {
  /** As shown: "SAELens folder". */
  readonly name: string;
  /** What it is recognised by: the list in messages and in docs/formats.md. */
  readonly signs: string;
  recognises(files: SaeFiles): boolean;
  read(files: SaeFiles): Promise<SaeParts>;
}
