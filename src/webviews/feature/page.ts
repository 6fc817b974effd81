/** The page of the feature that is shown: head, contexts, and the boxes beside them. */
import { measureOf } from '../../protocol/measure.js';
import { labelLine } from '../../protocol/tokens.js';
import { el } from '../ui/dom.js';
import { exampleList, labelChips, peaksLine } from '../ui/examples.js';
import { aligned, correlation, count, number, percent, plural } from '../ui/format.js';
import { featureName } from '../ui/hoverCard.js';
import { messageOf } from '../ui/message.js';
import { button } from '../ui/toolkit.js';
import { contexts } from './contexts.js';
import type { FeatureModel, Known } from './model.js';
import { box, histogram, logitLines, nearestLines, none, positionLines, togetherLines, tokenLines } from './parts.js';
import { placeOn } from './places.js';

/** What the page opens: a feature of its own SAE, or of another's page. */
export interface Open {
  (set: number, feature: number): void;
  /** Lights a feature of this SAE on the maps. */
  light(feature: number): void;
}

const rateOf = (model: FeatureModel, set: number, feature: number): string => {
  const { meta, columns } = model.sets[set];
  const firings = columns.firings[feature];
  if (firings === 0) return 'dead: never fired';
  return `fires on ${percent(firings / Math.max(1, meta.tokens))} of tokens`;
};

/** A feature of a set by its name. */
function named(model: FeatureModel, set: number, feature: number, open: Open): HTMLElement {
  return featureName({
    feature,
    of: model.sets[set].meta.title,
    label: model.label(set, feature),
    stats: rateOf(model, set, feature),
    examples: () => model.examples(set, feature),
    open: () => open(set, feature),
  });
}

export function head(model: FeatureModel, feature: number): HTMLElement {
  const { meta, own } = model;
  const { firings, max, mean } = own.columns;
  const label = model.label(0, feature);
  const facts =
    firings[feature] === 0
      ? [rateOf(model, 0, feature)]
      : [
          rateOf(model, 0, feature),
          plural(firings[feature], 'firing'),
          `largest ${aligned(max[feature], 3)}`,
          `mean ${aligned(mean[feature], 3)}`,
        ];
  const note = meta.notes?.[String(feature)];
  return el(
    'header',
    { class: 'head' },
    el('h2', {}, el('span', { class: 'number' }, `#${feature}`), labelChips(label)),
    el(
      'p',
      { class: 'where' },
      own.meta.title,
      ' · ',
      el('code', {}, meta.hook),
      ` · ${meta.model} · ${plural(own.meta.points, 'feature')}`,
    ),
    peaksLine(label),
    el('p', { class: 'facts' }, facts.join(' · ')),
    typeof note === 'string' ? el('p', { class: 'remark' }, note) : null,
  );
}

/** One sentence for the live region. */
export const spoken = (model: FeatureModel, feature: number): string =>
  `Feature ${feature}: ${labelLine(model.label(0, feature)) || 'no label'}, ${rateOf(model, 0, feature)}`;

/** What ablating the feature does to the loss: asked for by a button, since the model runs for it. */
function ablationBox(model: FeatureModel, feature: number): HTMLElement {
  const said = el('p', { class: 'facts', role: 'status' });
  const ask = button({
    label: 'Ablate this feature',
    onClick: () => {
      said.textContent = 'The model runs…';
      model.ablated(feature).then(
        ({ before, after, n, sequences, p }) => {
          const delta = after - before;
          const sign = delta < 0 ? '−' : '+';
          const test = p === null ? '' : `, p = ${number(p, 2)}`;
          said.textContent = `loss ${before.toFixed(4)} → ${after.toFixed(4)} nats: ${sign}${Math.abs(delta).toFixed(4)} over n = ${plural(n, 'token')} of ${plural(sequences, 'sequence')}${test}`;
        },
        (error: unknown) => (said.textContent = messageOf(error)),
      );
    },
  });
  return wide(box('Ablation', 'next-token loss with the feature at 0', ask.element, said));
}

