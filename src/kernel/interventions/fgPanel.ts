/** fg.interventions.panel: the panel in which a prompt is changed by hand. */
import { filled } from '../verb/filled.js';
import { createHash } from 'node:crypto';
import {
  MAX_PINS,
  type InterventionPositions,
  type InterventionsDescriptor,
  type InterventionsGeneration,
  type InterventionSpec,
  type InterventionsResult,
  type InterventionsSetting,
  type InterventionsSnapshot,
} from '../../protocol/interventions.js';
import { MIME } from '../../protocol/mime.js';
import type { Json, OutputItem } from '../../protocol/notebook.js';
import { labelLine } from '../../protocol/tokens.js';
import { defaultExamples, keptLabels } from '../activations/kept.js';
import type { SparseActivations } from '../activations/types.js';
import { requireSame } from '../artifacts/store.js';
import type { PairedMap } from '../correlation/types.js';
import type { LanguageModel } from '../models/types.js';
import { formatNumber, textItem } from '../present/items.js';
import { CONFORMANCE, pairs, type Pairing } from '../sae/pairing.js';
import type { Sae } from '../sae/types.js';
import { CALL, requireThing } from '../verb/common.js';
import type { Environment } from '../verb/environment.js';
import { form, formed, listOf, oneOrSeveral } from '../verb/kinds.js';
import { parseOptions, required, text, value, whole, type Given, type Option } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { modelArg, saeArg } from './fgArgs.js';
import { allowOtherModel, hook } from './options.js';
import { InterventionsPanel } from './panel.js';
import { CHANGE, PIN, SAMPLING } from './panelOptions.js';
import type { LabelledSae } from './panelSide.js';
import { pairingsOf, tokensOfTexts } from './pairings.js';
import { tokensOfStore } from './storeTokens.js';
import { fromPlainJson, isObject, plainJson } from '../../protocol/objects.js';

/** An intervention that the panel starts with, pinned. */
export interface PanelIntervention extends Given<typeof PIN> {}

const anSae = (doc: string) => required(value<Sae>('an SAE', { doc }, isObject));

const DOWNSTREAM = {
  sae: anSae("At or behind the panel's hook."),
  activations: required(
    value<SparseActivations>(
      'what fg.activations.save returned',
      { doc: 'Saved with this SAE: the tokens that hold their activation are the labels of its features.' },
      isObject,
    ),
  ),
};
/** An SAE downstream whose features are to have labels. */
export interface PanelDownstream extends Given<typeof DOWNSTREAM> {}

const downstream = formed<Sae | PanelDownstream>(
  {
    expected: 'an SAE, or { sae, activations }',
    doc: 'SAEs of the same model at or behind the hook: the features of all are listed by how much they move. Given as { sae, activations } their features have labels.',
  },
  (given, at) => {
    if ('sae' in requireThing(given, at)) parseOptions(at, given, DOWNSTREAM);
  },
);

const SECOND = {
  model: required(value<LanguageModel>('what fg.models.load returned', { doc: 'Model B.' }, isObject)),
  sae: anSae('Its SAE.'),
  map: required(
    value<PairedMap>('what fg.correlation.map returned', { doc: "Its side A is the panel's SAE." }, isObject),
  ),
};
/** The second model of a panel. */
export interface PanelSecond extends Given<typeof SECOND> {}

const PANEL = {
  prompt: required(text({ doc: 'Text that the panel starts with.' })),
  activations: value<SparseActivations>(
    'what fg.activations.save returned',
    {
      doc: 'Saved with this SAE: features then have labels, firing rates and dataset examples, and are found by words.',
    },
    isObject,
  ),
  feature: whole({
    doc: 'Feature that the panel starts with.',
    min: 0,
    fallback: 'the one that fires most on the prompt',
  }),
  ...CHANGE,
  interventions: listOf<PanelIntervention>(
    form(PIN, { doc: `Pinned at the start, to compare with; at most ${MAX_PINS}.` }),
  ),
  downstream: oneOrSeveral(downstream, 0),
  second: form(SECOND, {
    doc: "Model B and its SAE, with the correlation map whose side A is the panel's SAE: the counterpart is changed likewise.",
  }) as Option<PanelSecond>,
  ...SAMPLING,
  hook: hook('Hook that is changed.'),
  allowOtherModel,
  title: text({ doc: 'Over the panel.', fallback: 'model and SAE' }),
};
type PanelOptions = { readonly [K in keyof typeof PANEL]: ReturnType<(typeof PANEL)[K]['parse']> };

const placed = (positions: PanelIntervention['positions'] = CHANGE.positions.usual): InterventionPositions =>
  typeof positions === 'string' ? positions : [...positions];

/** The name of a pin that was given none. */
function pinName({ kind, feature, value }: InterventionSpec): string {
  return kind === 'ablate' ? `ablate #${feature}` : `${kind} #${feature} ${formatNumber(value, 3)}`;
}

function pinned(given: readonly PanelIntervention[]): InterventionsSetting['pins'] {
  if (given.length > MAX_PINS)
    throw new RangeError(`the panel compares ${MAX_PINS} pinned interventions at most but got ${given.length}`);
  return given.map(({ feature, kind, value = kind === 'ablate' ? 0 : NaN, positions, name }) => {
    const asked = { feature, kind, value, positions: placed(positions) };
    return { ...asked, name: name ?? pinName(asked) };
  });
}

