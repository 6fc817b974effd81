/** Stores of models with different tokenizers, brought to the same rows: spans of text where both have a boundary. */
import { filled } from '../verb/filled.js';
import type { ArtifactStore, Computed } from '../artifacts/store.js';
import type { SparseRows } from '../compute/sparse.js';
import { sha256 } from '../io/hash.js';
import type { KEPT } from '../verb/common.js';
import { choice, type Given } from '../verb/option.js';
import { characterSpans, type AlignedShares, type CharacterSpans, type TokenTexts } from './characterSpans.js';
import { isShard, openActivations } from './store.js';
import type { SparseActivations } from './types.js';
import { writeActivations } from './write.js';

/** Bumped when the same stores give other rows, or have other inputs. */
const CODE_VERSION = 2;
/** Spans in a sequence; these sequences correspond to neither model's. */
const CONTEXT = 128;

/** Options of the rows that two stores have in common. */
export const ALIGN = {
  combine: choice(['max', 'mean'], { doc: 'What a feature has on a span of several tokens.', default: 'max' }),
} as const;

export type Combine = NonNullable<Given<typeof ALIGN>['combine']>;

/** Two stores over the spans that their texts share; they can be correlated. */
export interface Aligned {
  readonly a: SparseActivations;
  readonly b: SparseActivations;
  /** Spans: rows of both. */
  readonly spans: number;
  readonly shares: AlignedShares;
}

async function textsOf(store: SparseActivations): Promise<TokenTexts> {
  const pieces = new Map<number, string>();
  const ids = await store.tokenIds();
  for (const id of new Set(ids)) pieces.set(id, store.piece(id));
  return { pieces: Array.from(ids, (id) => pieces.get(id)!), ignored: await store.ignored() };
}

/** Rows of a store by span. A span's tokens follow each other; those between spans are left out. */
async function* rowsBySpan(
  store: SparseActivations,
  spanOf: Int32Array,
  rows: number,
  combine: Combine,
): AsyncGenerator<SparseRows> {
  const block = new SpanBlock(store.meta.features, combine);
  let current = 0;
  for await (const { firstToken, rows: shard } of store.shards()) {
    for (let t = 0; t < shard.rows; t++) {
      const span = spanOf[firstToken + t];
      if (span < 0) continue;
      for (; current < span; current++) block.close();
      block.add(shard, t);
    }
    // The last span may go on in the next shard.
    yield block.take();
  }
  for (; current < rows; current++) block.close();
  yield block.take();
}

/** Rows in the making: the closed ones, and sums of an open one. */
class SpanBlock {
  private ends: number[] = [0];
  private indices: number[] = [];
  private values: number[] = [];
  private readonly open = new Map<number, number>();
  private tokens = 0;

  constructor(
    private readonly features: number,
    private readonly combine: Combine,
  ) {}

  add({ indptr, indices, values }: SparseRows, row: number): void {
    this.tokens++;
    for (let p = indptr[row]; p < indptr[row + 1]; p++) {
      const before = this.open.get(indices[p]) ?? 0;
      this.open.set(indices[p], this.combine === 'max' ? Math.max(before, values[p]) : before + values[p]);
    }
  }

  close(): void {
    const divisor = this.combine === 'mean' ? this.tokens : 1;
    for (const [feature, value] of [...this.open].sort((x, y) => x[0] - y[0])) {
      // What float32 rounds to 0 does not fire.
      if (!(Math.fround(value / divisor) > 0)) continue;
      this.indices.push(feature);
      this.values.push(value / divisor);
    }
    this.ends.push(this.indices.length);
    this.open.clear();
    this.tokens = 0;
  }

  /** The closed rows, which are then forgotten. */
  take(): SparseRows {
    const made = {
      rows: this.ends.length - 1,
      cols: this.features,
      indptr: Uint32Array.from(this.ends),
      indices: Int32Array.from(this.indices),
      values: Float32Array.from(this.values),
    };
    [this.ends, this.indices, this.values] = [[0], [], []];
    return made;
  }
}

