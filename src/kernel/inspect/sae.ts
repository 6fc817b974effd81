/** An SAE's file or folder, read by the layouts of sae/layouts as loading reads it, without its matrices. */
import { join } from 'node:path';
import type { Json } from '../../protocol/notebook.js';
import { kindOfPath, messageOf, readJson } from '../io/files.js';
import { SaeFiles } from '../sae/layouts/files.js';
import { LAYOUTS } from '../sae/layouts/index.js';
import { NeedsOption, type Layout, type SaeParts } from '../sae/layouts/layout.js';
import { checkConfig, checkShapes } from '../sae/sae.js';
import type { Report, Subject } from './report.js';
import type { SaeFact } from './types.js';
import { lookAtValues } from './values.js';
import { quoted } from './words.js';
import { isJsonObject } from '../../protocol/objects.js';

/** The layout that takes a file or folder, by the tensors in it; undefined when none does, or it cannot be opened. */
export async function saeLayout(path: string): Promise<Layout | undefined> {
  const files = await SaeFiles.open(path, {}, true).catch(() => undefined);
  if (!files) return undefined;
  try {
    return LAYOUTS.find((layout) => layout.recognises(files));
  } finally {
    await files.close();
  }
}

export async function inspectSae(subject: Subject, report: Report): Promise<void> {
  report.is('sae', 'SAE', saeLine(subject));
  let files: SaeFiles;
  try {
    files = await SaeFiles.open(subject.path, {}, true);
  } catch (error) {
    return report.failed(error);
  }
  try {
    report.addTensors(files.source);
    if (!subject.remote) await lookAtValues(report, files.source, 'refused', subject.signal);
    const layout = LAYOUTS.find((l) => l.recognises(files));
    if (!layout) {
      report.add(
        'needs-option',
        'refused',
        "no known layout has these tensors; say where they are: { map: { W_enc: 'their.name', b_enc: …, W_dec: …, b_dec: … } }",
        files.names(),
      );
      return;
    }
    report.is('sae', layout.name, saeLine(subject));
    await readLayout(layout, files, report);
  } finally {
    await files.close();
  }
}

function saeLine({ asked, inside, remote }: Subject): string {
  return remote
    ? `const sae = await fg.sae.load(${quoted(inside ?? '.')}, { repo: ${quoted(asked)} })`
    : `const sae = await fg.sae.load(${quoted(asked)})`;
}

async function readLayout(layout: Layout, files: SaeFiles, report: Report): Promise<void> {
  report.inspection.sae = factOf(layout, undefined);
  let parts: SaeParts;
  try {
    parts = await layout.read(files);
  } catch (error) {
    // What the layout had not come to yet is not unused.
    return report.failed(error, error instanceof NeedsOption ? 'needs-option' : 'config-refused');
  }
  report.inspection.sae = factOf(layout, parts);
  const { tensors, fields } = files.unused();
  if (tensors.length > 0)
    report.add(
      'unknown-tensor',
      'refused',
      `${files.describe(tensors)} would not be used, and may change what the SAE computes; { ignore: [name, …] } leaves them out`,
      tensors,
    );
  if (fields.length > 0)
    report.add(
      'unknown-field',
      'refused',
      `${files.configName}: the fields ${fields.slice(0, 8).join(', ')}${fields.length > 8 ? ` and ${fields.length - 8} more` : ''} are not known; { ignore: [name, …] } leaves them out`,
      fields,
    );
  tellNorm(parts, report);
  try {
    if (parts.config.normalizeActivations !== 'expected_average_only_in') checkConfig(parts.config);
    checkShapes(parts.config, parts.weights);
  } catch (error) {
    report.failed(error, /must be \[/.test(messageOf(error)) ? 'shape-mismatch' : 'config-refused');
  }
  await tellThreshold(layout, files, parts, report);
}

function factOf(layout: Layout, parts: SaeParts | undefined): SaeFact {
  const config = parts?.config;
  return {
    layout: layout.name,
    architecture: config?.architecture ?? null,
    dIn: config?.dIn ?? null,
    dSae: config?.dSae ?? null,
    dOut: config?.dOut ?? config?.dIn ?? null,
    k: config?.k ?? null,
    hook: config?.hookName || null,
    hookOut: config?.hookNameOut ?? null,
    model: config?.modelName || null,
    normalize: config?.normalizeActivations ?? null,
    subtractsBDec: config?.applyBDecToInput ?? null,
  };
}

function tellNorm({ config: { normalizeActivations, metadata } }: SaeParts, report: Report): void {
  if (normalizeActivations === 'expected_average_only_in')
    report.add(
      'norm-not-folded',
      'refused',
      'activations were scaled in training, and the scale is not in the weights nor recorded beside them: give { normScalingFactor } (√d_in / mean ‖x‖ of the training activations; 1 if it was folded already)',
    );
  if (metadata.norm_scaling_factor !== undefined)
    report.add(
      'norm-folded-on-load',
      'note',
      `activations were scaled by ${JSON.stringify(metadata.norm_scaling_factor)} in training; loading folds it into the weights`,
    );
  const kwargs = metadata.model_from_pretrained_kwargs;
  if (isJsonObject(kwargs) && kwargs.center_writing_weights === true)
    report.add(
      'centered-model',
      'note',
      "it was trained on a model with centred weights: load that with { process: 'center' }",
    );
}

/** BatchTopK SAEs of SAELens have one threshold, which its versions up to 6.18 did not scale when they folded a norm. */
async function tellThreshold(
  layout: Layout,
  files: SaeFiles,
  { weights, config }: SaeParts,
  report: Report,
): Promise<void> {
  const { threshold } = weights;
  const single = threshold !== undefined && threshold.length > 1 && threshold.every((t) => t === threshold[0]);
  // Long vectors are zeros where only headers are read.
  if (!single || threshold[0] === 0 || layout.name !== 'SAELens folder' || config.architecture !== 'jumprelu') return;
  if (await wasScaled(files.folder))
    report.add(
      'unscaled-threshold',
      'warning',
      'a BatchTopK SAE whose activations were scaled in training: its one threshold may be of scaled activations where the weights are not; compare L0 with k by fg.sae.evaluate, which says the { thresholdScale } that mends it',
    );
  else
    report.add(
      'single-threshold',
      'note',
      'one threshold for all features, as BatchTopK SAEs have it; if its L0 is far from k, fg.sae.evaluate says the { thresholdScale } that mends it',
    );
}

async function wasScaled(folder: string): Promise<boolean> {
  const path = join(folder, 'runner_cfg.json');
  if ((await kindOfPath(path)) !== 'file') return false;
  const cfg = (await readJson(path)) as Json;
  const scaled = (o: Json | undefined): boolean =>
    isJsonObject(o) && o.normalize_activations === 'expected_average_only_in';
  return scaled(cfg) || (isJsonObject(cfg) && scaled(cfg.sae));
}
