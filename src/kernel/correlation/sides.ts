/** Two sides of a map with their SAEs and, where there are any, their models. */
import type { SparseActivations } from '../activations/types.js';
import { requireSame } from '../artifacts/store.js';
import type { CallOptions } from '../compute/call.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { captureActivations } from '../models/capture.js';
import { createTokenSet } from '../models/datasets.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import type { Pairing } from '../sae/pairing.js';
import type { Sae } from '../sae/types.js';
import { requireThing, thing, type Arg } from '../verb/common.js';
import type { PairedMap } from './types.js';

/** A side of a map. */
export interface MapSide {
  /** The SAE whose features the map has on this side. */
  readonly sae: Sae;
  /** The model whose activations it reads; without it, decoder rows alone are looked at. */
  readonly model?: LanguageModel;
}

/** The argument for one side of a map. @throws TypeError for members other than `sae` and `model` */
export const sideArg = (name: string, side: string): Arg<MapSide> =>
  thing<MapSide>(
    name,
    `Side ${side}: { sae, model }, what fg.sae and fg.models loaded; without model, decoder rows alone are looked at.`,
    (given, at) => {
      // prettier-ignore
      const odd = Object.keys(given).filter((key) => key !== 'sae' && key !== 'model');
      if (odd.length > 0) throw new TypeError(`${at} has ${odd.join(', ')}; expected { sae, model }`);
      requireThing(given.sae, `${at}.sae`);
      if (given.model !== undefined) requireThing(given.model, `${at}.model`);
      return given;
    },
  );

/** @throws when the map's side was made with another SAE, or the model reads other tokens than the map's stores hold */
export function requireSide({ sae, model }: MapSide, { meta }: SparseActivations, side: string): void {
  requireSame(
    `the map's side ${side} was made with another SAE`,
    { name: `activations of ${meta.sae.name}`, id: meta.sae.id },
    { name: `SAE ${sae.name}`, id: sae.id },
  );
  if (model && model.tokenizer.id !== meta.tokenSet.tokenizer)
    throw new Error(
      `side ${side}: the activations hold tokens of tokenizer ${meta.tokenSet.tokenizer} but model ${model.name} reads ${model.tokenizer.id}; give the model that they were saved from`,
    );
}

/** Some sequences of a store as tokens of its model. */
export async function storedTokens(
  store: SparseActivations,
  model: LanguageModel,
  sequences: readonly number[],
): Promise<TokenSet> {
  // prettier-ignore
  const { context } = store.meta;
  const ids = await store.tokenIds();
  const ignored = await store.ignored();
  const tokens = new Int32Array(sequences.length * context);
  const padding = new Uint8Array(tokens.length);
  sequences.forEach((s, i) => {
    tokens.set(ids.subarray(s * context, (s + 1) * context), i * context);
    if (ignored) padding.set(ignored.subarray(s * context, (s + 1) * context), i * context);
  });
  return createTokenSet(tokens, sequences.length, context, model.tokenizer, {
    ...(ignored ? { padding } : {}),
    source: { kind: 'stored tokens', activations: store.id },
  });
}

/** Activations at the SAE's hook on some sequences of a store, [tokens × width]. */
export async function activationsOf(
  { sae, model }: Required<MapSide>,
  store: SparseActivations,
  sequences: readonly number[],
  call: CallOptions,
): Promise<Matrix> {
  // prettier-ignore
  const hook = sae.config.hookName || store.meta.hook;
  const tokens = await storedTokens(store, model, sequences);
  const out = matrix(tokens.tokens.length, sae.config.dIn);
  for await (const { firstToken, x } of captureActivations(model, tokens, hook, call)) {
    if (x.cols !== out.cols)
      throw new RangeError(`${hook} of ${model.name} is ${x.cols} wide but ${sae.name} reads ${out.cols}`);
    out.data.set(x.data, firstToken * x.cols);
  }
  return out;
}

/** The pairings of both sides, for conformance. */
export async function sidePairings(a: MapSide, b: MapSide, map: PairedMap): Promise<Pairing[]> {
  const pairings: Pairing[] = [];
  for (const [side, store] of [
    [a, map.a],
    [b, map.b],
  ] as const) {
    // prettier-ignore
    if (!side.model) continue;
    const some = Array.from({ length: Math.min(8, store.meta.sequences) }, (_, i) => i);
    pairings.push({ model: side.model, sae: side.sae, tokens: await storedTokens(store, side.model, some) });
  }
  return pairings;
}
