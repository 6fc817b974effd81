/**
 * The `fg` facade: what a cell sees, also importable (`import { sae, correlation } from 'fg'`). Only a list: the
 * contents of each namespace are declared in its room.
 */
import { spreader } from '../cluster/spread.js';
import { initDevice } from '../compute/device.js';
import { tf } from '../compute/tf.js';
import { bindCall, type BoundCall } from '../verb/called.js';
import type { SessionContext } from '../verb/context.js';
import { Environment } from '../verb/environment.js';
import { bind, type Bound } from '../verb/namespace.js';
import { namespaces } from './namespaces.js';

type RootVerbs = Bound<typeof namespaces.fg>;

/** Feature Geometry: what a notebook cell sees. */
export interface Fg extends RootVerbs {
  /** Language models with hook points. */
  readonly models: Bound<typeof namespaces.models>;
  /** Texts that any model can tokenize, once per tokenizer. */
  readonly datasets: Bound<typeof namespaces.datasets>;
  /** Sparse autoencoders: train, load, save, evaluate. */
  readonly sae: Bound<typeof namespaces.sae>;
  /** Arrays of other programs, read as data. */
  readonly arrays: Bound<typeof namespaces.arrays>;
  /** Feature activations over many tokens, kept sparse, and the dataset examples in them. */
  readonly activations: Bound<typeof namespaces.activations>;
  /** Which feature of A is which of B, and how alike the two geometries are. */
  readonly correlation: Bound<typeof namespaces.correlation>;
  /** Two-dimensional layouts of rows. */
  readonly maps: Bound<typeof namespaces.maps>;
  /** Mapper: the shape of points as a graph of overlapping clusters. */
  readonly mapper: Bound<typeof namespaces.mapper>;
  /** Change activations and see what moves. */
  readonly interventions: Bound<typeof namespaces.interventions>;
  /** The one way to look: draws what fg returned, rows and charts in the running cell. */
  readonly show: BoundCall<typeof namespaces.show>;
  /** Ground truth: worlds with known features, and how much of them is found. */
  readonly synthetic: Bound<typeof namespaces.synthetic>;
  /** Crosscoders: one dictionary of several models or layers. */
  readonly crosscoder: Bound<typeof namespaces.crosscoder>;
  /** Work that is spread over shards. */
  readonly cluster: Bound<typeof namespaces.cluster>;
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
  const env = new Environment(context, spreader({ print: (line) => context.print(line), planOnly: context.planOnly }));
  return {
    ...bind(env, namespaces.fg),
    models: bind(env, namespaces.models),
    datasets: bind(env, namespaces.datasets),
    sae: bind(env, namespaces.sae),
    arrays: bind(env, namespaces.arrays),
    activations: bind(env, namespaces.activations),
    correlation: bind(env, namespaces.correlation),
    maps: bind(env, namespaces.maps),
    mapper: bind(env, namespaces.mapper),
    interventions: bind(env, namespaces.interventions),
    show: bindCall(env, namespaces.show),
    synthetic: bind(env, namespaces.synthetic),
    crosscoder: bind(env, namespaces.crosscoder),
    cluster: bind(env, namespaces.cluster),
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
