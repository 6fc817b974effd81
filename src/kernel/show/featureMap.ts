/** Feature maps: the features of a store placed by a layout of its SAE's decoder, as the bundle that panels read. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { keywordGroups, type KeywordGroup } from '../../protocol/keywordGroups.js';
import { MAX_DECODER_BYTES, type MapDescriptor, type MapMeta } from '../../protocol/map.js';
import { MIME } from '../../protocol/mime.js';
import { isObject } from '../../protocol/objects.js';
import type { Json, OutputItem } from '../../protocol/notebook.js';
import { keptLabels, shownExamples } from '../activations/kept.js';
import { countedTokens } from '../activations/statistics.js';
import type { SparseActivations } from '../activations/types.js';
import { asParameters } from '../artifacts/parameters.js';
import { requireSame } from '../artifacts/store.js';
import { pairLabels } from '../correlation/pairLabels.js';
import { listsOf } from '../correlation/restrict.js';
import type { PairedMap } from '../correlation/types.js';
import { readJson } from '../io/files.js';
import { sha256 } from '../io/hash.js';
import { writeMapBundle, type BundleSet, type GivenColumns } from '../maps/bundle.js';
import { laidOutRows } from '../maps/laidOut.js';
import { pointColumns, type PointColumns } from '../maps/pointColumns.js';
import type { Layout } from '../maps/types.js';
import { textItem } from '../present/items.js';
import { thumbnail } from '../present/thumbnail.js';
import type { Environment } from '../verb/environment.js';
import { text, value, type Given } from '../verb/option.js';
import { PROMPT, promptOf } from './promptOption.js';

/** Options of pictures of one map or two. */
export const FEATURE_MAP = {
  title: text({ doc: 'Over the picture.', fallback: 'the names of the SAEs' }),
  groups: value<string | Readonly<Record<string, readonly string[]>>>(
    'an object such as { months: ["May", "June"] }, or the path of a JSON file that holds one',
    {
      doc: 'Keyword groups offered in the map: name → whole words; or the path of a JSON file of them, such as those of examples/groups.',
      fallback: 'the groups of the TinyStories experiments',
    },
    (v) => typeof v === 'string' || (typeof v === 'object' && v !== null),
  ),
  columns: value<PointColumns | readonly PointColumns[]>(
    'an object such as { name: values }, or of two maps an array of two',
    {
      doc: 'More to colour and sort the features by: name → one number (NaN: none) or text for each feature, such as `columns` of what fg.correlation.stability returned; an array of two for two maps, [ofA, ofB], and one object is of the first. The first column colours the points until another colour is chosen.',
      fallback: 'none',
    },
    isObject,
  ),
  ...PROMPT,
} as const;

export type FeatureMapOptions = Given<typeof FEATURE_MAP>;

/** Keyword groups of the TinyStories experiments (docs/experiments: feature relations). */
const DEFAULT_GROUPS: Record<string, readonly string[]> = {
  royalty: ['king', 'queen', 'princess', 'prince', 'knight', 'dragon'],
  family: ['mother', 'father', 'daughter', 'son', 'mom', 'dad', 'sister', 'brother'],
  'she / he / it': ['she', 'he', 'it', 'her', 'his', 'him'],
  time: ['years', 'time', 'summer', 'morning', 'day', 'once', 'night'],
  numbers: ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'],
  emotions: ['happy', 'sad', 'angry', 'scared', 'proud', 'glad', 'afraid'],
  weather: ['rain', 'snow', 'wind', 'storm', 'sun', 'sunny', 'rainy', 'windy'],
};
const CODE_VERSION = 5;

async function bundleSet(
  env: Environment,
  name: string,
  layout: Layout,
  activations: SparseActivations,
): Promise<BundleSet> {
  const { features } = activations.meta;
  if (layout.points !== features)
    throw new Error(
      `map ${name}: the layout has ${layout.points} points but ${activations.meta.sae.name} has ${features} features; lay out the decoder of that SAE`,
    );
  const { sae } = activations.meta;
  if (layout.rows && sae.decoder)
    requireSame(
      `map ${name} is a layout of other rows than the decoder of its SAE; are the two layouts swapped?`,
      { name: 'layout', id: layout.rows },
      { name: `decoder of ${sae.name}`, id: sae.decoder },
    );
  const examples = await shownExamples(env, activations);
  return {
    name,
    title: activations.meta.sae.name,
    sae: { id: sae.id, name: sae.name },
    layout,
    decoder: laidOutRows(layout),
    firings: activations.statistics.firings,
    tokens: countedTokens(activations.meta),
    labels: await keptLabels(env, activations),
    examples,
  };
}

