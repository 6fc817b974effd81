/** fg.synthetic, its generating half: worlds, published generators, reports, samples, true activations. */
import { isShard, openActivations } from '../activations/store.js';
import type { SparseActivations } from '../activations/types.js';
import type { CallOptions } from '../compute/call.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { requireMemory } from '../compute/memory.js';
import { joinRows } from '../compute/sampling/span.js';
import type { SparseRows } from '../compute/sparse.js';
import { count, textItem } from '../present/items.js';
import { presetItems, worldItems } from '../present/synthetic.js';
import { reportCharts, reportItems } from '../present/worldReport.js';
import { argOf, CALL, KEPT, words } from '../verb/common.js';
import type { Environment } from '../verb/environment.js';
import { only, required, whole, type Parsed } from '../verb/option.js';
import { syncVerb, verb } from '../verb/verb.js';
import { generatedArg, worldArg } from './args.js';
import { createPreset } from './presets/presets.js';
import { PRESET, PRESET_NAME, PRESETS, type PresetOptions } from './presets/list.js';
import { MODEL, publishedWorld, recipeOf } from './saelens/options.js';
import type { World } from './types.js';
import { keptWorld } from './world/kept.js';
import { createWorld, WORLD_VERSION } from './world/world.js';
import { writeWorldActivations } from './world/activations.js';
import { WORLD, type WorldOptions } from './world/options.js';
import { REPORT, worldReport } from './world/report.js';

export const world = verb({
  doc: 'A world with known directions, frequencies, correlations and magnitudes of its features. world.sample(n) streams its samples, `world.dictionary` holds the directions. fg.artifacts.load(world.id) gives it back. Impossible requests are refused with the feasible range.',
  args: [],
  options: { ...WORLD, ...CALL },
  errors: ['Neither or both of `dim` and `superposition`, and laws that no distribution has, are refused.'],
  kinds: ['world'],
  run({ env, options, call }) {
    const recipe = only(WORLD, options) as WorldOptions;
    return keptWorld(env, recipe, createWorld({ ...recipe, ...call }));
  },
  show: (made) => worldItems(made),
});

export const preset = verb({
  doc: 'A published generator of synthetic activations, faults included, or its corrected form. Shown with what is known to be wrong with it. fg.synthetic.presets() lists them.',
  args: [argOf('name', PRESET_NAME)],
  options: { ...PRESET, ...CALL },
  errors: ['Options that the preset does not have are refused, with those that it has.'],
  kinds: ['world'],
  run({ env, options, call }, preset) {
    const recipe = { ...(only(PRESET, options) as Omit<PresetOptions, 'preset'>), preset };
    return keptWorld(env, recipe, createPreset({ ...recipe, ...call }));
  },
  show: (made) => worldItems(made),
});

export const presets = syncVerb({
  doc: 'The published generators and their corrected forms: where they come from, and what is wrong with them.',
  args: [],
  run: () => [...PRESETS],
  show: (list) => presetItems(list),
});

export const load = verb({
  doc: "A world in the form in which SAELens publishes it, by a folder or from the hub: fg.synthetic.load('decoderesearch/synth-sae-bench-16k-v2'). Directions, bias, probabilities, trees and factors are those of the files, and magnitudes those that SAELens draws; samples are drawn here.",
  args: [words('idOrFolder', "Folder against the notebook's folder, or an id on the hub.")],
  options: { ...MODEL, ...CALL },
  errors: ['Missing tensors, shapes that disagree and fields that are not known are refused by name.'],
  kinds: ['world'],
  run({ env, options, call }, from) {
    const asked = { ...only(MODEL, options), from };
    return keptWorld(env, recipeOf(asked), publishedWorld(env, asked, call));
  },
  show: (made) => worldItems(made),
});

export const report = verb({
  doc: 'What a world really does: realized L0, frequencies, co-firing and geometry from samples, with their deviation from the request in standard errors. Three charts are shown at once; the report itself is a table.',
  args: [generatedArg],
  options: { ...REPORT, ...CALL },
  async run({ env, options, call }, of) {
    const made = await worldReport(of, { ...only(REPORT, options), ...call });
    for (const items of reportCharts(made)) env.context.display(items);
    return made;
  },
  show: (made) => reportItems(made),
});

/** Samples of a world in memory. */
export interface WorldSamples {
  /** samples × dim. */
  x: Matrix;
  /** samples × features: the true activations. */
  codes: SparseRows;
}

async function sampleOf(of: World, n: number, options: CallOptions & { seed?: number }): Promise<WorldSamples> {
  requireMemory(`${count(n)} samples of width ${of.dim}`, 2 * n * of.dim * 4);
  const x = matrix(n, of.dim);
  const parts: SparseRows[] = [];
  for await (const batch of of.sample(n, options)) {
    x.data.set(batch.x.data, batch.first * of.dim);
    parts.push(batch.codes);
  }
  const { indptr, indices, values } = joinRows(parts);
  return { x, codes: { rows: n, cols: of.features, indptr, indices, values } };
}

export const sample = verb({
  doc: 'The first samples of a world, in memory: x and the true codes. world.sample(n) streams them instead.',
  args: [worldArg],
  options: {
    samples: required(whole({ doc: 'Samples taken from the start of the stream.', min: 1 })),
    seed: whole({ doc: 'Of the samples.', fallback: "the world's own" }),
    ...CALL,
  },
  errors: ['Samples that do not fit the memory budget are refused.'],
  run: ({ options: { samples, seed }, call }, of) => sampleOf(of, samples, { seed, ...call }),
});

const ACTIVATIONS = {
  samples: whole({ doc: 'Samples written.', min: 1, default: 20_000 }),
  seed: whole({ doc: 'Of the samples.', fallback: "the world's own: the samples that world.sample gives" }),
  ...KEPT,
};

/** The store of a world's true codes, from the artifact folder where the same call wrote it before. */
async function storeOf(
  env: Environment,
  of: World,
  { samples, seed, fresh }: Parsed<typeof ACTIVATIONS>,
  call: CallOptions,
): Promise<SparseActivations> {
  const key = {
    kind: 'activations',
    parameters: { samples, ...(seed === undefined ? {} : { seed }) },
    inputs: { world: of.id },
    codeVersion: WORLD_VERSION,
  };
  const {
    value: store,
    cached,
    record,
  } = await env.store.compute<SparseActivations>(key, {
    fresh,
    title: `True activations of ${of.description}`,
    make: async (folder) =>
      void (await writeWorldActivations(folder, of, samples, { seed, ...call, id: env.store.idOf(key) })),
    lazy: isShard,
    load: (folder, made) => openActivations(folder, undefined, made.files),
  });
  env.tellCached('True activations', cached, record);
  return store;
}

export const activations = verb({
  doc: 'Writes the true activations of samples as an artifact, which correlation, maps, the mapper and panels take like those of an SAE. A sample is one token, named after its strongest feature. The same call again loads it.',
  args: [worldArg],
  options: ACTIVATIONS,
  kinds: ['activations'],
  run: ({ env, options, call }, of) => storeOf(env, of, options, call),
  show: ({ meta }, _, { description }) => [
    textItem(`${description}: ${count(meta.tokens)} samples, ${count(meta.nonZeros)} non-zeros, true activations`),
  ],
});
