/** What one family of models declares: how its config.json reads, and where its weights lie. */
import type { JsonObject } from '../../../protocol/notebook.js';
import type { ModelNames } from '../layout.js';
import type { ModelConfig, ModelFamily } from '../types.js';
import type { Fields } from './fields.js';

export interface Family {
  /** model_type of config.json. */
  readonly name: ModelFamily;
  /** Class in `architectures`, for config files without model_type. */
  readonly architecture: string;
  /** Reads config.json. @throws for a value that changes the maths and is not computed here, by name. */
  read(fields: Fields): ModelConfig;
  /** What Hugging Face transformers and `read` both understand, less what all families share (config.ts). */
  write(config: ModelConfig): JsonObject;
  /** Hugging Face's weight names. */
  names(config: ModelConfig): ModelNames;
  /** Prefix of those names that some files leave out. */
  readonly prefix: string;
}

/** A projection or a norm with weight and bias. */
export const both = (module: string): { weight: string; bias: string } => ({
  weight: `${module}.weight`,
  bias: `${module}.bias`,
});

/** A projection or a norm without bias. */
export const weightOnly = (module: string): { weight: string } => ({ weight: `${module}.weight` });
