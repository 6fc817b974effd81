/** Probes of an SAE over a text: its labels, the activations that they need, and one probe after another. */
import { checkAborted, type CallOptions } from '../compute/call.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { requireMemory } from '../compute/memory.js';
import { mean } from '../compute/statistics.js';
import { capturedWidth, captureActivations } from '../models/capture.js';
import { ignoredPositions } from '../models/ignored.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import { numbers, text, value, type Parsed } from '../verb/option.js';
import { DRAWN, labelTokens, probeLabel, type LabelProbe, type LabelTokens } from './probing.js';
import { requirePairing } from './conformance.js';
import { requireReconstructs } from './sae.js';
import { COUNTED, leftOut } from './trainedOn.js';
import type { Sae } from './types.js';

/**
 * Labels of tokens by name: 1 or true for each token of the token set that has it (sequences × context), or a test of a
 * token's text.
 */
export type ProbeLabels = Readonly<Record<string, ArrayLike<number | boolean> | ((token: string) => boolean)>>;

export interface SaeProbes {
  /** One a label, best sparse probe of the least k first. */
  labels: LabelProbe[];
  /** Labels of too few tokens. */
  leftOut: string[];
  /** Means over labels. */
  activation: number;
  /** Of each k, mean accuracy and F1. */
  sparse: Array<{ k: number; accuracy: number; f1: number }>;
  /** Mean rate of absorption over labels that have one. */
  absorption: number;
  /** Share of labels that are split among several features. */
  split: number;
  /** Tokens whose activations were read. */
  tokens: number;
  /** The same of baselines, by kind, where they were asked for. */
  baselines?: Readonly<Record<string, SaeProbes>>;
}

export const PROBE = {
  labels: value<ProbeLabels>(
    'an object of labels by name, each a function of a token, or 0 or 1 for every token',
    {
      doc: "What tokens are: by name a test of a token's text, such as `{ 'starts with s': (token) => /^ ?s/i.test(token) }`, or 0 or 1 for every token of the token set (sequences × context).",
      fallback: 'the concepts of the text, which generated stories have',
    },
    (v) =>
      typeof v === 'object' &&
      v !== null &&
      Object.values(v).every((of) => typeof of === 'function' || Array.isArray(of) || ArrayBuffer.isView(of)),
  ),
  k: numbers({
    doc: 'Features that a sparse probe reads: one probe for each.',
    min: 1,
    whole: true,
    default: [1, 2, 5],
  }),
  ...DRAWN,
  hook: text({ doc: 'Hook to read.', fallback: "the SAE's own" }),
  ...COUNTED,
} as const;

export type ProbeOptions = Parsed<typeof PROBE> & CallOptions;

/** 1 where a token has the label, by name. @throws where labels are missing, or are of another length */
function labelled(tokens: TokenSet, given: ProbeLabels | undefined): Map<string, Uint8Array> {
  const { concepts } = tokens;
  if (!given) {
    if (!concepts)
      throw new Error(
        'this text carries no concepts: give { labels: { name: (token) => … } }, or use fg.datasets.stories, whose tokens have them',
      );
    return new Map(
      concepts.names.flatMap((name, id) =>
        id === 0 ? [] : [[name, Uint8Array.from(concepts.ids, (of) => (of === id ? 1 : 0))]],
      ),
    );
  }
  const found = Object.entries(given).map(([name, of]): [string, Uint8Array] => {
    if (typeof of === 'function') {
      const known = new Map<number, number>();
      for (const id of new Set(tokens.tokens)) known.set(id, of(tokens.tokenizer.decode([id])) ? 1 : 0);
      return [name, Uint8Array.from(tokens.tokens, (id) => known.get(id)!)];
    }
    if (of.length !== tokens.tokens.length)
      throw new RangeError(
        `labels.${name} has ${of.length} values; expected one for each of ${tokens.tokens.length} tokens (sequences × context)`,
      );
    return [name, Uint8Array.from(of as ArrayLike<number>, (one) => (one ? 1 : 0))];
  });
  if (found.length === 0) throw new RangeError('labels is empty; give at least one label');
  return new Map(found);
}

