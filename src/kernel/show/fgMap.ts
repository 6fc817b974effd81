/** fg.show.map: a feature map that can be saved as a picture from the cell. */
import path from 'node:path';
import { isReferenceMap, readReferenceMap } from '../../protocol/referenceMap.js';
import type { OutputItem } from '../../protocol/notebook.js';
import type { SparseActivations } from '../activations/types.js';
import type { CallOptions } from '../compute/call.js';
import type { PairedMap } from '../correlation/types.js';
import { asMatrix, type MatrixInput } from '../io/matrixInput.js';
import { ALIGNED_KIND } from '../maps/alignedKept.js';
import { UMAP } from '../maps/options.js';
import { readJson, writeFileAtomic } from '../io/files.js';
import type { Layout, Watched } from '../maps/types.js';
import { setDisplay, textItem } from '../present/items.js';
import type { Sae } from '../sae/types.js';
import { anything, CALL } from '../verb/common.js';
import type { Environment } from '../verb/environment.js';
import { only, value, written, type Given } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { FEATURE_MAP, featureMapItems, twinMapItems } from './featureMap.js';
import { mapsBeside, SAE_BASELINES } from './baselineMaps.js';
import { each, has, isLayout, isSae, isThing } from './forms.js';
import { referenceItems } from './referenceMap.js';
import { LiveLayout } from '../maps/liveLayout.js';
import {
  activationItems,
  matrixItems,
  LAYOUT_MAP,
  layoutItems,
  SAE_MAP,
  saeMapItems,
  SAES_MAP,
  saesItems,
} from './saeMap.js';

const MAP = {
  activations: value<SparseActivations>(
    'what fg.activations.save returned',
    { doc: 'Of one layout or one SAE: whose features the points are.', fallback: 'points without rates and examples' },
    isThing,
  ),
  ...LAYOUT_MAP,
  ...SAES_MAP,
  ...SAE_BASELINES,
  map: value<PairedMap>(
    'what fg.correlation.map returned',
    {
      doc: 'Of two layouts: the map that joins the features of both. Of two SAEs, its A and B: both are laid out in one plane, regularised towards its pairs (fg.maps.alignedUmap).',
      fallback: 'needed for two layouts',
    },
    isThing,
  ),
} as const;
type MapOptions = Given<typeof MAP>;

/** A feature map that was shown. */
export interface ShownMap {
  /** Identity of what is shown. */
  readonly id: string;
  /**
   * Writes the picture, with title, legend and caption, as the panel shows it at first.
   * @param file where to, .svg or .png; relative to the notebook's folder
   * @param options `scale`: pixels of a PNG per unit, 1 to 4, default 2
   * @returns the file's path
   * @throws Error for another ending, RangeError for another scale
   */
  save(file: string, options?: { scale?: number }): Promise<string>;
  /** The maps of baselines by kind, where they were asked for. */
  readonly baselines?: Readonly<Record<string, ShownMap>>;
}

interface Kind {
  what: string;
  is(x: unknown): boolean;
  /** Options that say something of it, beside those of every map. */
  takes: readonly string[];
  items(env: Environment, x: never, options: MapOptions, call: CallOptions & Watched): Promise<OutputItem[]>;
}

/** A row of numbers. */
const isRow = (x: object): boolean => Array.isArray(x) || ArrayBuffer.isView(x);

const words = (...of: ReadonlyArray<Readonly<Record<string, unknown>>>): string[] => of.flatMap((o) => Object.keys(o));

