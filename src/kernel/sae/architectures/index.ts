/** Every architecture, one line each, and those that are refused by name with what to do. */
import { abstopk } from './abstopk.js';
import type { Architecture } from './architecture.js';
import { batchtopk } from './batchtopk.js';
import { decoder } from './decoder.js';
import { gated } from './gated.js';
import { groupmax } from './groupmax.js';
import { jumprelu } from './jumprelu.js';
import { jumpreluSkipTranscoder } from './jumpreluSkipTranscoder.js';
import { jumpreluTranscoder } from './jumpreluTranscoder.js';
import { matchingPursuit } from './matchingPursuit.js';
import { matryoshkaBatchtopk } from './matryoshkaBatchtopk.js';
import { skipTranscoder } from './skipTranscoder.js';
import { standard } from './standard.js';
import { topk } from './topk.js';
import { transcoder } from './transcoder.js';

export const ARCHITECTURES = [
  standard,
  topk,
  gated,
  jumprelu,
  batchtopk,
  matryoshkaBatchtopk,
  abstopk,
  groupmax,
  matchingPursuit,
  transcoder,
  skipTranscoder,
  jumpreluTranscoder,
  jumpreluSkipTranscoder,
  decoder,
] as const satisfies readonly Architecture[];

/** One file of `architectures/` each; 'decoder' is a decoder without its encoder. */
export type SaeArchitecture = (typeof ARCHITECTURES)[number]['name'];

/** Known, and not computed here. */
const REFUSED: Readonly<Record<string, string>> = {
  temporal:
    'its features depend on earlier tokens of the sequence, and rows are encoded one by one here; encode in SAELens, or load W_dec alone for its directions',
};

/** @throws when there is no such architecture, saying what is supported. `where` begins the message: a file. */
export function architectureOf(name: unknown, where = ''): Architecture<SaeArchitecture> {
  const found = ARCHITECTURES.find((a) => a.name === name);
  if (found) return found;
  const refused = typeof name === 'string' && Object.hasOwn(REFUSED, name) ? `: ${REFUSED[name]}` : '';
  const known = ARCHITECTURES.map((a) => a.name).join(', ');
  throw new Error(
    `${where}SAE architecture "${String(name)}" is not supported${refused || `; supported are ${known}`}`,
  );
}
