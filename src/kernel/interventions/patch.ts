/** Patching activations or features from another prompt, or from another position of the same text. */
import { matrix, type Matrix } from '../compute/matrix.js';
import { sha256 } from '../io/hash.js';
import type { EditContext, EditedText, LanguageModel } from '../models/types.js';
import { encodePrompt } from '../models/prompt.js';
import { reconstruct } from '../sae/sae.js';
import type { Sae } from '../sae/types.js';
import type { Given } from '../verb/option.js';
import { featureIntervention, type Features } from './clamp.js';
import { requireDirectionHook, rowIntervention, type Intervention } from './intervention.js';
import { textOrIds, type ErrorOptions, type FeatureOptions, type PlaceOptions } from './options.js';
import { placesOption, selectorOf, type Selector } from './positions.js';
import { hookOf } from './steer.js';

export const PATCH = {
  prompt: textOrIds({
    doc: 'Prompt that values are taken from, run without interventions when the patch is made.',
    fallback: 'the text that runs itself',
  }),
  from: placesOption({
    doc: 'Positions in that prompt: one serves all that are patched, several go to them in order.',
    fallback: '`positions`, so that the same places of the two prompts are paired',
  }),
};
type PatchFrom = Given<typeof PATCH>;

/** Where values come from: rows of the source for rows of a pass. */
interface Donor {
  /** "from …", as shown. */
  where: string;
  parameters: { source: string; from: Selector['parameters'] };
  /**
   * For each row b·T + t of the pass the donating row, or -1 where there is none; and the matrix that it is a row of.
   */
  rows(rows: Int32Array, context: EditContext, all: Matrix): { donors: Int32Array; source: Matrix };
  check(text: EditedText, selector: Selector): void;
}

function donorOf(model: LanguageModel, hook: string, options: PatchFrom & PlaceOptions): Donor {
  const target = selectorOf(model, options.positions);
  const from = selectorOf(model, options.from ?? options.positions);
  const { prompt } = options;
  if (prompt === undefined && options.from === undefined)
    throw new TypeError('a patch needs where it comes from: give { prompt }, { from } (another position), or both');
  const clean = prompt === undefined ? undefined : capturedPrompt(model, hook, prompt);
  if (clean) from.check({ model, tokens: clean.ids, length: clean.ids.length });
  const sources = (ids: Int32Array, offset: number): number[] =>
    clean ? from.slots(clean.ids, 0) : from.slots(ids, offset);
  const open = target.open && from.open;
  return {
    where: clean
      ? `from ${clean.name}${options.from === undefined ? '' : ` ${from.where}`},`
      : `from ${from.where.replace(/^at /, '')} of the same text,`,
    parameters: {
      source: clean ? sha256(['prompt', model.id, clean.ids]) : 'same text',
      from: from.parameters,
    },
    rows(rows, { tokens, time, offset }, all) {
      const donors = new Int32Array(rows.length).fill(-1);
      for (let i = 0; i < rows.length;) {
        const b = Math.floor(rows[i] / time);
        const ids = tokens.subarray(b * time, (b + 1) * time);
        const targets = target.slots(ids, offset);
        const found = sources(ids, offset);
        const donated = new Map(targets.map((t, k) => [t, found.length === 1 ? found[0] : (found[k] ?? -1)]));
        for (; i < rows.length && Math.floor(rows[i] / time) === b; i++) {
          const donor = donated.get(rows[i] % time) ?? -1;
          donors[i] = donor < 0 || clean ? donor : b * time + donor;
        }
      }
      return { donors, source: clean ? clean.x : all };
    },
    check(text) {
      if (!clean) from.check(text);
      for (let at = 0; at < text.tokens.length; at += text.length) {
        const ids = text.tokens.subarray(at, at + text.length);
        requirePaired(target.slots(ids, 0).length, sources(ids, 0).length, open, at / text.length);
      }
    },
  };
}