function lensBoxes(model: FeatureModel, { promoted = [], suppressed = [] }: Known['about']): HTMLElement[] {
  const { lens } = model.meta;
  if (lens === undefined) return [];
  const largest = [...promoted, ...suppressed].reduce((m, { logit }) => Math.max(m, Math.abs(logit)), 1e-12);
  const note = `decoder row · unembedding of ${lens}`;
  return [
    box('Promotes', note, el('div', { class: 'up' }, logitLines(promoted, largest))),
    box('Suppresses', note, el('div', { class: 'down' }, logitLines(suppressed, largest))),
  ];
}

function counterpartBoxes(model: FeatureModel, { about }: Known, open: Open): HTMLElement[] {
  return model.own.meta.pairings.map(({ set, method, tokens }, k) => {
    const found = about.counterparts[k] ?? [];
    const cards = found.map(({ feature, r }) => {
      const texts = el('div', { class: 'examples' });
      model.examples(set, feature).then(
        (list) => texts.append(exampleList(list, 3, false)),
        () => texts.append(none('Its examples could not be read.')),
      );
      return el(
        'article',
        { class: 'counterpart' },
        el(
          'p',
          { class: 'pair' },
          el('strong', {}, `${measureOf(method)} ${correlation(r)}`),
          named(model, set, feature, open),
        ),
        texts,
      );
    });
    const none_ = none('No counterpart: dead, rare, or filtered out.');
    return box(
      `In ${model.sets[set].meta.title}`,
      `${method}, over ${count(tokens)} tokens`,
      ...(cards.length > 0 ? cards : [none_]),
    );
  });
}

function sharesNote({ first, special, punctuation, distinct }: Known['about']): string {
  const shares = [
    [first, 'at the first position'],
    [special, 'on special tokens'],
    [punctuation, 'on punctuation'],
  ] as const;
  return [`${plural(distinct, 'different token')}`, ...shares.map(([s, where]) => `${percent(s)} ${where}`)].join(
    ' · ',
  );
}

/** Boxes beside the contexts. */
function asideOf(root: HTMLElement, model: FeatureModel, feature: number, known: Known, open: Open): HTMLElement[] {
  const { about } = known;
  const { own, meta } = model;
  const name = (f: number) => named(model, 0, f, open);
  const over = meta.togetherTokens === undefined ? '' : `, over ${count(meta.togetherTokens)} tokens`;
  const places = own.meta.maps.map((_, k) =>
    placeOn(root, own.meta, own.columns, k, feature, () => open.light(feature)),
  );
  return [
    box('Activations', '', histogram(about, own.columns.max[feature])),
    box('Positions', 'share of activation', positionLines(about)),
    ...(model.ablates ? [ablationBox(model, feature)] : []),
    ...lensBoxes(model, about),
    wide(
      box(
        'Tokens',
        'share of activation · firings of occurrences',
        tokenLines(about),
        el('p', { class: 'facts' }, sharesNote(about)),
      ),
    ),
    ...(about.nearest ? [wide(box('Nearest', 'cosine of decoder rows', nearestLines(about.nearest, name)))] : []),
    wide(
      box(
        'Fires with',
        `phi · tokens for expected${over}`,
        about.together.length > 0 ? togetherLines(about, name) : none('No feature fires with it more than by chance.'),
      ),
    ),
    ...(places.length > 0 ? [wide(box('On maps', '', el('div', { class: 'places' }, ...places)))] : []),
  ];
}

/** A box over all columns. */
function wide(of: HTMLElement): HTMLElement {
  of.classList.add('wide');
  return of;
}

/** What stands below the head. */
export function body(root: HTMLElement, model: FeatureModel, feature: number, known: Known, open: Open): HTMLElement {
  const { firings, max } = model.own.columns;
  if (firings[feature] === 0)
    return el('div', { class: 'columns' }, el('div', {}, none('The feature fired on no token of the text.')));
  const texts = contexts(known.examples, firings[feature], max[feature]);
  const largest = number(max[feature], 3);
  return el(
    'div',
    { class: 'columns' },
    el(
      'div',
      { class: 'main' },
      box('Contexts', `shaded to ${largest}; a click shows more of one`, ...texts),
      ...counterpartBoxes(model, known, open),
    ),
    el('div', { class: 'aside' }, ...asideOf(root, model, feature, known, open)),
  );
}
