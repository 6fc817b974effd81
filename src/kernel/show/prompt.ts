/** Texts run through models, and the features of their SAEs on every token: what the prompt box asks for. */
import { plainJson } from '../../protocol/objects.js';
import type { Json } from '../../protocol/notebook.js';
import {
  MAX_TRIED_TEXT,
  MAX_TRIES,
  type PromptMeta,
  type PromptMethods,
  type PromptSide,
  type TriedSide,
  type Try,
} from '../../protocol/prompt.js';
import type { FeatureLabel } from '../../protocol/tokens.js';
import { characterSpans } from '../activations/characterSpans.js';
import { breathe, checkAborted } from '../compute/call.js';
import { matrix } from '../compute/matrix.js';
import type { SparseRows } from '../compute/sparse.js';
import type { SaeAt } from '../interventions/effects.js';
import { encodePrompt } from '../models/prompt.js';
import type { LanguageModel } from '../models/types.js';

/** A model with one of its SAEs. */
export interface TriedPair extends SaeAt {
  model: LanguageModel;
  labels?: readonly FeatureLabel[];
}

/** Firings of a side that a try keeps: beyond, the smallest of each token are left out. */
const MOST_FIRINGS = 12_000;
/** Features of a token whose labels go along: more than a list shows. */
const LABELLED = 24;

const six = (v: number): number => Number(v.toPrecision(6));

/** Features of each token, the strongest first; ties to the lower number. */
function strongest(rows: SparseRows, most: number): Pick<TriedSide, 'at' | 'features' | 'values' | 'left'> {
  const { indptr, indices, values } = rows;
  const out = { at: [0], features: [] as number[], values: [] as number[], left: 0 };
  for (let t = 0; t < rows.rows; t++) {
    const entries = Array.from({ length: indptr[t + 1] - indptr[t] }, (_, k) => indptr[t] + k)
      .filter((e) => values[e] !== 0)
      .sort((a, b) => values[b] - values[a] || indices[a] - indices[b]);
    for (const e of entries.slice(0, most)) {
      out.features.push(indices[e]);
      out.values.push(six(values[e]));
    }
    out.left += Math.max(0, entries.length - most);
    out.at.push(out.features.length);
  }
  return out;
}

function labelsOf({ at, features }: Pick<TriedSide, 'at' | 'features'>, labels: readonly FeatureLabel[]) {
  const named = new Set<number>();
  for (let t = 0; t + 1 < at.length; t++)
    for (const f of features.slice(at[t], Math.min(at[t + 1], at[t] + LABELLED))) named.add(f);
  return [...named].sort((a, b) => a - b).map((f): [number, FeatureLabel] => [f, labels[f]]);
}

const sameTokens = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((token, t) => token === b[t]);

/** The box of some pairs of model and SAE, with what was tried. */
export class PromptTries {
  constructor(
    readonly live: string,
    private readonly title: string,
    private readonly pairs: readonly TriedPair[],
    /** Oldest first; kept by the session, so that the box of the same pairs goes on with them. */
    private readonly tries: Try[],
  ) {}

  get meta(): PromptMeta {
    const sides = this.pairs.map(({ model, sae, hook }): PromptSide => ({
      model: { id: model.id, name: model.name },
      sae: { id: sae.id, name: sae.name, features: sae.config.dSae, hook },
    }));
    return { title: this.title, live: this.live, sides, tries: [...this.tries] };
  }

  /** Runs a text, which then is the newest of the tries. @throws what see throws */
  async try(text: string, signal?: AbortSignal): Promise<Try> {
    const tried = await this.see(text, signal);
    const before = this.tries.findIndex((each) => each.text === text);
    if (before >= 0) this.tries.splice(before, 1);
    this.tries.push(tried);
    this.tries.splice(0, this.tries.length - MAX_TRIES);
    return tried;
  }

  /** Runs a text and keeps nothing. @throws Error in words on a text that is empty or too long */
  async see(text: string, signal?: AbortSignal): Promise<Try> {
    if (text.length > MAX_TRIED_TEXT)
      throw new RangeError(`The text has ${text.length} characters; at most ${MAX_TRIED_TEXT} are tried at once.`);
    const sides: TriedSide[] = [];
    for (const pair of this.pairs) {
      checkAborted(signal);
      sides.push(this.side(pair, text, sides[0]));
      await breathe();
    }
    return { text, sides };
  }

  private side({ model, sae, hook, labels }: TriedPair, text: string, first: TriedSide | undefined): TriedSide {
    const { tokenizer, config, name } = model;
    const ids = encodePrompt(tokenizer, text);
    if (ids.length === 0) throw new RangeError('The text has no tokens: write at least one word.');
    if (ids.length > config.context)
      throw new RangeError(`The text has ${ids.length} tokens but ${name} reads ${config.context}: shorten it.`);
    const { captured } = model.forward(ids, 1, { capture: [hook], stopAt: hook });
    let rows: SparseRows;
    try {
      const x = captured.get(hook)!.dataSync<'float32'>();
      rows = sae.encode(matrix(ids.length, x.length / ids.length, x.slice()));
    } finally {
      for (const x of captured.values()) x.dispose();
    }
    const tokens = Array.from(ids, (id) => tokenizer.piece(id));
    const fired = strongest(rows, Math.max(1, Math.floor(MOST_FIRINGS / tokens.length)));
    const side: TriedSide = { tokens, ...fired, ...(labels && { labels: labelsOf(fired, labels) }) };
    if (!first || sameTokens(first.tokens, tokens)) return side;
    const { ofA, ofB } = characterSpans({ pieces: first.tokens }, { pieces: tokens });
    return { ...side, stretches: { first: [...ofA], own: [...ofB] } };
  }

  /** Answers a live call. @throws Error in words */
  async answer(method: string, params: Json, signal: AbortSignal): Promise<Json> {
    if (method === 'tries') return plainJson(this.tries);
    if (method !== 'try' && method !== 'see') throw new Error(`the prompt box has no method ${JSON.stringify(method)}`);
    const text = (params as { text?: unknown } | null)?.text;
    if (typeof text !== 'string') throw new TypeError('the prompt box takes { text }');
    const from = performance.now();
    const tried = await this[method](text, signal);
    const value: PromptMethods['try']['value'] = { tried, ms: Math.round(performance.now() - from) };
    return plainJson(value);
  }
}
