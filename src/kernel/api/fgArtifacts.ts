/** fg.artifacts.load and note: loads any kept result by its id, and keeps the user's notes. */
import { openActivations, isShard } from '../activations/store.js';
import type { SparseActivations } from '../activations/types.js';
import { artifacts } from '../artifacts/fg.js';
import { loadResult } from '../artifacts/result.js';
import type { ArtifactRecord } from '../artifacts/types.js';
import type { ComputeOptions } from '../artifacts/store.js';
import type { CallOptions } from '../compute/call.js';
import { loadFeatureMap } from '../correlation/artifact.js';
import type { PairedMap } from '../correlation/types.js';
import { loadCrosscoder } from '../crosscoder/crosscoder.js';
import type { Crosscoder } from '../crosscoder/types.js';
import type { JointMap } from '../interventions/joint.js';
import { loadLens } from '../mapper/lensSaved.js';
import { loadGraph } from '../mapper/saved.js';
import { CALL, words } from '../verb/common.js';
import type { Environment } from '../verb/environment.js';
import { namespace, type Namespace } from '../verb/namespace.js';
import { choice } from '../verb/option.js';
import { byKind, verb } from '../verb/verb.js';
import { loadLayout } from '../maps/saved.js';
import { setDisplay } from '../present/items.js';
import { worldItems } from '../present/synthetic.js';
import type { Conformance } from '../sae/conformance.js';
import { loadTrained, type TrainedSae } from '../sae/keptTraining.js';
import { loadMutual, type MutualSaes } from '../synthetic/recovery/mutual.js';
import type { Recovery } from '../synthetic/recovery/recovery.js';
import { loadWorld } from '../synthetic/world/kept.js';
import type { GeneratedWorld } from '../synthetic/world/world.js';
import type { rooms } from './rooms.js';

type VerbOf<N> = N extends Namespace<infer V> ? V[keyof V] : never;
/** Kind and result type of a verb that keeps its results. */
type Kept<V> = V extends { readonly types?: { kind: infer K; result: infer R } }
  ? [K] extends [never]
    ? never
    : { kind: K; result: Awaited<R> }
  : never;
type KeptByVerbs = Kept<VerbOf<(typeof rooms)[keyof typeof rooms]>>;

/** The types of loaded artifacts, by kind, of rooms that keep them by functions of their own. */
export interface LoadedByRooms {
  activations: SparseActivations;
  sae: TrainedSae;
  crosscoder: Crosscoder;
  /** Comes with the two stores that it was made from. */
  correlation: PairedMap;
  /** Comes without the tokens that it was drawn from. */
  'joint-map': JointMap;
  /** Made again from its options. */
  world: GeneratedWorld;
  /** What one cell of a sweep recovered. */
  'sweep-cell': Recovery;
  /** The SAEs of one coupling. */
  mfr: MutualSaes;
  conformance: Conformance;
}

/** The types of all loaded artifacts by kind: these, and the results of verbs with `keep`. */
export type LoadedByKind = LoadedByRooms & { [K in KeptByVerbs as K['kind'] & string]: K['result'] };

type Own = LoadedByRooms & Pick<LoadedByKind, 'layout' | 'mapper' | 'lens'>;
type Reader<T> = Pick<ComputeOptions<T>, 'load' | 'lazy'>;

/** Kinds that are no results of their own, with what they are and what to load or call instead. */
const NO_RESULTS: Readonly<Record<string, string>> = {
  map: 'is what an output shows, not a result; load the layout, map or graph that it was drawn from',
  graph: 'is what an output shows, not a result; load the layout, map or graph that it was drawn from',
  'training-activations': 'is what trainings read, not a result; fg.sae.train with { cache } reads it',
  shard: 'is a part of a call that was split, not a result; load what the call itself gives, or call it again',
  calls: 'says that calls of fg.cluster.each are done and holds no result; the same call gives them again',
};

