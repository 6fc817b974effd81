/** fg.interventions: which features a prediction comes from, circuits of two layers, and transfer between models. */
import { attribute, type Attribution, type AttributionOptions } from '../interventions/attribution.js';
import { circuit, type Circuit, type CircuitOptions } from '../interventions/circuits.js';
import type { AttributionTarget } from '../interventions/probe.js';
import { transfer, type Transfer, type TransferOptions, type TransferSide } from '../interventions/transfer.js';
import type { LanguageModel } from '../models/types.js';
import type { Sae } from '../sae/types.js';
import { circuitSpec } from './circuitChart.js';
import type { PairedMap } from '../correlation/types.js';
import { tokenSet, type Tokens } from './datasets.js';
import { keyOf, saeInputs, textsOf, type Texts } from './effects.js';
import { attributionTable, circuitTable, transferTable } from './effectTables.js';
import type { Environment } from '../verb/environment.js';
import { CALL, requireGiven, requireOptions, type OptionNames } from './given.js';
import { kept, type KeepOptions } from './kept.js';
import { chartItems, withDisplay, type Displayed } from '../present/items.js';

/** Options of transfer as cells give them: maps know the activations that they were made from. */
export interface TransferCallOptions extends Omit<TransferOptions, 'watchMap'>, KeepOptions {
  /** Counterparts among the watched SAEs; default the map of the ablated ones. Needed when sides have { watch }. */
  watchMap?: PairedMap;
}

export interface ShowCircuitOptions {
  /** Labels of upstream features by id, as fg.activations.labels gives them; default the tokens where they fire. */
  labels?: readonly string[][];
  /** Labels of downstream features by id. */
  downstreamLabels?: readonly string[][];
  /** Edges drawn, those of largest verified Δ first; default 40. All are in the table. */
  edges?: number;
  /** Default "Circuit at token … of the prompt". */
  title?: string;
}

/** Where predictions come from, and whether two models agree on it. */
export interface AttributionApi {
  /**
   * What each feature at a hook gives to a logit, a difference of logits or the loss, without running each: activation ×
   * exact gradient, or integrated gradients. Some features are ablated in truth, and the rank correlation is printed.
   */
  attribution(
    model: LanguageModel,
    sae: Sae,
    data: Texts,
    target: AttributionTarget,
    options?: AttributionOptions & KeepOptions,
  ): Promise<Displayed<Attribution>>;
  /**
   * Ablates many matched pairs, in A its feature and in B its counterpart, and asks whether the same counterparts move: a
   * score beside its null of shuffled pairs. Watch SAEs downstream with { watch } on both sides and { watchMap }: without
   * them the changed activation is only encoded again, which the result says and warns of.
   */
  transfer(
    a: TransferSide,
    b: TransferSide,
    map: PairedMap,
    data: Tokens,
    options?: TransferCallOptions,
  ): Promise<Displayed<Transfer>>;
  /** Edges from the features of one layer's SAE to those of a later one on a prompt, attributed and then verified. */
  circuit(
    model: LanguageModel,
    upstream: Sae,
    downstream: Sae,
    prompt: string,
    options?: CircuitOptions & KeepOptions,
  ): Promise<Displayed<Circuit>>;
  /** Draws a circuit: the two layers with their edges, as wide as the verified Δ, and the table of all edges. */
  showCircuit(circuit: Circuit, options?: ShowCircuitOptions): void;
}

const ATTRIBUTION_OPTIONS: OptionNames<AttributionOptions & KeepOptions> = {
  hook: true,
  allowOtherModel: true,
  method: true,
  steps: true,
  verify: true,
  top: true,
  sequences: true,
  permutations: true,
  seed: true,
  fresh: true,
  ...CALL,
};
const TRANSFER_OPTIONS: OptionNames<TransferCallOptions> = {
  watchMap: true,
  pairs: true,
  sequences: true,
  measure: true,
  choose: true,
  nulls: true,
  seed: true,
  allowOtherModel: true,
  fresh: true,
  ...CALL,
};
const CIRCUIT_OPTIONS: OptionNames<CircuitOptions & KeepOptions> = {
  position: true,
  targets: true,
  features: true,
  sources: true,
  allowOtherModel: true,
  permutations: true,
  seed: true,
  fresh: true,
  ...CALL,
};
const SHOW_CIRCUIT_OPTIONS: OptionNames<ShowCircuitOptions> = {
  labels: true,
  downstreamLabels: true,
  edges: true,
  title: true,
};

export function attributionApi(env: Environment): AttributionApi {
  return {
    async attribution(model, sae, data, target, options) {
      requireGiven({ model, sae });
      requireOptions('fg.interventions.attribution', options, ATTRIBUTION_OPTIONS);
      const { texts, parameters, inputs } = textsOf(data, model);
      const key = keyOf(
        'attribution',
        options,
        [],
        { model: model.id, sae: sae.id, ...inputs },
        {
          ...parameters,
          target: JSON.parse(JSON.stringify(target ?? null)) as never,
        },
      );
      const result = await env.call(options, (call) =>
        kept(env, 'Attribution', key, options, () => attribute(model, sae, texts, target, { ...options, ...call })),
      );
      return withDisplay(result, () => attributionTable(result));
    },
    async transfer(a, b, map, data, options) {
      requireGiven({ a, b, map, 'a.model': a?.model, 'a.sae': a?.sae, 'b.model': b?.model, 'b.sae': b?.sae });
      requireOptions('fg.interventions.transfer', options, TRANSFER_OPTIONS);
      const tokens = tokenSet(data, a.model);
      const { watchMap, ...rest } = options ?? {};
      const saes = [a.sae, b.sae, ...(a.watch ? [a.watch] : []), ...(b.watch ? [b.watch] : [])];
      const key = keyOf('transfer', rest, [], {
        ...{ modelA: a.model.id, modelB: b.model.id, map: map.id, tokens: tokens.id },
        ...(watchMap ? { watchMap: watchMap.id } : {}),
        ...saeInputs(saes),
      });
      const result = await env.call(options, (call) =>
        kept(env, 'Transfer', key, options, () => transfer(a, b, map, tokens, { ...options, ...call })),
      );
      return withDisplay(result, () => transferTable(result));
    },
    async circuit(model, upstream, downstream, prompt, options) {
      requireGiven({ model, upstream, downstream });
      requireOptions('fg.interventions.circuit', options, CIRCUIT_OPTIONS);
      if (typeof prompt !== 'string')
        throw new TypeError(`a circuit is of one prompt, a text, but got ${typeof prompt}`);
      const inputs = { model: model.id, ...saeInputs([upstream, downstream]) };
      const key = keyOf('circuit', options, [], inputs, { prompt });
      const result = await env.call(options, (call) =>
        kept(env, 'Circuit', key, options, () => circuit(model, upstream, downstream, prompt, { ...options, ...call })),
      );
      return withDisplay(result, () => circuitTable(result));
    },
    showCircuit(found, options = {}) {
      requireGiven({ circuit: found });
      requireOptions('fg.interventions.showCircuit', options, SHOW_CIRCUIT_OPTIONS);
      const title = options.title ?? `Circuit at token ${found.position} of ${JSON.stringify(found.prompt)}`;
      env.context.display(chartItems(circuitSpec(found, options), title));
      env.context.display(circuitTable(found));
    },
  };
}
