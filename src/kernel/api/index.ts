/**
 * The `fg` facade: what a cell sees, also importable (`import { sae, correlation } from 'fg'`). Thin: each namespace binds
 * a room to the running session (progress, cancel, artifacts, outputs).
 */
import { initDevice } from '../compute/device.js';
import { tf } from '../compute/tf.js';
import { attributionApi, type AttributionApi } from './attribution.js';
import type { SessionContext } from '../verb/context.js';
import { correlationApi, type CorrelationApi } from './correlation.js';
import { effectsApi, type EffectsApi } from './effects.js';
import { Environment } from '../verb/environment.js';
import { interventionsApi, type InterventionsApi } from './interventions.js';
import { labApi, type LabApi } from './lab.js';
import { namespaces } from './namespaces.js';
import { jointMapsApi, type JointMapsApi } from './jointMaps.js';
import { mapsApi, type MapsApi } from './maps.js';
import { recoveryApi, type RecoveryApi } from './recovery.js';
import { showApi, type ShowApi } from './show.js';
import { syntheticApi, type SyntheticApi } from './synthetic.js';
import { bind, type Bound } from '../verb/namespace.js';

type RootVerbs = Bound<typeof namespaces.fg>;

/** Feature Geometry: what a notebook cell sees. */
export interface Fg extends RootVerbs {
  /** Language models with hook points. */
  readonly models: Bound<typeof namespaces.models>;
  /** Texts that any model can tokenize, once per tokenizer. */
  readonly datasets: Bound<typeof namespaces.datasets>;
  /** Sparse autoencoders: train, load, save, evaluate. */
  readonly sae: Bound<typeof namespaces.sae>;
  /** Feature activations over many tokens, kept sparse, and the dataset examples in them. */
  readonly activations: Bound<typeof namespaces.activations>;
  readonly correlation: CorrelationApi;
  readonly maps: MapsApi;
  /** Mapper: the shape of points as a graph of overlapping clusters. */
  readonly mapper: Bound<typeof namespaces.mapper>;
  /** Change activations and see what moves. */
  readonly interventions: InterventionsApi & EffectsApi & AttributionApi & JointMapsApi & LabApi;
  readonly show: ShowApi;
  /** Ground truth: worlds with known features, and how much of them is found. */
  readonly synthetic: SyntheticApi & RecoveryApi;
  /** Results on disk, with identity and provenance. */
  readonly artifacts: Bound<typeof namespaces.artifacts>;
  /** What computes. */
  readonly device: Bound<typeof namespaces.device>;
}

/** Starts the device and binds the facade to a session. */
export async function createFg(
  context: SessionContext,
  options: { device?: 'auto' | 'cuda' | 'webgpu' | 'cpu' } = {},
): Promise<Fg> {
  await initDevice({ device: options.device, notebookFolder: context.notebookFolder });
  const env = new Environment(context);
  return {
    ...bind(env, namespaces.fg),
    models: bind(env, namespaces.models),
    datasets: bind(env, namespaces.datasets),
    sae: bind(env, namespaces.sae),
    activations: bind(env, namespaces.activations),
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
    artifacts: bind(env, namespaces.artifacts),
    device: bind(env, namespaces.device),
  };
}

/** Names that every cell has: `fg` and `tf`. */
export async function createGlobals(
  context: SessionContext,
  options: { device?: 'auto' | 'cuda' | 'webgpu' | 'cpu' } = {},
): Promise<Record<string, unknown>> {
  return { fg: await createFg(context, options), tf };
}
