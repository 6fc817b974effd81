/**
 * The `fg` facade: what a cell sees, also importable (`import { sae, correlation } from 'fg'`). Thin: each namespace binds
 * a room to the running session (progress, cancel, artifacts, outputs).
 */
import { searchRecords } from '../artifacts/search.js';
import type { ArtifactRecord } from '../artifacts/types.js';
import { currentDevice, initDevice, type DeviceReport } from '../compute/device.js';
import { tf } from '../compute/tf.js';
import { activationsApi, type ActivationsApi } from './activations.js';
import { attributionApi, type AttributionApi } from './attribution.js';
import type { SessionContext } from '../verb/context.js';
import { correlationApi, type CorrelationApi } from './correlation.js';
import { datasetsApi, type DatasetsApi } from './datasets.js';
import { effectsApi, type EffectsApi } from './effects.js';
import { Environment } from '../verb/environment.js';
import { load, note, type LoadArtifact } from './fgArtifacts.js';
import { requireOptions } from './given.js';
import { interventionsApi, type InterventionsApi } from './interventions.js';
import { labApi, type LabApi } from './lab.js';
import { namespaces } from './namespaces.js';
import { jointMapsApi, type JointMapsApi } from './jointMaps.js';
import { mapsApi, type MapsApi } from './maps.js';
import { modelsApi, type ModelsApi } from './models.js';
import { recoveryApi, type RecoveryApi } from './recovery.js';
import { saeApi, type SaeApi } from './sae.js';
import { showApi, type ShowApi } from './show.js';
import { syntheticApi, type SyntheticApi } from './synthetic.js';
import { bind, type Bound } from '../verb/namespace.js';
import type { Call } from '../verb/verb.js';

export interface PruneOptions {
  /** Days without use; 0 = all. */
  unusedDays: number;
  /** "sae", "activations", "correlation", "layout", "map", "mapper", "lens", "persistence", "graph"; default all kinds. */
  kinds?: readonly string[];
}

export interface ListOptions {
  /** Words that must all occur in id, kind, title, note, cell, key figures or parameters; case does not count. */
  search?: string;
}

/** Results on disk, with identity and provenance. */
export interface ArtifactsApi {
  /** Folder that holds them. */
  readonly folder: string;
  /** Records in the artifact folder, newest first; `search`: those that hold all its words, notes and titles included. */
  list(options?: ListOptions): Promise<ArtifactRecord[]>;
  /**
   * A kept result by its id, or its first 8 digits or more: a store, map, layout, SAE, graph, or any other. `kind`: what
   * it must be. Damaged files and another kind are refused.
   */
  load: LoadArtifact;
  /** Writes a note into the record of a result, with the key figures told so far. */
  note: Call<typeof note>;
  /** The record and folder of an id, or of its first 8 digits or more; undefined when there is none. */
  find(id: string): Promise<{ record: ArtifactRecord; folder: string } | undefined>;
  /** Deletes artifacts that were neither made nor loaded for some days; returns the records of what went. */
  prune(options: PruneOptions): Promise<ArtifactRecord[]>;
}

/** What computes. */
export interface DeviceApi {
  /** What computes, and why nothing better does. */
  info(): DeviceReport;
}

/** Feature Geometry: what a notebook cell sees. */
export interface Fg {
  readonly models: ModelsApi;
  readonly datasets: DatasetsApi;
  readonly sae: SaeApi;
  /** Arrays of other programs, read as data. */
  readonly arrays: Bound<typeof namespaces.arrays>;
  readonly activations: ActivationsApi;
  readonly correlation: CorrelationApi;
  readonly maps: MapsApi;
  /** Mapper: the shape of points as a graph of overlapping clusters. */
  readonly mapper: Bound<typeof namespaces.mapper>;
  /** Change activations and see what moves. */
  readonly interventions: InterventionsApi & EffectsApi & AttributionApi & JointMapsApi & LabApi;
  readonly show: ShowApi;
  /** Ground truth: worlds with known features, and how much of them is found. */
  readonly synthetic: SyntheticApi & RecoveryApi;
  readonly artifacts: ArtifactsApi;
  readonly device: DeviceApi;
  /** A key figure of the notebook: `fgnb run` prints them together at the end; the same name again replaces. */
  keyFigure(name: string, value: string | number): void;
}

/** Starts the device and binds the facade to a session. */
export async function createFg(
  context: SessionContext,
  options: { device?: 'auto' | 'cuda' | 'webgpu' | 'cpu' } = {},
): Promise<Fg> {
  await initDevice({ device: options.device, notebookFolder: context.notebookFolder });
  const env = new Environment(context);
  return {
    models: modelsApi(env),
    datasets: datasetsApi(env),
    sae: saeApi(env),
    arrays: bind(env, namespaces.arrays),
    activations: activationsApi(env),
    correlation: correlationApi(env),
    maps: mapsApi(env),
    mapper: bind(env, namespaces.mapper),
    interventions: {
      ...interventionsApi(env),
      ...effectsApi(env),
      ...attributionApi(env),
      ...jointMapsApi(env),
      ...labApi(env),
    },
    show: showApi(env),
    synthetic: { ...syntheticApi(env), ...recoveryApi(env) },
    artifacts: {
      folder: env.store.folder,
      list: async (o) => {
        requireOptions('fg.artifacts.list', o, { search: true });
        const records = await env.store.list();
        return o?.search === undefined ? records : searchRecords(records, o.search);
      },
      load: load.bind(env, 'fg.artifacts.load') as LoadArtifact,
      note: note.bind(env, 'fg.artifacts.note') as Call<typeof note>,
      find: (id) => env.store.find(id),
      prune: (o) => env.store.prune(o),
    },
    device: { info: currentDevice },
    keyFigure: (name, value) => context.keyFigure(name, String(value)),
  };
}

/** Names that every cell has: `fg` and `tf`. */
export async function createGlobals(
  context: SessionContext,
  options: { device?: 'auto' | 'cuda' | 'webgpu' | 'cpu' } = {},
): Promise<Record<string, unknown>> {
  return { fg: await createFg(context, options), tf };
}