/** How to read the kinds that are not plain results. */
function readers(env: Environment, call: CallOptions): { [K in keyof Own]: Reader<Own[K]> } {
  const activations: Reader<SparseActivations> = {
    lazy: isShard,
    load: (folder, record) => openActivations(folder, undefined, record.files),
  };
  const store = async (id: string | undefined, side: string): Promise<SparseActivations> => {
    if (id === undefined) throw new Error(`its record does not say which activations were ${side}`);
    return (await env.store.open<SparseActivations>(id, () => activations)).value;
  };
  return {
    activations,
    sae: { load: loadTrained },
    crosscoder: { load: loadCrosscoder },
    correlation: {
      load: async (folder, { inputs }) => ({
        ...(await loadFeatureMap(folder)),
        a: await store(inputs.a, 'A'),
        b: await store(inputs.b, 'B'),
      }),
    },
    layout: { load: async (folder, { inputs }) => ({ ...(await loadLayout(folder)), rows: inputs.rows }) },
    mapper: { load: loadGraph },
    lens: { load: loadLens },
    world: {
      async load(_, record) {
        const made = await loadWorld(env, record, call);
        setDisplay(made, () => worldItems(made));
        return made;
      },
    },
    mfr: { load: loadMutual },
    'joint-map': { load: loadResult<JointMap> },
    'sweep-cell': { load: loadResult<Recovery> },
    conformance: { load: loadResult<Conformance> },
  };
}

function readerOf(env: Environment, { kind, id }: ArtifactRecord, call: CallOptions): Reader<object> {
  const known = readers(env, call);
  if (Object.hasOwn(known, kind)) return known[kind as keyof Own];
  if (Object.hasOwn(NO_RESULTS, kind)) throw new Error(`${kind} ${id.slice(0, 8)} ${NO_RESULTS[kind]}`);
  return { load: (folder) => loadResult(folder) };
}

const load = (kinds: readonly string[]) =>
  byKind<LoadedByKind>()(
    verb({
      doc: 'A kept result by its id or the first 8 digits of it or more: a store, a correlation map with its stores, a layout, an SAE with its history, a Mapper graph, a lens, a world, or any other result as it was returned. A world and an SAE are also found by the id that they carry. With `kind` the editor knows what it is. Cells say the id when a result is loaded from the cache; fg.artifacts.list has all.',
      args: [words('id', 'Id of the artifact, 8 to 64 hex digits.')],
      options: {
        kind: {
          ...choice(kinds, { doc: 'What it must be: another kind is refused.', fallback: 'any kind' }),
          telling: true,
        },
        ...CALL,
      },
      errors: [
        'An unknown id, two that begin alike, another kind and damaged files are refused by name.',
        'A world whose options give another one in this version is refused.',
      ],
      run: async ({ env, options, call }, id): Promise<LoadedByKind[keyof LoadedByKind]> => {
        const { value } = await env.store.open<object>(id, (record) => {
          if (options.kind !== undefined && record.kind !== options.kind)
            throw new Error(
              `artifact ${id} is of kind "${record.kind}"${record.title ? ` (${record.title})` : ''}; expected "${options.kind}"`,
            );
          return readerOf(env, record, call);
        });
        return value as LoadedByKind[keyof LoadedByKind];
      },
    }),
  );

const note = verb({
  doc: 'Writes a note into the record of a result, with the key figures told so far; fg.artifacts.list({ search }) finds it by its words.',
  args: [words('id', 'Id of the artifact, 8 to 64 hex digits.'), words('note', 'The note; an empty text removes it.')],
  options: { ...CALL },
  run: ({ env }, id, said) => env.store.annotate(id, said),
});

/**
 * fg.artifacts with load and note: loading results needs all rooms, the other verbs need none. `kinds`: the kinds that
 * verbs keep.
 */
export function artifactsOf(kinds: readonly string[]) {
  const known = kinds.filter((kind) => !Object.hasOwn(NO_RESULTS, kind)).sort();
  const kept = artifacts(kinds);
  return namespace({ ...kept, verbs: { ...kept.verbs, load: load(known), note } });
}
