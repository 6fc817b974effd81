/** Large maps as exported pages, for benches: real English in the examples, pairs, decoders left out. */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import path from 'node:path';
import { Random } from '#kernel/compute/random.js';
import type { FeatureExample } from '#protocol/bundle.js';
import type { MapMeta } from '#protocol/map.js';
import { MIME } from '#protocol/mime.js';
import { outputPageHtml } from '#protocol/outputPage.js';
import { encodeSafetensors, type NdArray } from '#protocol/safetensors.js';

export interface MapSize {
  sets: 1 | 2;
  points: number;
  /** Examples of each point, as fg.show writes them: 9, five of them the largest activations. */
  examples: number;
}

/** Tokens of a window, as fg.show cuts them. */
const WINDOW = 21;
const CLUSTERS = 40;

const f32 = (data: Float32Array): NdArray => ({ dtype: 'F32', shape: [data.length], data });
const i32 = (data: Int32Array): NdArray => ({ dtype: 'I32', shape: [data.length], data });

/** Tokens of the stories of test/goldens, with their spaces. */
function storyTokens(): string[] {
  const text = readFileSync(path.resolve('test/goldens/stories.txt'), 'utf8');
  return text.match(/ ?[A-Za-z']{1,6}|[^A-Za-z' ]| /g) ?? [];
}

function exampleOf(tokens: readonly string[], random: Random, largest: number): FeatureExample {
  const from = random.int(tokens.length - WINDOW);
  const value = Math.fround(largest * random.next());
  const activations = Array.from({ length: WINDOW }, (_, t) =>
    t === 10 ? value : random.next() < 0.1 ? Math.fround(value * random.next()) : 0,
  );
  return {
    sequence: random.int(5000),
    position: 10,
    value,
    tokens: tokens.slice(from, from + WINDOW),
    peak: 10,
    activations,
  };
}

/** The files of a map's bundle, by name. */
export function mapFiles({ sets, points, examples }: MapSize): { meta: MapMeta; files: Record<string, Uint8Array> } {
  const random = new Random(7);
  const tokens = storyTokens();
  const tensors: Record<string, NdArray> = {};
  const files: Record<string, Uint8Array> = {};
  for (let s = 0; s < sets; s++) {
    const centres = random.normals(new Float32Array(2 * CLUSTERS)).map((v) => 5 * v);
    const axis = (c: number) =>
      Float32Array.from({ length: points }, (_, i) => centres[2 * (i % CLUSTERS) + c] + 0.7 * random.normal());
    const labels = Array.from({ length: points }, () =>
      Array.from({ length: 3 }, () => tokens[random.int(tokens.length)]),
    );
    const at = new BigInt64Array(points + 1);
    let bytes = 0;
    const lines = Array.from({ length: points }, (_, i) => {
      const own = Array.from({ length: examples }, () => exampleOf(tokens, random, 8));
      const line = Buffer.from(`${JSON.stringify(own)}\n`);
      at[i + 1] = BigInt((bytes += line.length));
      return line;
    });
    files[`${s}.labels.json`] = Buffer.from(JSON.stringify(labels));
    files[`${s}.examples.jsonl`] = Buffer.concat(lines);
    const firings = Int32Array.from({ length: points }, () => 1 + random.int(40_000));
    Object.assign(tensors, {
      [`${s}.x`]: f32(axis(0)),
      [`${s}.y`]: f32(axis(1)),
      [`${s}.feature`]: i32(Int32Array.from({ length: points }, (_, i) => i)),
      [`${s}.firings`]: i32(firings),
      [`${s}.firingRate`]: f32(Float32Array.from(firings, (f) => f / 1e6)),
      [`${s}.examplesAt`]: { dtype: 'I64', shape: [points + 1], data: at },
      ...(sets === 2 && {
        [`${s}.partner`]: i32(Int32Array.from({ length: points }, (_, i) => (s === 0 ? (7 * i + 3) % points : i))),
        [`${s}.r`]: f32(Float32Array.from({ length: points }, () => random.next())),
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
      ...{ points, dead: 0, layout: 'clusters', sae: { id: `bench-${s}`, name: `bench ${'AB'[s]}` } },
    })),
    ...(sets === 2 && { pairing: { method: 'pearson', pairs: points, tokens: 1e6, meanR: 0.5 } }),
  };
  files['map.json'] = Buffer.from(JSON.stringify(meta));
  return { meta, files };
}

/** The page that exports write of such a map. */
export function mapPage(size: MapSize, script: string): string {
  const { meta, files } = mapFiles(size);
  const id = `bench-${size.sets}-${size.points}`;
  return outputPageHtml({
    title: meta.title,
    mime: MIME.map,
    descriptor: { version: 1, id, path: `.fgnb/${id}`, meta },
    script,
    files: Object.entries(files).map(([file, bytes]) => ({
      bundle: id,
      file,
      gzipBase64: gzipSync(bytes).toString('base64'),
    })),
    nonce: 'bench',
  });
}
