/** What the figures of a pairing mean, in words, and what to do. */
import { isJsonObject } from '../../protocol/objects.js';
import type { Conformance, Fit, Variant } from './conformance.js';
import type { Sae } from './types.js';

/** Another fit is better when it explains this much more of the variance, and leaves at most half of the rest. */
const BETTER = 0.1;
const LEAVES = 0.5;
/** What explains less than this is hardly the SAE of these activations. */
const BAD = 0.2;
/** Nor is one that leaves more than this share of what it leaves of the same activations in another basis. */
const AS_TURNED = 0.8;
/** L0 may differ from training by this factor: other text, other context length. */
const L0_FACTOR = 4;
/** No SAE of this many features fires on this share of them; a wrong one does (34 % where 0.2 % is right). */
const SUSPICIOUS = { features: 1024, density: 0.1 };

export const percent = (share: number): string => `${share < 0 ? '−' : ''}${Math.abs(100 * share).toFixed(0)} %`;

const CENTER = "load the model with { process: 'center' }";

/** What each form of the activations is called, and how to come by it. */
const FORMS: Record<Exclude<Variant, 'as they are'>, { is: string; do: (fit: Fit, d: number) => string }> = {
  centred: { is: 'when they are centred', do: () => CENTER },
  scaled: {
    is: 'when they are scaled to norm √d',
    do: (fit, d) =>
      `it was trained on activations scaled by ${(Math.sqrt(d) / fit.norm).toPrecision(3)}, which is not folded into its weights: load it with { normScalingFactor }`,
  },
  divided: {
    is: 'when they are divided by √d / their mean norm',
    do: (fit, d) =>
      `the scale of its training data, about ${(Math.sqrt(d) / fit.norm).toPrecision(3)}, was folded into its weights twice: load it with { normScalingFactor: 1 } where its file says expected_average_only_in, else with the weights from before the second folding`,
  },
  'with BOS': { is: 'when sequences begin with BOS', do: () => 'tokenize with { bos: true }' },
  'without BOS': { is: 'when sequences do not begin with BOS', do: () => 'tokenize with { bos: false }' },
  'without first tokens': {
    is: 'without the first token of each sequence',
    do: () =>
      'it was trained without first tokens: leave them out of what you count ({ ignoreTokens } of fg.sae.evaluate and fg.activations.save)',
  },
};

/** Of hooks that leave about as little unexplained, the one with the least error of the mean is the one of training. */
const AS_GOOD = 1.25;
/** Elsewhere the error of the mean is at least this many times what it is at the hook of training. */
const MEAN_ERROR = 1.5;
/** A poorly trained SAE explains this much more at its hook than at others, at least. */
const SOMEWHAT = 0.05;

const hooksAlone = (others: readonly Fit[]): Fit[] =>
  others.filter((fit) => fit.variant === 'as they are' && !Number.isNaN(fit.explainedVariance));

/** A hook that fits better, though not clearly, and whether both figures say so. */
interface Hint {
  fit: Fit;
  decided: boolean;
}

/**
 * A hook at which an SAE that explains little anywhere, since it is poorly trained, explains more than where it was asked
 * for. Decided where the error of the mean says the same; nothing where that says the opposite.
 */
function hinted(asked: Fit, others: readonly Fit[], turned: number): Hint | undefined {
  const own = asked.explainedVariance;
  const more = hooksAlone(others).filter(
    ({ explainedVariance: ev }) => ev >= own + SOMEWHAT && ev >= BAD && 1 - ev <= AS_TURNED * (1 - turned),
  );
  const [found] = more
    .filter((fit) => fit.meanError * MEAN_ERROR <= asked.meanError)
    .sort((a, b) => a.meanError - b.meanError);
  if (found) return { fit: found, decided: true };
  const [best] = more
    .filter((fit) => fit.explainedVariance >= own + BETTER && fit.meanError < asked.meanError * MEAN_ERROR)
    .sort((a, b) => b.explainedVariance - a.explainedVariance);
  return best && { fit: best, decided: false };
}

