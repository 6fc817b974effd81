/** Families of language models, each in a file of its own: adding one is that file and a line here. */
import type { JsonObject } from '../../../protocol/notebook.js';
import type { ModelFamily } from '../types.js';
import type { Family } from './family.js';
import { brief } from './fields.js';
import { gemma, gemma2, gemma3 } from './gemma.js';
import { gpt2 } from './gpt2.js';
import { gptNeo } from './gptNeo.js';
import { gptNeoX } from './gptNeoX.js';
import { llama, mistral, qwen2, qwen3 } from './llama.js';

export const FAMILIES: readonly Family[] = [gpt2, gptNeo, gptNeoX, llama, mistral, qwen2, qwen3, gemma, gemma2, gemma3];

/** The family of that name. */
export function familyNamed(name: ModelFamily): Family {
  const family = FAMILIES.find((f) => f.name === name);
  if (family) return family;
  throw new Error(`family ${String(name)} is not one of ${FAMILIES.map((f) => f.name).join(', ')}`);
}

/** The family that a config.json names by model_type or, where that is missing, by its architecture. */
export function familyOf(json: JsonObject, where: string): Family {
  const type = json.model_type;
  const architecture = Array.isArray(json.architectures) ? json.architectures[0] : undefined;
  const family = FAMILIES.find((f) => (type === undefined ? f.architecture === architecture : f.name === type));
  if (family) return family;
  throw new Error(
    `${where}: model_type ${brief(type) ?? 'missing'} (architecture ${brief(architecture) ?? 'missing'}) is not supported; ` +
      `supported are ${FAMILIES.map((f) => f.name).join(', ')}`,
  );
}
