/** Model → hook → SAE → sparse store: the artifact that all later views are joins of. */
import type { CallOptions } from '../compute/call.js';
import { graphDevice } from '../compute/graphs/current.js';
import type { GraphDevice } from '../compute/graphs/host.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import type { SparseRows } from '../compute/sparse.js';
import type { ArtifactStore } from '../artifacts/store.js';
import { matrixId } from '../io/hash.js';
import type { ArtifactKey, ArtifactRecord } from '../artifacts/types.js';
import { describeAll, editsOf, identityOf, listOf, requireRunnable } from '../models/edits.js';
import { ignoredPositions, ignoringParameters } from '../models/ignored.js';
import { unlikelyText } from '../models/tokenLoss.js';
import { TransformerModel } from '../models/transformer.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import { requirePairing } from '../sae/conformance.js';
import { CONFORMANCE, conformanceWarnings, interventionsOption } from '../sae/pairing.js';
import { requireModelOfSae } from '../sae/ofModel.js';
import { COUNTED, leftOut } from '../sae/trainedOn.js';
import { pairTitle } from '../sae/title.js';
import type { Sae, SaeConfig } from '../sae/types.js';
import { captureActivations, capturedWidth, type CaptureOptions } from '../models/capture.js';
import { captureOnDevice, runsOnCpu } from '../models/captureOnDevice.js';
import { deviceEncoder, encodesOnDevice } from '../sae/deviceEncoders.js';
import type { KEPT } from '../verb/common.js';
import { flag, text, whole, type Given } from '../verb/option.js';
import { density, meanL0 } from './statistics.js';
import { isShard, openActivations } from './store.js';
import { writeActivations, type WriteOptions } from './write.js';
import type { ActivationsMeta, SparseActivations } from './types.js';

/** Bumped when the same inputs give other activations. */
const CODE_VERSION = 2;
/** Code version of stores with ignored rows: 3 writes which rows these are. */
const IGNORING_VERSION = 3;

/** Rows of what is left out (COUNTED) are stored without entries, as padding is; meta.ignored counts them. */
export const SAVE = {
  hook: text({ doc: 'Hook to encode.', fallback: 'the hook that the SAE was trained on' }),
  batchTokens: whole({ doc: 'Tokens per forward pass.', min: 1, usual: 2048, identity: false }),
  allowOtherModel: flag({
    doc: 'Encode with an SAE that was trained on another model, such as a fine-tuned sibling; refused otherwise.',
    usual: false,
    identity: false,
  }),
  ...COUNTED,
  ...CONFORMANCE,
  interventions: interventionsOption("Changes to the model's activations while it runs, in order."),
} as const;

export type SaveActivationsOptions = Given<typeof SAVE> & Given<typeof KEPT>;

export interface SavedActivations {
  activations: SparseActivations;
  /** True when an earlier run's result was loaded. */
  cached: boolean;
  record: ArtifactRecord;
  /** Mean number of features that fire on a token. */
  l0: number;
  /** Share of non-zero entries, 0 to 1. */
  density: number;
  /** Signs that the SAE does not belong to these activations; show them. */
  warnings: string[];
}

/**
 * Encodes a token set with an SAE at its hook and stores the sparse activations as an artifact, streamed shard by
 * shard; the same call again loads it. Throws before any forward pass when the SAE's width is not the hook's, when the
 * SAE is known to come from another model (see allowOtherModel), when the tokens are another tokenizer's, or when an
 * intervention cannot act on them; and on the first NaN or infinity, with its place. A failed or aborted run leaves no
 * artifact.
 * @param made gives the rows where they are made already: those of shards, in order
 */