function hintText({ fit, decided }: Hint, asked: Fit): string {
  const figures = `explains ${percent(fit.explainedVariance)} at ${fit.hook} but ${percent(asked.explainedVariance)} at ${asked.hook}, where it was asked for`;
  const mean = ({ meanError }: Fit): string => `${(100 * meanError).toPrecision(2)} %`;
  return decided
    ? `${figures}, and the mean is ${mean(fit)} of its error there, ${mean(asked)} here: poorly trained, but of ${fit.hook} by both; give { hook: '${fit.hook}' } or load the SAE of ${asked.hook}`
    : `${figures}; the mean is ${mean(fit)} of its error there, ${mean(asked)} here. So little is explained at either that these figures do not tell which hook it was trained on: see what its source says`;
}

/** The better of other hooks and forms, when it is clearly better. */
function better(asked: Fit, others: readonly Fit[]): Fit | undefined {
  const own = Number.isNaN(asked.explainedVariance) ? -Infinity : asked.explainedVariance;
  const best = others
    .filter((fit) => !Number.isNaN(fit.explainedVariance))
    .reduce<Fit | undefined>((a, b) => (a && a.explainedVariance >= b.explainedVariance ? a : b), undefined);
  const clear =
    best && best.explainedVariance > BAD && best.explainedVariance >= own + BETTER && 1 - best.explainedVariance <= LEAVES * (1 - own); // prettier-ignore
  if (!clear || best.variant !== 'as they are') return clear ? best : undefined;
  const rest = AS_GOOD * (1 - best.explainedVariance);
  const near = hooksAlone(others).filter((fit) => 1 - fit.explainedVariance <= rest);
  return near.reduce((a, b) => (b.meanError * MEAN_ERROR <= a.meanError ? b : a), best);
}

function fitWarning(
  { asked, others, wantsCentred, centred, predicts, turned }: Omit<Conformance, 'warnings'>,
  d: number,
  baseline: boolean,
): string | undefined {
  const ev = asked.explainedVariance;
  const best = better(asked, others);
  if (predicts !== undefined) return transcoderWarning(asked, best, predicts);
  const says = wantsCentred && !centred ? '; its config says center_writing_weights: true' : '';
  if (best && best.variant !== 'as they are') {
    const form = FORMS[best.variant];
    return `explains ${percent(best.explainedVariance)} of the activations at ${best.hook} ${form.is} but ${percent(ev)} as they are${says}; ${form.do(asked, d)}`;
  }
  if (best)
    return `explains ${percent(best.explainedVariance)} at ${best.hook} but ${percent(ev)} at ${asked.hook}, where it was asked for${says}; give { hook: '${best.hook}' } or load the SAE of ${asked.hook}`;
  // Without `turned` this is the model and hook of its training: a low figure is a poorly trained SAE, not a wrong pairing.
  const hint = turned === undefined ? undefined : hinted(asked, others, turned);
  if (hint) return `${hintText(hint, asked)}${says}`;
  if (Number.isNaN(ev)) return `meets activations at ${asked.hook} that are all equal: there is nothing to explain`;
  const foreign = turned !== undefined && 1 - ev > AS_TURNED * (1 - turned);
  if (ev >= BAD && !foreign)
    return says
      ? `explains ${percent(ev)} at ${asked.hook}${says}, and these activations are not centred; ${CENTER}`
      : undefined;
  const nearest = others.reduce((a, b) => (b.explainedVariance > a.explainedVariance ? b : a), asked);
  const none =
    nearest === asked || nearest.hook === asked.hook
      ? 'and no better at its neighbours'
      : `and at best ${percent(nearest.explainedVariance)} at its neighbours (${nearest.hook})`;
  const chance = foreign ? `, and ${percent(turned)} of them in another basis, which is chance` : '';
  return (
    `explains ${percent(ev)} at ${asked.hook}${chance}, ${none}: ${baseline ? 'a baseline may explain as little' : 'is it an SAE of this model?'}${says ? `${says}: ${CENTER}` : ''}` +
    (centred && !wantsCentred
      ? " The activations are centred; an SAE of the plain model needs { process: 'none' }"
      : '')
  );
}

/** What the config says of the sequences of training, where these are others. */
function sequenceWarning({ asked, others, bos }: Omit<Conformance, 'warnings'>, sae: Sae): string | undefined {
  const said = sae.config.metadata.prepend_bos;
  if (typeof said !== 'boolean' || bos === undefined || said === bos) return undefined;
  const other = others.find(({ variant }) => variant === (bos ? 'without BOS' : 'with BOS'));
  const figures = other
    ? `: it explains ${percent(other.explainedVariance)} ${FORMS[other.variant as 'with BOS'].is}, ${percent(asked.explainedVariance)} as they are`
    : '';
  return `was trained on sequences ${said ? 'that begin with BOS' : 'without BOS'} (prepend_bos: ${said}), which these ${said ? 'do not' : 'have'}${figures}; tokenize with { bos: ${said} }`;
}