/** Equal texts have equal ids; rows after the last span fill its sequence up and are ignored. */
function spanTokens({ texts, count }: CharacterSpans) {
  const rows = Math.ceil(count / CONTEXT) * CONTEXT;
  const words: string[] = [];
  const known = new Map<string, number>();
  const tokenIds = new Int32Array(rows);
  const ignored = new Uint8Array(rows);
  texts.forEach((text, s) => {
    if (!known.has(text)) known.set(text, words.push(text) - 1);
    tokenIds[s] = known.get(text)!;
  });
  ignored.fill(1, count);
  const tokenizer = sha256(['aligned spans', JSON.stringify(words)]);
  const tokenSet = { id: sha256(['aligned spans', tokenizer, tokenIds]), tokenizer };
  return { rows, tokenIds, ignored: ignored.includes(1) ? ignored : undefined, tokenSet, piece: (id: number) => words[id] }; // prettier-ignore
}

type SpanTokens = ReturnType<typeof spanTokens>;

/** Two tokenizations of one text, joined. */
interface Joined {
  readonly spans: CharacterSpans;
  readonly tokens: SpanTokens;
}

/** What two stores must share to be joined by the same spans: the tokens, and which of them are no text. */
const textId = async (store: SparseActivations): Promise<string> =>
  sha256(['text of a store', store.meta.tokenSet.id, (await store.ignored()) ?? new Uint8Array(0)]);

/** Joins the texts of two stores, once for all stores of the same two texts. */
export class TextJoiner {
  private readonly known = new Map<string, Joined>();

  /** @throws when they hold the same tokens already, or texts without a span in common */
  async join(a: SparseActivations, b: SparseActivations): Promise<Joined> {
    if (a.meta.tokenSet.id === b.meta.tokenSet.id)
      throw new Error('both stores hold the same tokens already: they can be correlated as they are');
    const key = `${await textId(a)} ${await textId(b)}`;
    const before = this.known.get(key);
    if (before) return before;
    const spans = characterSpans(await textsOf(a), await textsOf(b));
    if (spans.count === 0)
      throw new Error(
        `the texts of ${a.meta.sae.name} on ${a.meta.model.name} and ${b.meta.sae.name} on ${b.meta.model.name} have no word in common; save both from one dataset`,
      );
    const joined = { spans, tokens: spanTokens(spans) };
    this.known.set(key, joined);
    return joined;
  }
}

/**
 * Brings two stores of one text in different tokens to the same rows: the spans of characters from one boundary that
 * both tokenizations have to the next. A feature has on a span the largest (or mean) activation of its tokens there.
 * Both are kept as artifacts of kind 'activations'; a store that is brought to the same spans with another partner is
 * made once.
 * @throws when they hold the same tokens already, or texts without a span in common
 */
export async function alignActivations(
  a: SparseActivations,
  b: SparseActivations,
  store: ArtifactStore,
  options: Given<typeof ALIGN> & Given<typeof KEPT> & { joiner?: TextJoiner } = {},
): Promise<{ value: Aligned; made: ReadonlyArray<Computed<SparseActivations>> }> {
  const { combine, fresh, joiner = new TextJoiner(), ...call } = filled(ALIGN, options);
  const { spans, tokens } = await joiner.join(a, b);
  const compute = (own: SparseActivations, spanOf: Int32Array): Promise<Computed<SparseActivations>> => {
    const key = {
      kind: 'activations',
      parameters: { from: 'aligned', combine },
      inputs: { own: own.id, spans: sha256(['spans', tokens.tokenSet.id, spanOf]) },
      codeVersion: CODE_VERSION,
    };
    const { hook, model, sae, features } = own.meta;
    return store.compute<SparseActivations>(key, {
      fresh,
      title: `${model.name} ${hook} × ${sae.name} by span`,
      make: async (folder) => {
        const rows = rowsBySpan(own, spanOf, tokens.rows, combine);
        const of = { ...call, features, context: CONTEXT, hook, model, sae, id: store.idOf(key) };
        await writeActivations(folder, rows, { ...of, ...tokens });
      },
      lazy: isShard,
      load: (folder, record) => openActivations(folder, undefined, record.files),
    });
  };
  const made = [await compute(a, spans.ofA), await compute(b, spans.ofB)];
  return { value: { a: made[0].value, b: made[1].value, spans: spans.count, shares: spans.shares }, made };
}
