/** Answers the calls of the interventions panel, without a session: finds features, runs prompts, continues texts. */
import {
  type InterventionsCard,
  type InterventionsGeneration,
  type InterventionsHit,
  type InterventionSpec,
  type InterventionsMeta,
  type InterventionsMethod,
  type InterventionsMethods,
  type InterventionsResult,
  type InterventionsRun,
  type InterventionsSae,
  type InterventionsSampling,
} from '../../protocol/interventions.js';
import type { FeatureExample } from '../../protocol/bundle.js';
import type { Json } from '../../protocol/notebook.js';
import type { FeatureLabel } from '../../protocol/tokens.js';
import { plainJson } from '../../protocol/objects.js';
import { countedTokens } from '../activations/statistics.js';
import type { SparseActivations } from '../activations/types.js';
import { breathe, checkAborted } from '../compute/call.js';
import { matrix, row } from '../compute/matrix.js';
import { LruMap } from '../compute/lru.js';
import type { FeatureMap } from '../correlation/types.js';
import type { LanguageModel } from '../models/types.js';
import { encodePrompt } from '../models/prompt.js';
import { logitLens } from '../sae/logitLens.js';
import type { Sae } from '../sae/types.js';
import type { SaeAt } from './effects.js';
import { editsOf } from './intervention.js';
import type { AtHook } from './options.js';
import { interventionsIn, promptIn, samplingIn } from './panelOptions.js';
import { interventionOf, InterventionsSide, peaks, type LabelledSae } from './panelSide.js';
import { requireFeature } from './steer.js';

export interface InterventionsParts extends AtHook {
  model: LanguageModel;
  sae: Sae;
  /** SAEs of the same model at or behind the hook, with the labels of their features. */
  downstream?: readonly LabelledSae[];
  /** Features over a text, their dataset examples and labels. */
  activations?: SparseActivations;
  examples?: FeatureExample[][];
  labels?: readonly FeatureLabel[];
  /** Model B, its SAE, and the map whose side A is `sae`. */
  second?: { model: LanguageModel; sae: Sae; map: FeatureMap };
  title: string;
}

const HITS = 40;
/** Runs and texts that are kept, so that pinned ones cost nothing. */
const KEPT = 64;
const PROMOTED = 8;

const describeSae = ({ sae, hook }: SaeAt): InterventionsSae => ({
  id: sae.id,
  name: sae.name,
  features: sae.config.dSae,
  hook,
});

/** Answers the calls of one panel: for its model, and for the second one where there is one. */
export class InterventionsPanel {
  readonly meta: InterventionsMeta;
  private readonly a: InterventionsSide;
  private readonly b: InterventionsSide | undefined;
  private readonly runs = new LruMap<string, InterventionsRun>(KEPT);
  private readonly texts = new LruMap<string, string>(KEPT);

  /** @throws when models, SAEs, activations and map do not fit, each named. */
  constructor(private readonly parts: InterventionsParts) {
    const { model, sae, hook, allowOtherModel, activations, labels, second, downstream = [], title } = parts;
    if (activations && activations.meta.features !== sae.config.dSae)
      throw new RangeError(
        `the activations have ${activations.meta.features} features but ${sae.name} has ${sae.config.dSae}; give those that were saved with this SAE`,
      );
    if (second && (second.map.featuresA !== sae.config.dSae || second.map.featuresB !== second.sae.config.dSae))
      throw new RangeError(
        `the map is between ${second.map.featuresA} and ${second.map.featuresB} features but the SAEs have ${sae.config.dSae} and ${second.sae.config.dSae}; give the map of these two, the panel's own SAE on side A`,
      );
    this.a = new InterventionsSide(model, { sae, labels }, downstream, { hook, allowOtherModel });
    this.b = second && new InterventionsSide(second.model, { sae: second.sae }, [], { allowOtherModel });
    const [own, ...rest] = this.a.saes.map(describeSae);
    this.meta = {
      title,
      model: { id: model.id, name: model.name, context: model.config.context },
      sae: own,
      downstream: rest,
      examples: activations !== undefined,
      ...(second &&
        this.b && {
          second: { model: { id: second.model.id, name: second.model.name }, sae: describeSae(this.b.saes[0]) },
        }),
    };
  }

  /** Answers one live call. @throws Error in words. */
  async answer(id: string, method: string, params: Json, signal: AbortSignal): Promise<Json> {
    const given = (params ?? {}) as Record<string, unknown>;
    const answers: {
      [M in InterventionsMethod]: () => Promise<InterventionsMethods[M]['value']> | InterventionsMethods[M]['value'];
    } = {
      hello: () => ({ id }),
      search: () => this.search(String(given.text ?? ''), promptIn(given.prompt)),
      card: () => this.card(Number(given.feature), promptIn(given.prompt)),
      run: () => this.run(promptIn(given.prompt), interventionsIn(given.interventions)),
      generate: () =>
        this.generate(promptIn(given.prompt), interventionsIn(given.interventions), samplingIn(given.sampling), signal),
    };
    if (!Object.hasOwn(answers, method))
      throw new Error(`the interventions panel has no method ${JSON.stringify(method)}`);
    return plainJson(await answers[method as InterventionsMethod]());
  }

  private hit(feature: number, here: number): InterventionsHit {
    const { activations } = this.parts;
    const rate = activations && activations.statistics.firings[feature] / countedTokens(activations.meta);
    return { feature, label: this.parts.labels?.[feature] ?? [], firingRate: rate ?? null, here };
  }