export async function saveActivations(
  model: LanguageModel,
  sae: Sae,
  tokens: TokenSet,
  store: ArtifactStore,
  options: SaveActivationsOptions = {},
  made?: () => AsyncIterable<SparseRows>,
): Promise<SavedActivations> {
  const hook = options.hook ?? sae.config.hookName;
  requirePairing(model, sae, tokens, hook);
  requireModelOfSae(sae, model, options.allowOtherModel);
  const interventions = listOf(options.interventions);
  requireRunnable(model, interventions, tokens);
  const fit = await fitWarnings({ model, sae, tokens, hook }, store, options);
  const ignored = ignoredPositions(tokens, leftOut(tokens, sae, options));
  let unlikely: string | undefined;
  const key = activationsKey(model, sae, tokens, options);
  const { value, record, cached } = await store.compute<SparseActivations>(key, {
    fresh: options.fresh,
    title: `${pairTitle(model, hook, sae)}${interventions.length > 0 ? `, ${describeAll(interventions)}` : ''}`,
    async make(folder) {
      if (model instanceof TransformerModel) unlikely = await unlikelyText(model, tokens, options);
      const rows = made?.() ?? encodeTokens(model, sae, tokens, hook, options);
      await writeActivations(folder, rows, {
        ...writeOptions({ model, sae, tokens, hook }),
        ...{ signal: options.signal, onProgress: made && options.onProgress, ignored, id: store.idOf(key) },
      });
    },
    lazy: isShard,
    load: (folder, record) => openActivations(folder, tokens.tokenizer, record.files),
  });
  return {
    activations: value,
    cached,
    record,
    l0: meanL0(value.meta),
    density: density(value.meta),
    // Both checks look at L0: a warning about the sample is not repeated for all tokens.
    warnings: [...(unlikely ? [unlikely] : []), ...(fit.length > 0 ? fit : densityWarnings(value.meta, sae.config))],
  };
}

function fitWarnings(
  pairing: Parameters<typeof conformanceWarnings>[0],
  store: ArtifactStore,
  { conformance = CONFORMANCE.conformance.usual, signal }: SaveActivationsOptions,
): Promise<string[]> {
  return conformance ? conformanceWarnings(pairing, store, { signal }) : Promise.resolve([]);
}

/** Identity of the store that a call gives. */
export function activationsKey(
  model: LanguageModel,
  sae: Sae,
  tokens: TokenSet,
  options: SaveActivationsOptions,
): ArtifactKey {
  const interventions = listOf(options.interventions);
  const ignoring = leftOut(tokens, sae, options);
  return {
    kind: 'activations',
    parameters: {
      hook: options.hook ?? sae.config.hookName,
      sequences: tokens.sequences,
      context: tokens.context,
      ...(interventions.length > 0 ? { interventions: identityOf(model, interventions) } : {}),
      ...ignoringParameters(ignoring),
      // Other devices round otherwise: a few entries that hardly fire may differ.
      ...(placeOf(model, sae, options) === 'cpu' ? {} : { device: placeOf(model, sae, options) }),
    },
    inputs: { model: model.id, sae: sae.id, tokens: tokens.id, tokenizer: tokens.tokenizer.id },
    codeVersion: ignoredPositions(tokens, ignoring) ? IGNORING_VERSION : CODE_VERSION,
  };
}

/** The options of the writer: the tokens, and what the store records of where it came from. */
export function writeOptions({
  model,
  sae,
  tokens,
  hook,
}: Pick<Encoded, 'model' | 'sae' | 'tokens'> & { hook: string }): Omit<
  WriteOptions,
  keyof CallOptions | 'ignored' | 'id'
> {
  return {
    features: sae.config.dSae,
    tokenIds: tokens.tokens,
    context: tokens.context,
    hook,
    model: { name: model.name, id: model.id },
    sae: { name: sae.name, id: sae.id, decoder: matrixId(sae.W_dec) },
    tokenSet: { id: tokens.id, tokenizer: tokens.tokenizer.id },
    piece: (id) => tokens.tokenizer.piece(id),
  };
}

/** What is encoded. */
export interface Encoded {
  model: LanguageModel;
  sae: Sae;
  tokens: TokenSet;
}

/** Rows of the sequences `firstSequence` … , all of them by default, block by block. */
export async function* encodeTokens(
  model: LanguageModel,
  sae: Sae,
  tokens: TokenSet,
  hook: string,
  options: SaveActivationsOptions & Pick<CaptureOptions, 'firstSequence' | 'sequences'>,
): AsyncGenerator<SparseRows> {
  const { batchTokens, signal, onProgress, firstSequence, sequences } = options;
  const edits = editsOf(listOf(options.interventions));
  const capture = { batchTokens, signal, onProgress, edits, firstSequence, sequences };
  const device = graphDevice('encoding');
  if (device && model instanceof TransformerModel && placeOf(model, sae, options) !== 'cpu')
    return yield* encodeOnDevice(device, { model, sae, tokens }, hook, capture);
  for await (const { firstToken, x } of captureActivations(model, tokens, hook, capture)) {
    requireFinite(x, firstToken, tokens.context, `${model.name} ${hook}`);
    yield sae.encode(x);
  }
}

