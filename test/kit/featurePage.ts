/** A feature page of a small real model and SAE, made by fg itself, with the files of its bundle. */
import fs from 'node:fs';
import path from 'node:path';
import { createFg } from '#kernel/api/index.js';
import type { FeatureDescriptor } from '#protocol/feature.js';
import { DISPLAY } from '#kernel/present/items.js';
import type { LiveHandler } from '#kernel/verb/context.js';
import type { MapDescriptor } from '#protocol/map.js';
import { MIME } from '#protocol/mime.js';
import type { OutputItem } from '#protocol/notebook.js';
import type { PromptDescriptor } from '#protocol/prompt.js';
import { collectingContext, shownJson } from './context.js';

export interface MadePage {
  descriptor: FeatureDescriptor;
  files: Record<string, Uint8Array>;
  /** What the cell of a table of its features, and of features of the other SAE, shows. */
  tables: OutputItem[][];
  /** A prompt box of both SAEs, which page and map carry too; `ask` answers it. */
  box: PromptDescriptor;
  twin: { descriptor: MapDescriptor; files: Record<string, Uint8Array> };
  ask: LiveHandler;
  /** Answers the page while the folder of the test is there. */
  askPage: LiveHandler;
}

/** What the box has tried. */
export const PROMPTS = ['Lily found a little red ball in the park.', 'The king was very sad.'];

const models = path.resolve(import.meta.dirname, '../../examples/models');
const SAE = {
  hook: 'blocks.0.hook_mlp_out',
  architecture: 'topk',
  k: 8,
  steps: 60,
  trainBatchSizeTokens: 512,
} as const;

/** The page of `feature` (default: the one that fires most) of an SAE of 96 features, mapped to one of another model. */
export async function realFeaturePage(carried = 60): Promise<MadePage & { feature: number }> {
  const context = collectingContext();
  const fg = await createFg(context, { device: 'cpu' });
  const text = fg.datasets.stories({ seed: 1, stories: 60, context: 48 });
  const [small, large] = [await fg.models.load(`${models}/tiny-stories-1L`), await fg.models.load(`${models}/tiny-stories-2L`)]; // prettier-ignore
  const sae = await fg.sae.train(small, text, { ...SAE, features: 96, lr: 3e-3 });
  const other = await fg.sae.train(large, text, { ...SAE, features: 64, lr: 3e-3 });
  const [a, b] = [await fg.activations.save(small, sae, text), await fg.activations.save(large, other, text)];
  const map = await fg.correlation.map(a, b, { minFirings: 2 });
  const layouts = [await fg.maps.umap(sae.decoder), await fg.maps.pca(sae.decoder)];
  const { firings } = a.statistics;
  const feature = firings.indexOf(firings.reduce((m, n) => Math.max(m, n), 0));
  const notes = { [feature]: 'seen on almost every story' };
  const prompt = await fg.show.prompt([small, large], [sae, other], PROMPTS, { activations: [a, b] });
  const live = context.views.get(prompt.meta.live)!;
  await fg.show.feature(a, feature, { sae, model: small, map, layouts, notes, carried, prompt });
  await fg.show.map([layouts[0], await fg.maps.umap(other.decoder)], { map, prompt, title: 'Both models' });
  const descriptor = shownJson<FeatureDescriptor>(context, MIME.feature);
  const filesOf = (of: { path: string }): Record<string, Uint8Array> => {
    const folder = path.join(context.outputFolder, of.path);
    return Object.fromEntries(fs.readdirSync(folder).map((f) => [f, new Uint8Array(fs.readFileSync(path.join(folder, f)))])); // prettier-ignore
  };
  const files = filesOf(descriptor);
  const found = [await fg.activations.tokens(a, { features: [feature, 3, 5], top: 2 }), await fg.correlation.associations(map)]; // prettier-ignore
  const tables = await Promise.all(found.map((each) => (each as unknown as { [DISPLAY](): Promise<OutputItem[]> })[DISPLAY]())); // prettier-ignore
  const box = shownJson<PromptDescriptor>(context, MIME.prompt);
  const twin = shownJson<MapDescriptor>(context, MIME.map);
  return {
    descriptor,
    files,
    tables,
    feature,
    box,
    twin: { descriptor: twin, files: filesOf(twin) },
    ask: live,
    askPage: context.views.get(descriptor.meta.live)!,
  };
}
