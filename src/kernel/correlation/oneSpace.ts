/**
 * What is said before SAEs are compared feature by feature: that two of them are one and the same, and that two lie in
 * spaces whose directions have no cosine that means something. Both calls have an answer, which is not the one that is
 * looked for.
 */
import type { SparseActivations } from '../activations/types.js';
import type { Matrix } from '../compute/matrix.js';
import { matrixId } from '../io/hash.js';
import { siteDifference, siteOf, siteText, type Site } from '../sae/site.js';

/** An SAE as a call has it. */
export interface ComparedSae {
  /** As messages call it: "SAE 1". */
  readonly name: string;
  readonly decoder: Matrix;
  readonly activations?: SparseActivations;
}

/** The words of a verb. */
export interface ComparedWords {
  /** What an SAE beside itself gives. */
  readonly same: string;
  /** What the SAEs of a call should differ in: "another seed". */
  readonly meant: string;
  /** Figures of cosines, where partners are by r. */
  readonly cosines: string;
}

/** The model that its activations were made with, and the SAE's own hook, as far as they say. */
function placeOf({ decoder, activations }: ComparedSae): Site | undefined {
  const own = siteOf(decoder);
  const meta = activations?.meta;
  if (!meta?.sae.decoder) return own;
  return { model: meta.model.name, modelId: meta.model.id, hook: own?.hook ? own.hook : meta.hook };
}

function elsewhere(x: ComparedSae, y: ComparedSae, { meant, cosines }: ComparedWords): string[] {
  const [at, there] = [placeOf(x), placeOf(y)];
  const what = siteDifference(at, there);
  if (!what) return [];
  const [here, other] = [siteText(at!), siteText(there!)];
  const where =
    here === other
      ? `${x.name} and ${y.name} are of two models that are both called ${at!.model}`
      : `${x.name} is of ${here} but ${y.name} of ${other}`;
  if (what === 'hook')
    return [`${where}: figures tell how far the two hooks have features in common, not what ${meant} changes`];
  const none = 'directions of two models have no axes in common, unless one was tuned from the other';
  return [
    y.activations
      ? `${where}: ${none}; r holds, but ${cosines} say nothing`
      : `${where}: ${none}, so their cosines say nothing; give { activations } of both over the same tokens`,
  ];
}

/** Warnings of a call: each SAE against the first, and every two that have the same decoder rows. */
export function comparedWarnings(saes: readonly ComparedSae[], words: ComparedWords): string[] {
  const ids = saes.map(({ decoder }) => matrixId(decoder));
  return saes.flatMap((sae, i) => {
    if (i === 0) return [];
    const twin = ids.indexOf(ids[i]);
    return twin < i
      ? [`${saes[twin].name} and ${sae.name} have the same decoder rows: ${words.same}`]
      : elsewhere(saes[0], sae, words);
  });
}