  /**
   * Features by id ("12", "#12") or by a word of their labels: first those that have it as a token, by its share of
   * their mass, then those with a token that begins with it, then those with a token that contains it. Equals are
   * ordered by activation on the prompt, then by firings in the text. Without a query: what fires on the prompt.
   */
  search(text: string, prompt: string): InterventionsHit[] {
    const here = this.peaksOf(prompt);
    const byHere = (a: number, b: number): number =>
      (here.get(b) ?? 0) - (here.get(a) ?? 0) || this.firings(b) - this.firings(a) || a - b;
    const asked = text.trim().toLowerCase();
    const hits = (ids: number[]): InterventionsHit[] => ids.slice(0, HITS).map((f) => this.hit(f, here.get(f) ?? 0));
    if (asked === '') return hits([...here.keys()].sort(byHere));
    const id = /^#?(\d+)$/.exec(asked)?.[1];
    const exact = id !== undefined && Number(id) < this.meta.sae.features ? [Number(id)] : [];
    const ranked = new Map<number, number>();
    this.parts.labels?.forEach((label, feature) => {
      const tokens = label.tokens.map(({ token }) => token.trim().toLowerCase());
      const share = label.tokens[tokens.indexOf(asked)]?.share ?? 0;
      if (share > 0) ranked.set(feature, 2 + share);
      else if (tokens.some((token) => token.startsWith(asked))) ranked.set(feature, 1);
      else if (tokens.some((token) => token.includes(asked))) ranked.set(feature, 0);
    });
    const found = [...ranked.keys()]
      .filter((f) => !exact.includes(f))
      .sort((a, b) => ranked.get(b)! - ranked.get(a)! || byHere(a, b));
    return hits([...exact, ...found]);
  }

  private firings(feature: number): number {
    return this.parts.activations?.statistics.firings[feature] ?? 0;
  }

  /** Peaks on a prompt; empty for a prompt that cannot be run: the call 'run' says why. */
  private peaksOf(prompt: string): Map<number, number> {
    const length = encodePrompt(this.parts.model.tokenizer, prompt).length;
    const runs = length > 0 && length <= this.parts.model.config.context;
    return runs ? peaks(this.a.baseline(prompt).features[0]) : new Map<number, number>();
  }

  async card(feature: number, prompt: string): Promise<InterventionsCard> {
    const { sae, model, activations, examples, second } = this.parts;
    requireFeature(sae, feature);
    const here = this.peaksOf(prompt).get(feature) ?? 0;
    const best = second && second.map.bestBofA[feature * second.map.counterparts];
    const max = Math.max(activations?.statistics.max[feature] ?? 0, here);
    const one = {
      ...sae,
      config: { ...sae.config, dSae: 1 },
      W_dec: matrix(1, sae.W_dec.cols, row(sae.W_dec, feature)),
    };
    const promotes =
      sae.config.dIn === model.config.dModel && /hook_(resid_\w+|mlp_out|attn_out)$/.test(this.meta.sae.hook)
        ? (await logitLens(model, one, { top: PROMOTED }))[0].map(({ token }) => token)
        : [];
    return {
      ...this.hit(feature, here),
      max: max > 0 ? max : null,
      examples: examples?.[feature] ?? [],
      promotes,
      ...(second && {
        counterpart:
          best === undefined || best < 0
            ? null
            : { feature: best, r: second.map.rBofA[feature * second.map.counterparts] },
      }),
    };
  }

  /** Every intervention by itself; those that ran on this prompt before are not run again. */
  async run(prompt: string, interventions: readonly InterventionSpec[]): Promise<InterventionsResult> {
    const started = performance.now();
    const { tokens } = this.a.baseline(prompt);
    const runs: InterventionsRun[] = [];
    for (const asked of interventions) {
      runs.push(await this.runs.getOrMake(JSON.stringify([prompt, asked]), () => this.runOne(prompt, asked)));
      if (interventions.length > 1) await breathe();
    }
    return { prompt, tokens, runs, ms: performance.now() - started };
  }

  private runOne(prompt: string, intervention: InterventionSpec): Promise<InterventionsRun> {
    const effect = this.a.effect(prompt, intervention);
    const second = this.runSecond(prompt, intervention);
    return Promise.resolve({ intervention, ...effect, ...(second && { second }) });
  }

  private runSecond(prompt: string, asked: InterventionSpec): InterventionsRun['second'] {
    const { second } = this.parts;
    if (!second || !this.b) return undefined;
    const at = asked.feature * second.map.counterparts;
    const feature = second.map.bestBofA[at];
    if (feature < 0) return { missing: `feature ${asked.feature} has no counterpart in ${second.sae.name}` };
    const { tokens } = this.b.baseline(prompt);
    const same = tokens.length === this.a.baseline(prompt).tokens.length;
    if (Array.isArray(asked.positions) && !same)
      return { missing: `${second.model.name} cuts the prompt into other tokens: chosen positions mean nothing there` };
    return { effect: this.b.effect(prompt, { ...asked, feature }), tokens, r: second.map.rBofA[at] };
  }

  /** The same seed and temperature before and after; texts that were made before are not made again. */
  async generate(
    prompt: string,
    interventions: readonly InterventionSpec[],
    sampling: InterventionsSampling,
    signal: AbortSignal,
  ): Promise<InterventionsGeneration> {
    const started = performance.now();
    const { model } = this.parts;
    this.a.baseline(prompt);
    const continued = (asked?: InterventionSpec): Promise<string> =>
      this.texts.getOrMake(JSON.stringify([prompt, sampling, asked ?? null]), () => {
        checkAborted(signal, 'generation');
        const edits = asked && editsOf([interventionOf(model, this.a.saes[0], asked)]);
        return model.generate(prompt, { ...sampling, signal, ...(edits && { edits }) });
      });
    const before = await continued();
    const after: string[] = [];
    for (const asked of interventions) after.push(await continued(asked));
    return { prompt, sampling, before, after, ms: performance.now() - started };
  }
}
