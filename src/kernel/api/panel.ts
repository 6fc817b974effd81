/** fg.interventions.panel: the panel in which a prompt is changed by hand. */
import { createHash } from 'node:crypto';
import {
  MAX_PINS,
  type InterventionsDescriptor,
  type InterventionsGeneration,
  type InterventionSpec,
  type InterventionPositions,
  type InterventionsResult,
  type InterventionsSetting,
  type InterventionsSnapshot,
} from '../../protocol/interventions.js';
import { MIME } from '../../protocol/mime.js';
import type { Json, OutputItem } from '../../protocol/notebook.js';
import { featureLabels, labelText } from '../activations/labels.js';
import type { SparseActivations } from '../activations/types.js';
import { requireSame } from '../artifacts/store.js';
import type { CallOptions } from '../compute/call.js';
import { InterventionsPanel } from '../interventions/panel.js';
import type { LabelledSae } from '../interventions/panelSide.js';
import type { LanguageModel } from '../models/types.js';
import type { Sae } from '../sae/types.js';
import { defaultExamples } from '../activations/kept.js';
import type { PairedMap } from '../correlation/types.js';
import type { Environment } from '../verb/environment.js';
import { CALL, requireGiven, requireOptions, type OptionNames } from './given.js';
import { formatNumber, textItem } from '../present/items.js';

/** An intervention that the panel starts with, pinned. */
export interface PanelIntervention {
  /** Feature of the panel's SAE. */
  feature: number;
  /** 'steer' adds value × decoder row, 'clamp' sets the activation, 'scale' multiplies it, 'ablate' makes it 0. */
  kind: 'steer' | 'clamp' | 'scale' | 'ablate';
  /** α, c or the factor; not taken by 'ablate'. */
  value?: number;
  /** 'all' (default), 'last', or tokens of the prompt by index. */
  positions?: 'all' | 'last' | readonly number[];
  /** Name of the pin; default what it does. */
  name?: string;
}

/** An SAE downstream whose features are to have labels. */
export interface PanelDownstream {
  /** At or behind the panel's hook. */
  sae: Sae;
  /** Saved with this SAE: the tokens its features peak on are their labels. */
  activations: SparseActivations;
}

export interface PanelOptions extends CallOptions {
  /** Text that the panel starts with. */
  prompt: string;
  /** Saved with this SAE: features then have labels, firing rates and dataset examples, and are found by words. */
  activations?: SparseActivations;
  /** Feature that the panel starts with; default the one that fires most on the prompt. */
  feature?: number;
  /** What is done to it at the start; default 'steer'. */
  kind?: PanelIntervention['kind'];
  /** α, c or factor at the start; default the feature's largest activation, for 'scale' 2. */
  value?: number;
  /** Where at the start; default 'all'. */
  positions?: PanelIntervention['positions'];
  /** Pinned at the start, to compare with; at most four. */
  interventions?: readonly PanelIntervention[];
  /**
   * SAEs of the same model at or behind the hook: the features of all are listed by how much they move. Given as
   * { sae, activations } their features have labels.
   */
  downstream?: Sae | PanelDownstream | ReadonlyArray<Sae | PanelDownstream>;
  /** Model B and its SAE, with the correlation map whose side A is the panel's SAE: the counterpart is changed likewise. */
  second?: { model: LanguageModel; sae: Sae; map: PairedMap };
  /** New tokens of the continuations, default 25. */
  tokens?: number;
  /** 0 = greedy (default). */
  temperature?: number;
  /** Seed of sampling, default 0. */
  seed?: number;
  /** Hook that is changed; default the SAE's own. */
  hook?: string;
  /** Take SAEs that were trained on other models. Default: refused. */
  allowOtherModel?: boolean;
  /** Default: model and SAE. */
  title?: string;
}

/** Interventions by hand. */
export interface PanelApi {
  /**
   * Shows a panel: a prompt whose tokens are coloured by a feature before and after, found by search or clicked on a map of
   * the same SAE; sliders for α and c that run it again; continuations before and after; the features and next tokens that
   * moved most; up to four pinned interventions side by side; export. It answers as long as this kernel lives; the saved
   * notebook and the report keep its first state.
   */
  panel(model: LanguageModel, sae: Sae, options: PanelOptions): Promise<void>;
}

const OPTIONS: OptionNames<PanelOptions> = {
  prompt: true,
  activations: true,
  feature: true,
  kind: true,
  value: true,
  positions: true,
  interventions: true,
  downstream: true,
  second: true,
  tokens: true,
  temperature: true,
  seed: true,
  hook: true,
  allowOtherModel: true,
  title: true,
  ...CALL,
};
const DOWNSTREAM: OptionNames<PanelDownstream> = { sae: true, activations: true };
const PIN: OptionNames<PanelIntervention> = { feature: true, kind: true, value: true, positions: true, name: true };

const placed = (positions: PanelIntervention['positions'] = 'all'): InterventionPositions =>
  typeof positions === 'string' ? positions : [...positions];

/** What a pin is called when nobody named it. */
function pinName({ kind, feature, value }: InterventionSpec): string {
  return kind === 'ablate' ? `ablate #${feature}` : `${kind} #${feature} ${formatNumber(value, 3)}`;
}