function requirePaired(targets: number, sources: number, open: boolean, sequence: number): void {
  if (targets === 0 || sources === 1 || sources === targets || (open && sources > 0)) return;
  throw new RangeError(
    `${sources} positions to take from do not pair with ${targets} to patch${sequence > 0 ? ` (sequence ${sequence})` : ''}; give one, or as many`,
  );
}

/** A prompt's activation at a hook without interventions, [T, d]. */
function capturedPrompt(
  model: LanguageModel,
  hook: string,
  prompt: string | Int32Array,
): { ids: Int32Array; x: Matrix; name: string } {
  const width = requireDirectionHook(model, hook);
  const ids = typeof prompt === 'string' ? encodePrompt(model.tokenizer, prompt) : prompt;
  if (ids.length === 0) throw new RangeError('the prompt to take from has no tokens; give it at least one word');
  const { captured, logits } = model.forward(ids, 1, { capture: [hook], stopAt: hook });
  logits?.dispose();
  const tensor = captured.get(hook)!;
  try {
    const x = matrix(ids.length, width, tensor.dataSync<'float32'>().slice());
    return { ids: ids.slice(), x, name: JSON.stringify(model.tokenizer.decode(ids)) };
  } finally {
    tensor.dispose();
  }
}

/**
 * Replaces the activation at `hook` by that of another prompt, or of another position of the same text (which is then
 * read as earlier interventions left it). Patching a text from itself changes nothing, bit for bit. 'all' and { from,
 * to } are paired from the front as far as both texts go; other positions pair one to one, in order.
 * @throws TypeError without a source; RangeError when positions do not pair, lie outside, or a token does not occur.
 */
export function patch(model: LanguageModel, hook: string, options: PatchFrom & ErrorOptions): Intervention {
  requireDirectionHook(model, hook);
  const donor = donorOf(model, hook, options);
  const { sae } = options;
  const drop = options.errorTerm === 'drop' ? sae : undefined;
  return rowIntervention(model, {
    hook,
    what: `patch ${hook} ${donor.where}`,
    parameters: { kind: 'patch', ...donor.parameters },
    place: options,
    sae,
    check: (text, selector) => donor.check(text, selector),
    change({ rows, context, all, out }) {
      const { donors, source } = donor.rows(rows, context, all);
      for (let i = 0; i < rows.length; i++) {
        if (donors[i] < 0) continue;
        const taken = source.data.subarray(donors[i] * source.cols, (donors[i] + 1) * source.cols);
        const written = drop ? reconstruct(drop, matrix(1, source.cols, taken.slice())).reconstruction.data : taken;
        out.data.set(written, i * out.cols);
      }
    },
  });
}

/**
 * Sets features to what they are in another prompt, or at another position of the same text: x + Σ (g − f)·W_dec. What
 * the other features and the error term hold stays. A feature that already has the value, to the rounding of the
 * encoder, is not changed.
 * @throws as patch, and RangeError on ids outside the SAE.
 */
export function patchFeatures(
  model: LanguageModel,
  sae: Sae,
  features: Features,
  options: PatchFrom & FeatureOptions,
): Intervention {
  const donor = donorOf(model, hookOf(sae, options.hook), options);
  return featureIntervention(model, sae, features, options, (_set, chosen) => ({
    what: (name) => `patch ${name} ${donor.where}`,
    parameters: { kind: 'patchFeatures', ...donor.parameters },
    check: (text, selector) => donor.check(text, selector),
    wanted(now, { rows, context, all }) {
      const { donors, source } = donor.rows(rows, context, all);
      const distinct = [...new Set(donors)].filter((r) => r >= 0);
      const taken = matrix(distinct.length, source.cols);
      distinct.forEach((r, i) =>
        taken.data.set(source.data.subarray(r * source.cols, (r + 1) * source.cols), i * source.cols),
      );
      const { values } = chosen.read(taken);
      const place = new Map(distinct.map((r, i) => [r, i]));
      const n = now.ids.length;
      const wanted = now.values.slice();
      donors.forEach((r, i) => {
        if (r < 0) return;
        const at = place.get(r)! * n;
        wanted.set(values.subarray(at, at + n), i * n);
      });
      return wanted;
    },
  }));
}
