/** Large maps as exported pages, for benches: real English in the examples, pairs, decoders left out. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Random } from '#kernel/compute/random.js';
import type { ExampleBand, FeatureExample, LinkedLabel } from '#protocol/bundle.js';
import type { MapMeta } from '#protocol/map.js';
import { MIME } from '#protocol/mime.js';
import { outputPageHtml } from '#protocol/outputPage.js';
import { encodeSafetensors, type NdArray } from '#protocol/safetensors.js';
import type { TokenShare } from '#protocol/tokens.js';
import { pageFilesOf } from '#test/kit/bundleFiles.js';

export interface MapSize {
  sets: 1 | 2;
  points: number;
  /** Examples of each point, as fg.show writes them: 9, five of them the largest activations. */
  examples: number;
}

/** Tokens of a window before and after its peak, as fg.show cuts them, and of a text. */
const [BEFORE, AFTER, CONTEXT] = [5, 4, 128];
/** Tokens of the texts: of each feature about 300 fire in an SAE of 100,000 with 32 active features. */
const TOKENS = 1_000_000;
const CLUSTERS = 40;
const TOP = 5;

const f32 = (data: Float32Array): NdArray => ({ dtype: 'F32', shape: [data.length], data });
const i32 = (data: Int32Array): NdArray => ({ dtype: 'I32', shape: [data.length], data });

/** Texts of tokens as often as in the stories of test/goldens, in random order: no text compresses worse. */
function storyTexts(random: Random): { vocabulary: string[]; texts: Uint16Array } {
  const text = readFileSync(path.resolve('test/goldens/stories.txt'), 'utf8');
  const tokens = text.match(/ ?[A-Za-z']{1,6}|[^A-Za-z' ]| /g) ?? [];
  const vocabulary = [...new Set(tokens)];
  const ids = Uint16Array.from(tokens, (token) => vocabulary.indexOf(token));
  return { vocabulary, texts: Uint16Array.from({ length: TOKENS }, () => ids[random.int(ids.length)]) };
}

class Draws {
  private readonly random = new Random(7);
  private readonly from = storyTexts(this.random);

  next = (): number => this.random.next();
  int = (n: number): number => this.random.int(n);
  normal = (): number => this.random.normal();
  normals = (n: number): Float32Array => this.random.normals(new Float32Array(n));

  private word(): string {
    return this.from.vocabulary[this.from.texts[this.int(TOKENS)]];
  }

  private example(value: number, band?: ExampleBand): FeatureExample {
    const at = this.int(TOKENS);
    const [sequence, position] = [Math.floor(at / CONTEXT), at % CONTEXT];
    const first = Math.max(0, position - BEFORE);
    const last = Math.min(CONTEXT - 1, position + AFTER, TOKENS - 1 - sequence * CONTEXT);
    const ids = this.from.texts.subarray(sequence * CONTEXT + first, sequence * CONTEXT + last + 1);
    const activations = Array.from(ids, (_, t) =>
      t === position - first ? value : this.next() < 0.1 ? Math.fround(value * this.next()) : 0,
    );
    const tokens = Array.from(ids, (id) => this.from.vocabulary[id]);
    return { sequence, position, value, tokens, peak: position - first, activations, ...(band && { band }) };
  }

  /** The largest activations, then one of each band: as many as are asked for. */
  examples(count: number): FeatureExample[] {
    const values = Array.from({ length: TOP + 1 }, () => Math.fround(8 * this.next())).sort((a, b) => b - a);
    const ends = Array.from({ length: count }, () => Math.fround(values[TOP] * this.next())).sort((a, b) => b - a);
    return Array.from({ length: count }, (_, k) => {
      if (k < TOP) return this.example(values[k]);
      const [to, from] = [k === TOP ? values[0] : ends[k - TOP - 1], k === count - 1 ? 0 : ends[k - TOP]];
      return this.example(Math.fround(from + (to - from) * this.next()), { from, to, firings: 1 + this.int(120) });
    });
  }

