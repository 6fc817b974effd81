/** fg.artifacts.load and note: any kept result by its id, and what someone wrote about it. */
import { openActivations, isShard } from '../activations/store.js';
import type { SparseActivations } from '../activations/types.js';
import { artifacts } from '../artifacts/fg.js';
import { loadResult } from '../artifacts/result.js';
import type { ArtifactRecord } from '../artifacts/types.js';
import type { ComputeOptions } from '../artifacts/store.js';
import { loadFeatureMap } from '../correlation/artifact.js';
import type { PairedMap } from '../correlation/types.js';
import { loadLens } from '../mapper/lensSaved.js';
import { loadGraph } from '../mapper/saved.js';
import type { LensValues, MapperGraph } from '../mapper/types.js';
import type { Layout } from '../maps/types.js';
import { CALL, words } from '../verb/common.js';
import type { Environment } from '../verb/environment.js';
import { namespace } from '../verb/namespace.js';
import { text } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { loadLayout } from '../maps/saved.js';
import { loadTrained, type TrainedSae } from '../sae/fgTrain.js';

/** What an artifact of a kind is when it is loaded; other kinds are plain results. */
export interface LoadedByKind {
  activations: SparseActivations;
  sae: TrainedSae;
  /** With the two stores that it was made from. */
  correlation: PairedMap;
  layout: Layout;
  mapper: MapperGraph;
  lens: LensValues;
}

type Kind = keyof LoadedByKind;
type Reader<T> = Pick<ComputeOptions<T>, 'load' | 'lazy'>;

/** Kinds that are what outputs refer to: pictures and their columns, not results. */
const VIEWS = ['map', 'graph'];

function readers(env: Environment): { [K in Kind]: Reader<LoadedByKind[K]> } {
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
  };
}

function readerOf(env: Environment, { kind, id }: ArtifactRecord): Reader<object> {
  const known = readers(env);
  if (Object.hasOwn(known, kind)) return known[kind as Kind];
  if (VIEWS.includes(kind))
    throw new Error(
      `${kind} ${id.slice(0, 8)} is what an output shows, not a result; load the layout, map or graph that it was drawn from`,
    );
  return { load: (folder) => loadResult(folder) };
}

const load = verb({
  doc: 'A kept result by its id or the first 8 digits of it or more: a store, a correlation map with its stores, a layout, an SAE with its history, a Mapper graph, a lens, or any other result as it was returned. Cells say the id when a result is loaded from the cache; fg.artifacts.list has all.',
  args: [words('id', 'Id of the artifact, 8 to 64 hex digits.')],
  options: {
    kind: text({ doc: 'What it must be: another kind is refused.', fallback: 'any kind' }),
    ...CALL,
  },
  errors: ['An unknown id, two that begin alike, another kind and damaged files are refused by name.'],
  run: async ({ env, options }, id): Promise<object> => {
    const { value } = await env.store.open<object>(id, (record) => {
      if (options.kind !== undefined && record.kind !== options.kind)
        throw new Error(
          `artifact ${id} is of kind "${record.kind}"${record.title ? ` (${record.title})` : ''}; expected "${options.kind}"`,
        );
      return readerOf(env, record);
    });
    return value;
  },
});

const note = verb({
  doc: 'Writes a note into the record of a result, with the key figures told so far; fg.artifacts.list({ search }) finds it by its words.',
  args: [words('id', 'Id of the artifact, 8 to 64 hex digits.'), words('note', 'The note; an empty text removes it.')],
  options: { ...CALL },
  run: ({ env }, id, said) => env.store.annotate(id, said),
});

/** fg.artifacts whole: what loads results knows all rooms, the rest of it knows none. `kinds`: those that verbs keep. */
export function artifactsOf(kinds: readonly string[]) {
  const kept = artifacts(kinds);
  return namespace({ ...kept, verbs: { ...kept.verbs, load, note } });
}