/** Of what a transcoder predicts at `predicts`; nothing is said where that is not known. */
function transcoderWarning(asked: Fit, best: Fit | undefined, predicts: string): string | undefined {
  const ev = asked.explainedVariance;
  if (predicts === '' || Number.isNaN(ev)) return undefined;
  if (best)
    return `explains ${percent(best.explainedVariance)} of what follows when it reads ${best.hook} but ${percent(ev)} of ${predicts} when it reads ${asked.hook}, where it was asked for; give { hook: '${best.hook}' } or load the transcoder of ${asked.hook}`;
  return ev < BAD
    ? `explains ${percent(ev)} of ${predicts}, which it predicts from ${asked.hook}: is it a transcoder of this model?`
    : undefined;
}

/** L0 this near to what is expected is that of training. */
const L0_SAME = 1.5;
/** A form that gives the L0 of training may explain this much less: sparser codes do. */
const L0_COSTS = 0.1;

const offBy = (l0: number, expected: number): number => Math.max(l0 / expected, expected / l0);

function sparsityWarning(
  { asked, others, expectedL0 }: Omit<Conformance, 'warnings'>,
  { dIn, dSae }: Sae['config'],
): string | undefined {
  const { l0 } = asked;
  if (l0 === 0) return 'has no feature that fires on any token';
  const said = `L0 ${l0.toPrecision(3)} at ${asked.hook}`;
  if (expectedL0 !== undefined && offBy(l0, expectedL0) > L0_FACTOR) {
    // In other units than those of training thresholds are passed too often or too rarely, whatever is explained.
    const form = others.find(
      (fit) =>
        (fit.variant === 'scaled' || fit.variant === 'divided') &&
        offBy(fit.l0, expectedL0) < L0_SAME &&
        fit.explainedVariance > asked.explainedVariance - L0_COSTS,
    );
    const units = form
      ? `, and ${form.l0.toPrecision(3)} ${FORMS[form.variant as 'scaled'].is}; ${FORMS[form.variant as 'scaled'].do(asked, dIn)}`
      : '';
    return `has ${said} where ${expectedL0.toPrecision(3)} is expected${units}`;
  }
  if (expectedL0 === undefined && dSae >= SUSPICIOUS.features && l0 / dSae > SUSPICIOUS.density)
    return `has ${said}, ${percent(l0 / dSae)} of its features: far from sparse`;
  return undefined;
}

/** The kind of baseline that an SAE is. */
function baselineOf({ config: { metadata } }: Sae): string | undefined {
  const training = isJsonObject(metadata.training) ? metadata.training : {};
  return typeof training.baseline === 'string' ? training.baseline : undefined;
}

/** For people; empty when all looks well. */
export function warningsOf(figures: Omit<Conformance, 'warnings'>, sae: Sae): string[] {
  const { tokens, l0, norm } = figures.asked;
  // Other units are why features fire too rarely or too often, and why little is explained.
  const baseline = baselineOf(sae);
  const fit = figures.threshold ?? fitWarning(figures, sae.config.dIn, baseline !== undefined);
  const isScale = figures.threshold !== undefined || fit?.includes('normScalingFactor');
  const sparsity = isScale ? undefined : sparsityWarning(figures, sae.config);
  const sequences = fit?.includes('{ bos: ') ? undefined : sequenceWarning(figures, sae);
  const told = [fit, sparsity, sequences];
  const found = told.filter((w) => w !== undefined);
  const expected = figures.expectedL0 === undefined ? '' : ` (expected ${figures.expectedL0.toPrecision(3)})`;
  return found.map(
    (w) =>
      `SAE ${sae.name}${baseline === undefined ? '' : ` (${baseline})`} ${w}${w.endsWith('?') ? '' : '.'} Measured on ${tokens} tokens: L0 ${l0.toPrecision(3)}${expected}, mean norm of activations ${norm.toPrecision(3)}; { conformance: false } silences this`,
  );
}
