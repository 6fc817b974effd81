/** fg.correlation, beyond a score: relations between words, one rotation between two SAEs, stability over seeds. */
import { asParameters } from '../artifacts/parameters.js';
import { requireSame } from '../artifacts/store.js';
import { matrixId, sha256 } from '../io/hash.js';
import { asMatrix, type MatrixInput } from '../io/matrixInput.js';
import type { Matrix } from '../compute/matrix.js';
import * as picture from '../present/geometry.js';
import { CONFORMANCE, pairs as pairings } from '../sae/pairing.js';
import { CALL, KEPT, requireThing, thing, type Arg } from '../verb/common.js';
import { CLUSTER } from '../verb/split.js';
import { verb } from '../verb/verb.js';
import { RELATIONS, relations as relate, relationSettings, runNamesOf } from './relations.js';
import { comparedWarnings } from './oneSpace.js';
import { halvesOfSide, residualVectors } from './residuals.js';
import { rotationTransfer, TRANSFER, transferRunNames, transferSettings } from './rotation.js';
import { requireSide, sideArg, sidePairings } from './sides.js';
import {
  STABILITY,
  stability as stable,
  STABILITY_VERSION,
  stabilityRunNames,
  stabilitySettings,
} from './stability.js';
import type { PairedMap } from './types.js';

const mapArg = thing<PairedMap>('map', 'What fg.correlation.map returned.');

export const relations = verb({
  doc: "Feature relations of words in two models. Each word's best feature in A and in B; the words that lie nearest to it in each and their overlap; and whether relations between words (king → queen, prince → princess) stand to each other in B as they do in A: the cosines among relation vectors in A against those in B, for decoder rows and, where the sides have models, for mean activations at the SAE's hook. Vectors of the two models are never compared directly, so no common space is needed. Intervals are bootstraps over words, or over relations. Words that share a feature, and words without one, are named.",
  args: [sideArg('a', 'A'), sideArg('b', 'B'), mapArg],
  options: { ...RELATIONS, ...CONFORMANCE, ...CLUSTER, ...CALL },
  errors: [
    'An SAE that the map was not made with, and a model of another tokenizer, are refused.',
    'A relation from a word to itself is refused.',
  ],
  check({ pairs }, a, b, map) {
    const same = pairs.find(([from, to]) => from.trim().toLowerCase() === to.trim().toLowerCase());
    if (same)
      throw new RangeError(`fg.correlation.relations: ${same[0]} → ${same[1]} leads nowhere; give two different words`);
    requireSide(a, map.a, 'A');
    requireSide(b, map.b, 'B');
  },
  before: pairings((_, a, b, map) => sidePairings(a, b, map)),
  run: ({ options, call, remember }, a, b, map) =>
    relate(
      {
        map,
        decoders: { a: a.sae.decoder, b: b.sae.decoder },
        pairs: options.pairs,
        ...(a.model && b.model ? { residual: residualVectors(a, b, map, options.sequences, call) } : {}),
      },
      relationSettings(options),
      { ...call, remember },
    ),
  split: {
    unit: 'null runs and intervals',
    version: 1,
    inputs: (_, a, b, map) => ({ a: a.sae.id, b: b.sae.id, modelA: a.model?.id, modelB: b.model?.id, map: map.id }),
    pieces(options, a, b, map) {
      const names = runNamesOf(relationSettings(options));
      const words = 2 * options.pairs.length;
      const widths = a.sae.config.dIn + b.sae.config.dIn;
      // Activations of the sequences with these words, and both stores' firings on them, which are read by shards.
      const rows = a.model && b.model ? options.sequences * map.a.meta.context : 0;
      return {
        pieces: names,
        work: { amount: names.length, unit: `orders of up to ${words} words, and their intervals` },
        memory: 8 * widths * (2 * words + rows) + 2 ** 28,
        disk: 128 * names.length,
      };
    },
  },
  show: (found, { env }) => env.displayButLast(picture.relationOutputs(found)),
});

export const transfer = verb({
  doc: "Are two SAEs the same up to a rotation? One rotation (orthogonal Procrustes) takes B's decoder rows to A's, fitted on some matched pairs and judged on the others by their cosine before and after; and, where the sides have models, by how much of B's activations A's SAE explains on held-out tokens: as they are, at A's mean and scale, and turned as well, beside rotations fitted on shuffled pairs. Intervals are bootstraps over pairs, or over sequences.",
  args: [sideArg('a', 'A'), sideArg('b', 'B'), mapArg],
  options: { ...TRANSFER, ...CONFORMANCE, ...CLUSTER, ...CALL },
  errors: [
    'An SAE that the map was not made with, and a model of another tokenizer, are refused.',
    'Fewer than 2 training or 2 held-out pairs are refused.',
  ],
  check(_, a, b, map) {
    requireSide(a, map.a, 'A');
    requireSide(b, map.b, 'B');
  },
  before: pairings((_, a, b, map) => sidePairings(a, b, map)),
  async run({ options, call, remember }, a, b, map) {
    const both = a.model !== undefined && b.model !== undefined;
    const halves = { a: both ? await halvesOfSide(a, map.a, options.sequences, call) : undefined, b: both ? await halvesOfSide(b, map.b, options.sequences, call) : undefined }; // prettier-ignore
    return rotationTransfer(
      {
        a: { sae: a.sae, ...(halves.a ? { activations: halves.a } : {}) },
        b: { sae: b.sae, ...(halves.b ? { activations: halves.b } : {}) },
        pairs: map.pairs,
      },
      transferSettings(options),
      { ...call, remember },
    );
  },
  split: {
    unit: 'null runs',
    version: 1,
    inputs: (_, a, b, map) => ({
      ...{ a: a.sae.id, b: b.sae.id, modelA: a.model?.id, modelB: b.model?.id, map: map.id },
      // A filtered map has the id of the whole one.
      pairs: sha256([map.pairs.a, map.pairs.b]),
    }),
    pieces(options, a, b, { pairs, a: store }) {
      const names = transferRunNames(transferSettings(options));
      const widths = a.sae.config.dIn + b.sae.config.dIn;
      const rows = a.model && b.model ? options.sequences * store.meta.context : 0;
      return {
        pieces: names,
        work: { amount: names.length, unit: `rotations fitted on shuffles of ${pairs.a.length} pairs` },
        memory: 12 * widths * (pairs.a.length + 2 * rows + widths) + 4 * rows * a.sae.config.dSae,
        disk: 64 * names.length,
      };
    },
  },
  show: (found) => picture.transferItems(found),
});