/** What can be mapped; the first that fits is taken. */
const KINDS: readonly Kind[] = [
  {
    what: 'a file',
    is: (x) => typeof x === 'string' || isReferenceMap(x),
    takes: ['title'],
    async items(env, x: string | object, { title }) {
      const named = typeof x === 'string';
      const json = named ? await readJson(env.resolve(x)) : x;
      const map = readReferenceMap(json, named ? x : 'x');
      return referenceItems(env, map, { title, ...(named && { file: path.basename(x) }) });
    },
  },
  {
    what: 'two layouts',
    is: each(isLayout),
    takes: ['map', 'baselines', ...words(FEATURE_MAP)],
    items(env, x: readonly Layout[], { map, ...options }) {
      if (x.length !== 2) throw new RangeError(`fg.show.map: x is ${x.length} layouts; expected one, or two: [a, b]`);
      if (!map) throw new TypeError('fg.show.map: two layouts need map, what fg.correlation.map returned');
      return twinMapItems(env, [x[0], x[1]], map, only(FEATURE_MAP, options));
    },
  },
  {
    what: 'a layout',
    is: (x) => isThing(x) && isLayout(x as object),
    takes: ['activations', 'baselines', ...words(LAYOUT_MAP)],
    items: (env, x: Layout, { activations, ...options }, call) =>
      activations
        ? featureMapItems(env, x, activations, only(FEATURE_MAP, options))
        : layoutItems(env, x, only(LAYOUT_MAP, options), call),
  },
  {
    what: 'an SAE',
    is: (x) => isThing(x) && isSae(x as object),
    takes: ['activations', 'baselines', ...words(SAE_MAP)],
    items: (env, x: Sae, options, call) => saeMapItems(env, x, options, call),
  },
  {
    what: 'several SAEs',
    is: each(isSae),
    takes: words(SAES_MAP),
    items(env, x: readonly Sae[], options, call) {
      if (x.length < 2) throw new RangeError('fg.show.map: x is one SAE in an array; expected two or more, or the SAE');
      return saesItems(env, x, options, call);
    },
  },
  {
    what: 'activations',
    is: (x) => isThing(x) && has('statistics', 'meta', 'shards')(x as object),
    takes: ['baselines', ...words(UMAP, FEATURE_MAP)],
    items: (env, x: SparseActivations, options, call) => activationItems(env, x, options, call),
  },
  {
    what: 'rows',
    is: (x) => isThing(x) && (has('rows', 'cols', 'data')(x as object) || has('shape', 'data')(x as object) || each(isRow)(x)), // prettier-ignore
    takes: words(UMAP, FEATURE_MAP),
    items: async (env, x: MatrixInput, options, call) => matrixItems(env, await asMatrix(x, 'x'), options, call),
  },
];

/** @throws TypeError where nothing here can be mapped, or an option says nothing of it */
function kindOf(x: unknown, options: MapOptions): Kind {
  const kind = KINDS.find(({ is }) => is(x));
  if (!kind)
    throw new TypeError(
      `fg.show.map: x is ${written(x)}; expected a layout, two layouts, an SAE, several SAEs, activations, rows, or a map's JSON or its path`,
    );
  // What has its default was not asked for.
  const asked = (name: keyof typeof MAP): boolean => options[name] !== MAP[name].parse(undefined, name);
  const idle = (Object.keys(MAP) as Array<keyof typeof MAP>).filter(
    (name) => !kind.takes.includes(name) && asked(name),
  );
  if (idle.length > 0)
    throw new TypeError(
      `fg.show.map: ${kind.what} takes no option ${idle.join(', ')}; expected ${kind.takes.join(', ')}`,
    );
  return kind;
}

function shownMap(env: Environment, items: readonly OutputItem[]): ShownMap {
  // A session that saves no picture does not load what draws them.
  const figures = async () => ({
    ...(await import('../figures/figures.js')),
    ...(await import('../figures/pictures.js')),
  });
  const save = async (file: string, { scale = 2 }: { scale?: number } = {}): Promise<string> => {
    const to = env.resolve(file);
    const format = path.extname(to).slice(1).toLowerCase();
    if (format !== 'svg' && format !== 'png')
      throw new Error(`save: ${file} ends with neither .svg nor .png; expected one of these`);
    const { figureOf, figureFile, checkScale, Pictures } = await figures();
    checkScale(scale);
    const pictures = new Pictures();
    try {
      const notebookFolder = env.context.outputFolder;
      await writeFileAtomic(to, await figureFile(figureOf(items)!, format, { notebookFolder, pictures, scale }));
    } finally {
      await pictures.close();
    }
    return to;
  };
  const { id } = items[0].json as { id: string };
  const shown: ShownMap = { id, save };
  setDisplay(shown, () => [textItem(`feature map ${id.slice(0, 8)}: .save('map.svg') writes it as a picture`)]);
  return shown;
}

export const map = verb({
  doc: "The feature map that `fg.show(x, options)` draws of the same x, as a value that saves its picture; maps of activations and of rows; and maps in the reference tool's JSON, by path or as an object, as they stand there. While UMAP runs, the picture moves.",
  args: [
    anything<string | object>(
      'x',
      'A layout, two layouts with `map`, an SAE, several SAEs of one hook, activations (their features by cosine), rows, or JSON { meta, semantic_groups, model_a, model_b } or its path.',
    ),
  ],
  options: { ...MAP, ...CALL },
  errors: [
    'An option that says nothing of what x is, and JSON that is no map, are refused.',
    'save: a file that ends with neither .svg nor .png is refused, as is a scale outside 1 to 4.',
  ],
  kinds: ['map', 'layout', ALIGNED_KIND],
  check: (options, x) => void kindOf(x, options),
  beside: ({ env, options }, x) => mapsBeside(env, x as object, options),
  run: async ({ env, options, call }, x) => {
    const live = new LiveLayout(env);
    const watched = { ...call, onMoved: live.onMoved };
    const items = await live.during(() => kindOf(x, options).items(env, x as never, only(MAP, options), watched));
    live.end(items);
    return shownMap(env, items);
  },
});