function requireSavedWith(sae: Sae, activations: SparseActivations): void {
  const ids = [
    { name: 'activations', id: activations.meta.sae.id },
    { name: `SAE ${sae.name}`, id: sae.id },
  ] as const;
  requireSame('these activations were saved with another SAE', ...ids);
}

async function downstreamOf(env: Environment, given: Given<typeof PANEL>['downstream'] = []): Promise<LabelledSae[]> {
  const list = Array.isArray(given) ? (given as ReadonlyArray<Sae | PanelDownstream>) : [given as Sae];
  const labelled: LabelledSae[] = [];
  for (const each of list) {
    if (!('sae' in each)) {
      labelled.push({ sae: each });
      continue;
    }
    const { sae, activations } = each;
    requireSavedWith(sae, activations);
    labelled.push({ sae, labels: await keptLabels(env, activations) });
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
  const examples = activations && (await defaultExamples(env, activations));
  const labels = activations && (await keptLabels(env, activations));
  return new InterventionsPanel({
    ...{ model, sae, activations, examples, labels, second, hook, allowOtherModel },
    downstream: await downstreamOf(env, options.downstream),
    title: options.title ?? `${model.name} · ${sae.name}`,
  });
}

/** What the panel pairs: its SAE on the saved text where there is one, the others on the prompt. */
async function panelPairings(
  model: LanguageModel,
  sae: Sae,
  { prompt, activations, downstream = [], second, hook, allowOtherModel }: PanelOptions,
): Promise<Pairing[]> {
  const told = tokensOfTexts(prompt, model);
  const saved = activations && 'meta' in activations && (await tokensOfStore(activations, model.tokenizer));
  // What is no SAE is refused when the panel is built.
  const behind = ([downstream].flat() as ReadonlyArray<Sae | PanelDownstream>)
    .filter(isObject)
    .map((each) => ('sae' in each ? each.sae : each))
    .filter((each) => isObject(each) && 'config' in each);
  return [
    ...pairingsOf(model, [sae], saved || told, { hook, allowOtherModel }),
    ...pairingsOf(model, behind, saved || told, { allowOtherModel }),
    ...(second && isObject(second.model) && isObject(second.sae)
      ? pairingsOf(second.model, [second.sae], tokensOfTexts(prompt, second.model), { allowOtherModel })
      : []),
  ];
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
  const { prompt, kind, tokens, temperature, seed } = filled(CHANGE, options);
  const hits = panel.search('', prompt);
  const feature = options.feature ?? hits[0]?.feature ?? 0;
  const card = await panel.card(feature, prompt);
  const usual = kind === 'scale' ? 2 : (card.max ?? 10);
  const value = kind === 'ablate' ? 0 : (options.value ?? Number(usual.toPrecision(2)));
  const current = { feature, kind, value, positions: placed(options.positions) };
  const pins = pinned(options.interventions ?? []);
  const sampling = { tokens, temperature, seed };
  const all = [...pins.map(({ name: _, ...pin }) => pin), current];
  const answer = (method: string, params: object): Promise<Json> => panel.answer('', method, plainJson(params), signal);
  return {
    setting: { prompt, current, pins, sampling },
    card,
    hits,
    result: untimed(fromPlainJson<InterventionsResult>(await answer('run', { prompt, interventions: all }))),
    generation: untimed(
      fromPlainJson<InterventionsGeneration>(await answer('generate', { prompt, interventions: all, sampling })),
    ),
  };
}

function items({ meta, snapshot, ...rest }: InterventionsDescriptor): OutputItem[] {
  const { result, generation, card } = snapshot;
  const lines = [
    meta.title,
    `feature ${card.feature}: ${labelLine(card.label) || '(dead)'}`,
    '',
    `prompt  ${result.prompt}`,
  ];
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

const viewNames = new WeakMap<Environment, ViewNames>();

/** The names of a session. */
function namesOf(env: Environment): ViewNames {
  const known = viewNames.get(env) ?? new ViewNames();
  viewNames.set(env, known);
  return known;
}

export const panel = verb({
  doc: 'Shows a panel: a prompt whose tokens are coloured by a feature before and after, found by search or clicked on a map of the same SAE; sliders for α and c that run it again; continuations before and after; the features and next tokens that moved most; up to four pinned interventions side by side; export. It answers as long as this kernel lives; the saved notebook and the report keep its first state.',
  args: [modelArg, saeArg()],
  options: { ...PANEL, ...CONFORMANCE, ...CALL },
  errors: ['Activations of another SAE than the one they are given with are refused.'],
  before: pairs((options, model, sae) => panelPairings(model, sae, options)),
  async run({ env, options, call: { signal, onProgress } }, model, sae) {
    const made = await buildPanel(env, model, sae, options);
    onProgress({ label: 'interventions panel', done: 0 });
    const snapshot = await firstState(made, options, signal);
    const view = namesOf(env).next({ meta: made.meta, snapshot });
    env.context.live(view, (method, params, asked) => made.answer(view, method, params, asked));
    env.context.display(items({ version: 1, id: view, view, meta: made.meta, snapshot }));
  },
});