/** Where encodeTokens runs: graphs leave out what acts on tensors of the CPU. */
function placeOf(model: LanguageModel, sae: Sae, { interventions }: SaveActivationsOptions): string {
  const device = graphDevice('encoding');
  const onCpu = !device || !encodesOnDevice(sae) || runsOnCpu(model, editsOf(listOf(interventions))) !== undefined;
  return onCpu ? 'cpu' : device.provider;
}

/** Hook and features stay on the device; what fires leaves it. */
async function* encodeOnDevice(
  device: GraphDevice,
  { model, sae, tokens }: Encoded & { model: TransformerModel },
  hook: string,
  capture: CaptureOptions,
): AsyncGenerator<SparseRows> {
  const encoder = deviceEncoder(device, sae);
  const width = capturedWidth(model, hook);
  for await (const { firstToken, rows, xs } of captureOnDevice(device, model, tokens, [hook], capture)) {
    const [x] = xs;
    const { sizes, ...entries } = await encoder.encode({ rows, x }, capture);
    if (!sizes.every(Number.isFinite)) {
      const values = (await device.download(x)).data as Float32Array;
      requireFinite(matrix(rows, width, values), firstToken, tokens.context, `${model.name} ${hook}`);
    }
    yield entries;
  }
}

function requireFinite(x: Matrix, firstToken: number, context: number, what: string): void {
  for (let i = 0; i < x.data.length; i++) {
    if (Number.isFinite(x.data[i])) continue;
    const token = firstToken + Math.floor(i / x.cols);
    throw new Error(
      `${what} is ${x.data[i]} at sequence ${Math.floor(token / context)}, position ${token % context}, ` +
        `dimension ${i % x.cols}; nothing was saved. Check the model's weights and any edits`,
    );
  }
}

/** L0 may differ from training by this factor before it is worth a warning: other text, other context length. */
const L0_FACTOR = 4;
/** No SAE of this many features should fire on this share of them; a wrong SAE does (34 % where 0.2 % is right). */
const SUSPICIOUS = { features: 1024, density: 0.1 };

/**
 * Signs that an SAE met activations it was not trained on: its L0 against k (topk), against the L0 at the
 * end of training (metadata.training.finalL0), or a density that no sparse code has. Empty when nothing is odd.
 */
export function densityWarnings(
  meta: ActivationsMeta,
  config: Pick<SaeConfig, 'k' | 'architecture' | 'metadata'>,
): string[] {
  const warnings: string[] = [];
  const l0 = meanL0(meta);
  const share = `${(100 * density(meta)).toPrecision(3)} % of ${meta.features} features`;
  const trained = trainingL0(config.metadata);
  if (meta.tokens === 0) return warnings;
  if (config.architecture === 'topk' && config.k !== undefined && (l0 < config.k / L0_FACTOR || l0 > config.k)) {
    warnings.push(`L0 is ${l0.toPrecision(3)} (${share}) where the SAE keeps the top ${config.k}`);
  }
  if (trained !== undefined && (l0 < trained / L0_FACTOR || l0 > trained * L0_FACTOR)) {
    warnings.push(`L0 is ${l0.toPrecision(3)} (${share}) where training ended at ${trained.toPrecision(3)}`);
  }
  if (meta.features >= SUSPICIOUS.features && density(meta) > SUSPICIOUS.density && warnings.length === 0) {
    warnings.push(`${share} fire on a token, far from sparse`);
  }
  return warnings.map((w) => `${w}: is ${meta.sae.name} the SAE for ${meta.hook} of ${meta.model.name}?`);
}

/** `training.finalL0` is what trainSae records. */
function trainingL0(metadata: SaeConfig['metadata']): number | undefined {
  const { training } = metadata;
  const value =
    typeof training === 'object' && training !== null && !Array.isArray(training) ? training.finalL0 : undefined;
  return typeof value === 'number' && value > 0 ? value : undefined;
}