/** Activations of some positions, ascending, as rows. */
async function rowsAt(
  model: LanguageModel,
  tokens: TokenSet,
  hook: string,
  positions: readonly number[],
  call: CallOptions,
): Promise<Matrix> {
  const width = capturedWidth(model, hook);
  requireMemory('activations of the tokens that probes read', 12 * positions.length * width);
  const x = matrix(positions.length, width);
  let at = 0;
  for await (const { firstToken, x: block } of captureActivations(model, tokens, hook, call)) {
    for (; at < positions.length && positions[at] < firstToken + block.rows; at++) {
      const from = (positions[at] - firstToken) * width;
      x.data.set(block.data.subarray(from, from + width), at * width);
    }
    if (at === positions.length) break;
  }
  return x;
}

/** @throws where no label has tokens enough, where there are none, and where the SAE does not fit */
export async function probeSae(
  model: LanguageModel,
  sae: Sae,
  tokens: TokenSet,
  options: ProbeOptions,
): Promise<SaeProbes> {
  requireReconstructs(sae, 'probing encodes activations');
  const hook = options.hook ?? sae.config.hookName;
  if (!hook) throw new Error('this SAE does not say its hook; give { hook }');
  requirePairing(model, sae, tokens, hook);
  const { signal, onProgress } = options;
  const ks = [...options.k].sort((a, b) => a - b);
  const largest = ks.at(-1)!;
  if (largest > sae.config.dSae)
    throw new RangeError(`k has ${largest}, but ${sae.name} has ${sae.config.dSae} features`);
  const mask = ignoredPositions(tokens, leftOut(tokens, sae, options));
  const drawn: LabelTokens[] = [];
  const without: string[] = [];
  for (const [name, of] of labelled(tokens, options.labels)) {
    const one = labelTokens(name, of, tokens.context, (position) => mask?.[position] !== 1, options);
    if (one) drawn.push(one);
    else without.push(name);
  }
  if (drawn.length === 0)
    throw new RangeError(
      `no label has ${options.minTokens} tokens in the sequences that are learned from and in those that judge (every third); use more text or { minTokens }`,
    );
  const wanted = drawn.flatMap(({ train, test }) => [...train.of, ...train.others, ...test.of, ...test.others]);
  const positions = [...new Set(wanted)].sort((a, b) => a - b);
  const x = await rowsAt(model, tokens, hook, positions, { signal, onProgress });
  const rowOf = new Map(positions.map((position, i) => [position, i]));
  const probed = { sae, x, features: sae.encode(x), rowOf };
  const labels: LabelProbe[] = [];
  for (const [i, one] of drawn.entries()) {
    checkAborted(signal, 'probing');
    labels.push(await probeLabel(probed, one, ks, { signal }));
    onProgress?.({ label: `probing ${sae.name}`, done: i + 1, total: drawn.length, unit: 'labels' });
  }
  return summary(labels, without, ks, positions.length);
}

function summary(labels: LabelProbe[], without: string[], k: readonly number[], tokens: number): SaeProbes {
  const rates = labels.map(({ absorption }) => absorption.rate).filter((rate) => !Number.isNaN(rate));
  return {
    labels: labels.sort((a, b) => b.sparse[0].accuracy - a.sparse[0].accuracy),
    leftOut: without,
    activation: mean(labels.map(({ activation }) => activation.accuracy)),
    sparse: k.map((size, i) => ({
      k: size,
      accuracy: mean(labels.map(({ sparse }) => sparse[i].accuracy)),
      f1: mean(labels.map(({ sparse }) => sparse[i].f1)),
    })),
    absorption: mean(rates),
    split: mean(labels.map(({ split }) => (split.length > 1 ? 1 : 0))),
    tokens,
  };
}