/** SAEs, or decoder rows, each by itself. */
const saesArg: Arg<readonly MatrixInput[], readonly Matrix[]> = {
  name: 'saes',
  doc: 'The SAE that is measured, then the others: two or more SAEs, or their decoder rows.',
  parse: async (given, at) => {
    const list = requireThing(given, at);
    if (!Array.isArray(list) || list.length < 2)
      throw new TypeError(`${at} is ${Array.isArray(list) ? `an array of ${list.length}` : 'no array'}; expected an array of 2 or more SAEs`); // prettier-ignore
    return Promise.all(list.map((one: unknown, i) => asMatrix(requireThing(one, `${at}[${i}]`) as MatrixInput, `${at}[${i}]`))); // prettier-ignore
  },
};

const WITH_ITSELF = {
  same: 'every feature finds itself there, which says nothing of other seeds; give SAEs that were trained apart',
  meant: 'another seed',
  cosines: 'MMCS and subspace',
} as const;

export const stability = verb({
  doc: 'Which features of an SAE come back in others of the same activations, such as those of other seeds. Of each feature the share of the others in which it has a partner at a least cosine or r, its best likeness, and, where it has no partner, whether the directions around it come back as a subspace (principal angles): columns for maps and graphs (`fg.show(layout, { activations, columns: stable.columns })`), tables and charts. Of the SAE the mean stability, MMCS (mean of the largest cosines) and the mean subspace match, each beside its null and with a bootstrap interval over features. An SAE that is given twice, and SAEs of other models or hooks, are warned of.',
  args: [saesArg],
  options: { ...STABILITY, ...CLUSTER, ...KEPT },
  errors: [
    'SAEs of different widths of activation are refused, and activations of other tokens, other sizes or other decoders.',
    'minFirings without activations is refused.',
  ],
  check({ activations, minFirings }, saes) {
    if (!activations && minFirings !== undefined)
      throw new TypeError('fg.correlation.stability: minFirings is read with activations alone; give { activations }');
    activations?.forEach(({ meta: { sae } }, i) => {
      if (sae.decoder && saes[i])
        requireSame(
          `activations ${i} were made with another decoder`,
          { name: `activations of ${sae.name}`, id: sae.decoder },
          { name: `SAE ${i}`, id: matrixId(saes[i]) },
        );
    });
  },
  before({ env, options: { activations } }, saes) {
    const all = saes.map((decoder, i) => ({ name: `SAE ${i}`, decoder, activations: activations?.[i] }));
    for (const warning of comparedWarnings(all, WITH_ITSELF)) env.context.print(`Warning: ${warning}`);
    return Promise.resolve();
  },
  run: ({ options, call, remember }, decoders) =>
    stable(
      { decoders, ...(options.activations ? { activations: options.activations } : {}) },
      stabilitySettings(options),
      { ...call, remember },
    ),
  keep: {
    kind: 'stability',
    version: STABILITY_VERSION,
    what: 'Stability',
    resume: true,
    inputs: ({ activations }, saes) => ({
      ...Object.fromEntries(saes.map((m, i) => [`sae${i}`, matrixId(m)])),
      ...Object.fromEntries((activations ?? []).map(({ id }, i) => [`activations${i}`, id])),
    }),
    parameters: ({ parsed }) => asParameters(stabilitySettings(parsed)),
  },
  split: {
    unit: 'null runs',
    version: 1,
    pieces(options, saes) {
      const names = stabilityRunNames(stabilitySettings(options));
      const [{ rows }] = saes;
      const entries = (options.activations ?? []).reduce((sum, { meta }) => sum + meta.nonZeros + meta.tokens, 0);
      return {
        pieces: names,
        work: { amount: names.length, unit: `null runs of ${rows} features in ${saes.length - 1} other SAEs` },
        memory: 32 * entries + 12 * saes.reduce((sum, { data }) => sum + data.length, 0) + 2 ** 28,
        disk: 96 * names.length,
      };
    },
  },
  show: (found, { env }) => env.displayButLast(picture.stabilityOutputs(found)),
});
