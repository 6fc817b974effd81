/** Pictures of baselines: what a map is of, and what names its points, with an SAE's baselines in the place of the SAE. */
import { carriedBaselines } from '../activations/baselines.js';
import type { SparseActivations } from '../activations/types.js';
import type { PairedMap } from '../correlation/types.js';
import { isActivations } from '../maps/laidOut.js';
import type { Layout } from '../maps/types.js';
import { baselinesFor, type SaeBaselines } from '../sae/baselines.js';
import { withBaselines } from '../sae/fgBaselines.js';
import type { Sae } from '../sae/types.js';
import type { Beside } from '../verb/beside.js';
import type { Environment } from '../verb/environment.js';
import { flag, type Given } from '../verb/option.js';
import { isLayout, isSae } from './forms.js';
import type { LAYOUT_MAP } from './saeMap.js';

/** Of an SAE: whose maps stand beside. */
export const SAE_BASELINES = { baselines: withBaselines('maps', { identity: false }) } as const;

/** Of layouts, which carry them. */
export const LAYOUT_BASELINES = {
  baselines: flag({
    doc: 'Draw the maps of the baselines beside: the layouts must carry theirs (fg.maps.umap with { baselines: true }).',
    default: false,
    identity: false,
  }),
} as const;

/** What the verbs that draw maps have of these. */
interface MapOptions extends Pick<Given<typeof LAYOUT_MAP>, 'sae' | 'title' | 'columns'> {
  readonly activations?: SparseActivations | undefined;
  readonly map?: PairedMap | undefined;
  readonly baselines?: boolean | SaeBaselines | undefined;
}

/** The layouts of baselines that a layout carries. @throws where it carries none */
function layoutsBeside(layout: Layout): Readonly<Record<string, Layout>> {
  if (layout.baselines) return layout.baselines;
  throw new Error('the layout carries none of its baselines: fg.maps.umap(sae, { baselines: true }) lays them out too');
}

/** Kinds that all of these have, with what each has of it. */
function inCommon<T>(of: ReadonlyArray<Readonly<Record<string, T | undefined>>>): Array<[kind: string, things: T[]]> {
  const kinds = Object.keys(of[0] ?? {}).filter((kind) => of.every((each) => each[kind] !== undefined));
  return kinds.map((kind) => [kind, of.map((each) => each[kind]!)]);
}

/** What stands in the place of x, by kind. */
function besideOf(env: Environment, x: object, { baselines, map }: MapOptions): Array<[kind: string, x: object]> {
  if (isSae(x)) return Object.entries(baselinesFor(env, x as Sae, baselines as true | SaeBaselines));
  if (isActivations(x)) return Object.entries(carriedBaselines(x));
  if (isLayout(x)) return Object.entries(layoutsBeside(x as Layout));
  const layouts = (x as readonly Layout[]).map(layoutsBeside);
  return inCommon<Layout | PairedMap>([...layouts, map?.baselines ?? {}]).map(([kind, things]) => [
    kind,
    things.slice(0, -1),
  ]);
}

/**
 * The calls that draw the baselines of a map of x. Their points have the names of their own activations, where these
 * were saved, and none of the columns, which belong to the features of the SAE.
 */
export function mapsBeside(env: Environment, x: object, options: MapOptions): Beside<[never], never> {
  if (options.baselines === undefined || options.baselines === false) return {};
  const { activations, map, sae, title } = options;
  const found = besideOf(env, x, options);
  if (found.length === 0)
    throw new Error('no kind of baseline has a layout on both sides and a map: give { baselines: true } to fg.maps.umap and fg.correlation.map'); // prettier-ignore
  const ofSae = (sae ? baselinesFor(env, sae, true) : {}) as Readonly<Record<string, Sae | undefined>>;
  return Object.fromEntries(
    found.map(([kind, other]) => [
      kind,
      {
        args: [other as never] as [never],
        options: {
          ...(activations ? { activations: activations.baselines?.[kind] } : {}),
          ...(map ? { map: map.baselines?.[kind] } : {}),
          ...(sae ? { sae: ofSae[kind] } : {}),
          title: title === undefined ? `${kind} baseline` : `${title}: ${kind} baseline`,
          columns: undefined,
        } as never,
      },
    ]),
  );
}