  private shares(): TokenShare[] {
    let left = 1;
    return Array.from({ length: 1 + this.int(5) }, () => {
      const share = left * this.next();
      left -= share;
      return { token: this.word(), share };
    });
  }

  label(examples: readonly FeatureExample[], paired: boolean): LinkedLabel {
    const peaks = examples.slice(0, TOP).map(({ tokens, peak }) => tokens[peak]);
    return { tokens: this.shares(), peaks, ...(paired && { together: this.shares() }) };
  }
}

/** Counterparts beside the partner: a map of features keeps three. */
const OTHERS = 2;

/** The files of a map's bundle, by name. */
export function mapFiles({ sets, points, examples }: MapSize): { meta: MapMeta; files: Record<string, Uint8Array> } {
  const draws = new Draws();
  const tensors: Record<string, NdArray> = {};
  const files: Record<string, Uint8Array> = {};
  for (let s = 0; s < sets; s++) {
    const centres = draws.normals(2 * CLUSTERS).map((v) => 5 * v);
    const axis = (c: number) =>
      Float32Array.from({ length: points }, (_, i) => centres[2 * (i % CLUSTERS) + c] + 0.7 * draws.normal());
    const at = new BigInt64Array(points + 1);
    let bytes = 0;
    const labels: LinkedLabel[] = [];
    const lines = Array.from({ length: points }, (_, i) => {
      const own = draws.examples(examples);
      labels.push(draws.label(own, sets === 2));
      const line = Buffer.from(`${JSON.stringify(own)}\n`);
      at[i + 1] = BigInt((bytes += line.length));
      return line;
    });
    files[`${s}.labels.json`] = Buffer.from(JSON.stringify(labels));
    files[`${s}.examples.jsonl`] = Buffer.concat(lines);
    const firings = Int32Array.from({ length: points }, () => 1 + draws.int(40_000));
    Object.assign(tensors, {
      [`${s}.x`]: f32(axis(0)),
      [`${s}.y`]: f32(axis(1)),
      [`${s}.feature`]: i32(Int32Array.from({ length: points }, (_, i) => i)),
      [`${s}.firings`]: i32(firings),
      [`${s}.firingRate`]: f32(Float32Array.from(firings, (f) => f / TOKENS)),
      [`${s}.examplesAt`]: { dtype: 'I64', shape: [points + 1], data: at },
      ...(sets === 2 && {
        [`${s}.partner`]: i32(Int32Array.from({ length: points }, () => draws.int(points))),
        [`${s}.r`]: f32(Float32Array.from({ length: points }, () => draws.next())),
        ...Object.fromEntries(
          Array.from({ length: OTHERS }, (_, k) => [
            [`${s}.other.${k}`, i32(Int32Array.from({ length: points }, () => draws.int(points)))],
            [`${s}.otherR.${k}`, f32(Float32Array.from({ length: points }, () => draws.next()))],
          ]).flat(),
        ),
      }),
    });
  }
  files['columns.safetensors'] = encodeSafetensors(tensors);
  const meta: MapMeta = {
    version: 1,
    title: `${sets} × ${points} features`,
    sets: Array.from({ length: sets }, (_, s) => ({
      name: 'AB'[s],
      title: `bench ${'AB'[s]}`,
      ...(sets === 2 && { others: OTHERS }),
      ...{ points, dead: 0, layout: 'clusters', sae: { id: `bench-${s}`, name: `bench ${'AB'[s]}` } },
    })),
    ...(sets === 2 && { pairing: { method: 'pearson', pairs: points, tokens: TOKENS, meanR: 0.5 } }),
  };
  files['map.json'] = Buffer.from(JSON.stringify(meta));
  return { meta, files };
}

/** The page that exports write of such a map. */
export async function mapPage(size: MapSize, script: string): Promise<string> {
  const { meta, files } = mapFiles(size);
  const id = `bench-${size.sets}-${size.points}`;
  return outputPageHtml({
    title: meta.title,
    mime: MIME.map,
    descriptor: { version: 1, id, path: `.fgnb/${id}`, meta },
    script,
    files: await pageFilesOf({ id, files }),
    nonce: 'bench',
  });
}