type Links = Required<Pick<GivenColumns, 'partner' | 'r'>>;

/** For each feature of both sides the partner of its best pair and their r: the pairs of the map that its caption counts. */
function partners(map: PairedMap): Links[] {
  const { bestAofB, rAofB, bestBofA, rBofA } = listsOf(map.pairs, { ...map, counterparts: 1 });
  return [
    { partner: bestBofA, r: rBofA },
    { partner: bestAofB, r: rAofB },
  ];
}

/** What the map lists of each feature beside its partner, best first: with it not more than the map keeps. */
function othersBeside({ partner }: Links, best: Int32Array, r: Float32Array, kept: number): BundleSet['others'] {
  const points = partner.length;
  const other = Array.from({ length: kept }, () => new Int32Array(points).fill(-1));
  const otherR = Array.from({ length: kept }, () => new Float32Array(points).fill(NaN));
  for (let i = 0; i < points; i++) {
    const room = partner[i] < 0 ? kept : kept - 1;
    let rank = 0;
    for (let at = i * kept; at < (i + 1) * kept && rank < room; at++) {
      if (best[at] < 0 || best[at] === partner[i]) continue;
      other[rank][i] = best[at];
      otherR[rank++][i] = r[at];
    }
  }
  const used = other.findLastIndex((of) => of.some((p) => p >= 0)) + 1;
  return used === 0 ? undefined : { other: other.slice(0, used), otherR: otherR.slice(0, used) };
}

/** Adds to the labels of both sets what each feature and its counterpart do together. */
async function labelTogether(env: Environment, a: BundleSet, b: BundleSet, map: PairedMap): Promise<void> {
  const partner = [a, b].map((set) => set.columns!.partner!);
  const linked = partner.map((of) => [...of.keys()].filter((i) => of[i] >= 0));
  const pairs = {
    a: [...linked[0], ...linked[1].map((j) => partner[1][j])],
    b: [...linked[0].map((i) => partner[0][i]), ...linked[1]],
  };
  const labels = await env.call(undefined, (call) => pairLabels(map.a, map.b, pairs, call));
  const own = [labels.slice(0, linked[0].length), labels.slice(linked[0].length)];
  [a, b].forEach((set, s) => {
    const together = new Map(linked[s].map((point, k) => [point, own[s][k]]));
    set.labels = set.labels.map((label, i) => (together.has(i) ? { ...label, together: together.get(i) } : label));
  });
}

/** Groups as they were given: an object, or a JSON file of one. */
async function groupsOf(given: NonNullable<FeatureMapOptions['groups']>): Promise<KeywordGroup[]> {
  if (typeof given !== 'string') return keywordGroups(given, 'fg.show: groups');
  const read = readJson(path.resolve(given)).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Error(`fg.show: groups: there is no file ${given} in ${process.cwd()}; expected the path of a JSON file such as { "months": ["May", "June"] }, from the notebook's folder`, { cause: error }); // prettier-ignore
  });
  return keywordGroups(await read, given);
}

/** @throws RangeError for columns of more sets than the picture has, or with another number of values */
function addColumns(sets: readonly BundleSet[], given: FeatureMapOptions['columns']): void {
  if (Array.isArray(given) && given.length > sets.length)
    throw new RangeError(`fg.show: columns has ${given.length} objects but the picture has ${sets.length === 1 ? 'one map' : 'two maps'}`); // prettier-ignore
  for (const [s, set] of sets.entries())
    set.added = pointColumns(given, { s, points: set.layout.points, where: `map ${set.name}` });
}

/** Added columns in the identity of the picture; undefined without any, so that earlier ids stay the same. */
function columnKeys(sets: readonly BundleSet[]): string[][] | undefined {
  const keys = sets.map(({ added = [] }) =>
    added.map(({ name, values, classes = [] }) => `${name} ${sha256([Float32Array.from(values), ...classes])}`),
  );
  return keys.some((own) => own.length > 0) ? keys : undefined;
}