function pinned(given: readonly PanelIntervention[]): InterventionsSetting['pins'] {
  if (given.length > MAX_PINS)
    throw new RangeError(`the panel compares ${MAX_PINS} pinned interventions at most but got ${given.length}`);
  return given.map((pin) => {
    requireOptions('an intervention of fg.interventions.panel', pin, PIN);
    const { feature, kind, value = kind === 'ablate' ? 0 : NaN, positions, name } = pin;
    const asked = { feature, kind, value, positions: placed(positions) };
    return { ...asked, name: name ?? pinName(asked) };
  });
}

function requireSavedWith(sae: Sae, activations: SparseActivations): void {
  requireGiven({ activations });
  const ids = [
    { name: 'activations', id: activations.meta.sae.id },
    { name: `SAE ${sae.name}`, id: sae.id },
  ] as const;
  requireSame('these activations were saved with another SAE', ...ids);
}

async function downstreamOf(env: Environment, given: PanelOptions['downstream'] = []): Promise<LabelledSae[]> {
  const list = Array.isArray(given) ? (given as ReadonlyArray<Sae | PanelDownstream>) : [given as Sae];
  const labelled: LabelledSae[] = [];
  for (const each of list) {
    requireGiven({ downstream: each });
    if (!('sae' in each)) {
      labelled.push({ sae: each });
      continue;
    }
    requireOptions('{ downstream } of fg.interventions.panel', each, DOWNSTREAM);
    const { sae, activations } = each;
    requireGiven({ sae });
    requireSavedWith(sae, activations);
    labelled.push({ sae, labels: featureLabels(await defaultExamples(env, activations)) });
  }
  return labelled;
}

async function buildPanel(
  env: Environment,
  model: LanguageModel,
  sae: Sae,
  options: PanelOptions,
): Promise<InterventionsPanel> {
  const { activations, second, hook, allowOtherModel } = options;
  if (activations) requireSavedWith(sae, activations);
  if (second) requireGiven({ second: second.model, sae: second.sae, map: second.map });
  const examples = activations && (await defaultExamples(env, activations));
  return new InterventionsPanel({
    ...{ model, sae, activations, examples, second, hook, allowOtherModel },
    downstream: await downstreamOf(env, options.downstream),
    title: options.title ?? `${model.name} · ${sae.name}`,
  });
}

/** An answer without the time that it took. */
function untimed<T extends { ms: number }>({ ms: _, ...answer }: T): Omit<T, 'ms'> {
  return answer;
}

/** The first state: everything that the view shows before anybody touches it. */
async function firstState(
  panel: InterventionsPanel,
  options: PanelOptions,
  signal: AbortSignal,
): Promise<InterventionsSnapshot> {
  const { prompt, kind = 'steer', tokens = 25, temperature = 0, seed = 0 } = options;
  const hits = panel.search('', prompt);
  const feature = options.feature ?? hits[0]?.feature ?? 0;
  const card = await panel.card(feature, prompt);
  const usual = kind === 'scale' ? 2 : (card.max ?? 10);
  const value = kind === 'ablate' ? 0 : (options.value ?? Number(usual.toPrecision(2)));
  const current = { feature, kind, value, positions: placed(options.positions) };
  const pins = pinned(options.interventions ?? []);
  const sampling = { tokens, temperature, seed };
  const all = [...pins.map(({ name: _, ...pin }) => pin), current];
  const answer = (method: string, params: object): Promise<Json> =>
    panel.answer('', method, params as unknown as Json, signal);
  return {
    setting: { prompt, current, pins, sampling },
    card,
    hits,
    result: untimed((await answer('run', { prompt, interventions: all })) as unknown as InterventionsResult),
    generation: untimed(
      (await answer('generate', { prompt, interventions: all, sampling })) as unknown as InterventionsGeneration,
    ),
  };
}

function items({ meta, snapshot, ...rest }: InterventionsDescriptor): OutputItem[] {
  const { result, generation, card } = snapshot;
  const lines = [meta.title, `feature ${card.feature}: ${labelText(card.label)}`, '', `prompt  ${result.prompt}`];
  lines.push(`before  ${generation.before.trim()}`);
  result.runs.forEach((run, i) => lines.push(run.description, `after   ${generation.after[i].trim()}`));
  const descriptor = { ...rest, meta, snapshot };
  return [
    { mime: MIME.interventions, json: JSON.parse(JSON.stringify(descriptor)) as Json },
    textItem(lines.join('\n')),
  ];
}

/** Names views by what they show and how often this session has shown it: the same in every run of a notebook. */
class ViewNames {
  private readonly shown = new Map<string, number>();

  next(content: Pick<InterventionsDescriptor, 'meta' | 'snapshot'>): string {
    const hash = createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 18);
    const count = (this.shown.get(hash) ?? 0) + 1;
    this.shown.set(hash, count);
    return `lab-${hash}-${count}`;
  }
}

export function panelApi(env: Environment): PanelApi {
  const names = new ViewNames();
  return {
    async panel(model, sae, options) {
      requireGiven({ model, sae, options });
      requireOptions('fg.interventions.panel', options, OPTIONS);
      const panel = await buildPanel(env, model, sae, options);
      const snapshot = await env.call(options, ({ signal, onProgress }) => {
        onProgress({ label: 'interventions panel', done: 0 });
        return firstState(panel, options, signal);
      });
      const view = names.next({ meta: panel.meta, snapshot });
      env.context.live(view, (method, params, signal) => panel.answer(view, method, params, signal));
      env.context.display(items({ version: 1, id: view, view, meta: panel.meta, snapshot }));
    },
  };
}
