/** Which tokens an SAE was trained on, where its file says so: SAELens's fields, kept as metadata. */
import { ignoringOf, type Ignoring, type PositionSlice } from '../models/ignored.js';
import type { TokenSet } from '../models/types.js';
import { flag, numbers, type Given } from '../verb/option.js';
import { isJsonObject } from '../../protocol/objects.js';
import type { SaeConfig } from './types.js';

type Says = Pick<SaeConfig, 'metadata'>;

/** What the file says that training left out. @throws when it says it in no form that SAELens has */
function trainedWithout({ metadata }: Says): { excluded?: readonly number[] | true; slice?: PositionSlice } {
  const { exclude_special_tokens: said = false, training } = metadata;
  // Of an SAE that was trained here: what { ignoreTokens } named.
  const own = isJsonObject(training) ? training.ignoreTokens : undefined;
  const excluded = said === false || said === null ? own : said;
  const slice = sliceOf(metadata.seqpos_slice);
  if (excluded !== undefined && excluded !== true && !(Array.isArray(excluded) && excluded.every(isId)))
    throw new Error(
      `exclude_special_tokens is ${JSON.stringify(excluded)}: expected true, false or a list of token ids; correct it in the SAE's config`,
    );
  return { ...(excluded === undefined ? {} : { excluded }), ...(slice ? { slice } : {}) };
}

const isId = (value: unknown): value is number => typeof value === 'number' && Number.isInteger(value) && value >= 0;

/** seqpos_slice, which is the arguments of Python's slice(); undefined where all positions are meant. */
function sliceOf(said: unknown): PositionSlice | undefined {
  if (said === undefined || said === null) return undefined;
  const bounds = Array.isArray(said) ? (said as unknown[]) : [];
  const good = bounds.every((bound) => bound === null || Number.isSafeInteger(bound));
  const slice = (bounds.length === 1 ? [null, bounds[0], null] : [bounds[0], bounds[1], bounds[2] ?? null]) as [
    ...PositionSlice,
  ];
  if (bounds.length < 1 || bounds.length > 3 || !good || slice[2] === 0)
    throw new Error(
      `seqpos_slice is ${JSON.stringify(said)}: expected one to three whole numbers or null, as Python's slice() takes them; correct it in the SAE's config`,
    );
  const [start, stop, step] = slice;
  return (start ?? 0) === 0 && stop === null && (step ?? 1) === 1 ? undefined : slice;
}

/** The default of `ignoreTokens`, in words. */
export const MARKS =
  'the begin, end and padding tokens of tokenizers with a begin token of their own (Llama, Gemma); where one token begins and ends texts (GPT-2, Pythia), the one that { bos: true } puts before every sequence';

/** Options of verbs that count what an SAE does on tokens. */
export const COUNTED = {
  ignoreTokens: numbers({
    doc: 'Token ids that count in no figure, as padding never does; [] for none.',
    min: 0,
    whole: true,
    repeats: true,
    empty: true,
    fallback: `${MARKS}; and what the SAE's file excludes (exclude_special_tokens)`,
  }),
  allPositions: flag({
    doc: "Count positions outside the seqpos_slice of the SAE's file too.",
    usual: false,
  }),
} as const;

/** How a call may say otherwise than an SAE's file. */
export type CountedOptions = Given<typeof COUNTED>;

/** What a call that works with an SAE leaves out of `tokens`. */
export function leftOut(tokens: TokenSet, sae: { config: Says }, options: CountedOptions = {}): Ignoring {
  const { excluded, slice } = trainedWithout(sae.config);
  return ignoringOf(tokens, options.ignoreTokens, { excluded, ...(options.allPositions ? {} : { slice }) });
}

const sliceText = ([start, stop, step]: PositionSlice): string =>
  [start, stop, ...(step === null ? [] : [step])].map((bound) => bound ?? '').join(':');

/** Where a call counts what the SAE was trained without, by the name of the field and of the option; for people. */
export function overridden(
  tokens: TokenSet,
  sae: { name: string; config: Says },
  options: CountedOptions,
): string | undefined {
  const { excluded, slice } = trainedWithout(sae.config);
  const byDefault = new Set(ignoringOf(tokens, undefined, { excluded }).ids);
  const kept = excluded && options.ignoreTokens && [...byDefault].filter((id) => !options.ignoreTokens?.includes(id));
  const said = [
    ...(kept && kept.length > 0
      ? [`tokens ${kept.join(', ')} (exclude_special_tokens), which { ignoreTokens } of this call does not leave out`]
      : []),
    ...(slice && options.allPositions
      ? [`positions outside ${sliceText(slice)} (seqpos_slice), which { allPositions: true } counts`]
      : []),
  ];
  return said.length > 0 ? `SAE ${sae.name} was trained without ${said.join(', and without ')}` : undefined;
}

/** What its file says of the tokens of training, when it is loaded; undefined where it says nothing of it. */
export function trainedOnText(config: Says): string | undefined {
  const { excluded, slice } = trainedWithout(config);
  const { prepend_bos: bos } = config.metadata;
  const said: string[] = [];
  if (excluded === true || (excluded && excluded.length > 0)) {
    const which = excluded === true ? '' : ` ${excluded.join(', ')}`;
    said.push(`without special tokens${which} (exclude_special_tokens), which count in no figure of it`);
  }
  if (slice)
    said.push(
      `on positions ${sliceText(slice)} of each text alone (seqpos_slice), which alone count in figures of it ({ allPositions: true } counts all)`,
    );
  if (bos === true) said.push('on texts that begin with bos (prepend_bos): load data with { bos: true }');
  if (bos === false) said.push('on texts without bos (prepend_bos): load data with { bos: false }');
  return said.length > 0 ? `by its file this SAE was trained ${said.join('; ')}` : undefined;
}