interface FromElsewhere extends Pick<MapMeta, 'pairing' | 'reference'> {
  /** Groups in place of those of the options. */
  listed?: KeywordGroup[];
}

/** Writes the bundle of the sets and gives the items that show it. */
export async function bundleItems(
  env: Environment,
  sets: BundleSet[],
  inputs: Record<string, string>,
  { pairing, reference, listed, ...options }: FeatureMapOptions & FromElsewhere,
): Promise<OutputItem[]> {
  addColumns(sets, options.columns);
  const groups = listed ?? (await groupsOf(options.groups ?? DEFAULT_GROUPS));
  const title = options.title ?? sets.map((set) => set.title).join(' ↔ ');
  const decoders = sets[0].decoder && sets.map((set) => set.decoder?.cols ?? 0);
  const key = {
    kind: 'map',
    parameters: asParameters({ groups, title, pairing, reference, decoders, columns: columnKeys(sets) }),
    inputs,
    codeVersion: CODE_VERSION,
  };
  const {
    value: meta,
    folder,
    record,
  } = await env.outputStore.compute(key, {
    title,
    make: async (temporary) => void (await writeMapBundle(temporary, sets, { title, groups, pairing, reference })),
    load: async (made) => JSON.parse(await fs.readFile(path.join(made, 'map.json'), 'utf8')) as MapMeta,
  });
  const descriptor: MapDescriptor = {
    version: 1,
    id: record.id,
    path: path.relative(env.context.outputFolder, folder).split(path.sep).join('/'),
    meta,
    ...promptOf(options.prompt),
  };
  const summary = meta.sets
    .map((s) => {
      const dead = s.unmeasured ? 'no activations given' : `${s.dead} dead`;
      return `${s.name}: ${s.title}, ${s.points} features (${dead}), ${s.layout}`;
    })
    .join('\n');
  return [
    { mime: MIME.map, json: JSON.parse(JSON.stringify(descriptor)) as Json },
    { mime: MIME.png, base64: thumbnail(sets).toString('base64') },
    textItem(`${title}\n${summary}`),
  ];
}

/** Live scores take the decoder rows of both sides; maps of one set have no use for them. */
function keepSmallDecoders(a: BundleSet, b: BundleSet): void {
  const bytes = 4 * ((a.decoder?.data.length ?? 0) + (b.decoder?.data.length ?? 0));
  if (a.decoder && b.decoder && bytes <= MAX_DECODER_BYTES) return;
  a.decoder = b.decoder = undefined;
}

/** One map. */
export async function featureMapItems(
  env: Environment,
  layout: Layout,
  activations: SparseActivations,
  options: FeatureMapOptions,
): Promise<OutputItem[]> {
  const set = { ...(await bundleSet(env, 'A', layout, activations)), decoder: undefined };
  return bundleItems(env, [set], { layout: layout.id, activations: activations.id }, options);
}

/** Two maps side by side, linked by the pairs of the map. */
export async function twinMapItems(
  env: Environment,
  [layoutA, layoutB]: readonly [Layout, Layout],
  map: PairedMap,
  options: FeatureMapOptions,
): Promise<OutputItem[]> {
  const a = await bundleSet(env, 'A', layoutA, map.a);
  const b = await bundleSet(env, 'B', layoutB, map.b);
  const links = partners(map);
  a.columns = { ...a.columns, ...links[0] };
  b.columns = { ...b.columns, ...links[1] };
  a.others = othersBeside(links[0], map.bestBofA, map.rBofA, map.counterparts);
  b.others = othersBeside(links[1], map.bestAofB, map.rAofB, map.counterparts);
  await labelTogether(env, a, b, map);
  keepSmallDecoders(a, b);
  const meanR = map.pairs.r.reduce((s, r) => s + r, 0) / Math.max(1, map.pairs.r.length);
  const pairing = { method: map.method, pairs: map.pairs.r.length, tokens: map.tokens, meanR };
  const inputs = { layoutA: layoutA.id, layoutB: layoutB.id, map: map.id };
  return bundleItems(env, [a, b], inputs, { ...options, pairing });
}
