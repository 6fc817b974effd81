/** Reads SAEs of every layout in layouts/. */
import { scaleAll } from './fold.js';
import { SaeFiles } from './layouts/files.js';
import { LAYOUTS } from './layouts/index.js';
import type { LoadSaeOptions } from './layouts/layout.js';
import { mapped } from './layouts/mapped.js';
import { createSae } from './sae.js';
import type { Sae } from './types.js';

export { SAE_CONFIGS, SAE_WEIGHTS } from './layouts/files.js';
export type { LoadSaeOptions, MappedTensor } from './layouts/layout.js';

/**
 * Loads an SAE from a folder or a file of a known layout (docs/formats.md), or of any layout by { map }. Every tensor and
 * every config field is used, known to change nothing, or refused by name. Throws when something is missing, shapes
 * disagree, weights are not finite, or the architecture is not supported.
 */
export async function loadSae(fileOrFolder: string, options: LoadSaeOptions = {}): Promise<Sae> {
  const files = await SaeFiles.open(fileOrFolder, options);
  try {
    const layout = options.map ? mapped : LAYOUTS.find((l) => l.recognises(files));
    if (!layout) {
      const known = LAYOUTS.map((l) => `${l.name}: ${l.signs}`).join('; ');
      throw new Error(
        `${files.path}: no SAE known by these tensors: ${files.describe()}. Known are ${known}. ` +
          "For another layout say where the tensors are: { map: { W_enc: 'their.name', b_enc: …, W_dec: …, b_dec: … } }",
      );
    }
    const { config, weights } = await layout.read(files);
    const scale = weights.threshold ? files.option('thresholdScale') : undefined;
    if (scale !== undefined) {
      scaleAll(weights.threshold!, scale);
    }
    files.finish(layout.name);
    const { hookName, modelName, modelId } = options;
    return createSae(
      {
        ...config,
        ...(hookName === undefined ? {} : { hookName }),
        ...(modelName === undefined ? {} : { modelName }),
        ...(modelId === undefined ? {} : { modelId }),
      },
      weights,
    );
  } finally {
    await files.close();
  }
}
