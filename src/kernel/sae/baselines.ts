/** The baselines of an SAE: which there are, with what settings they are trained, and which a session has made. */
import type { JsonObject } from '../../protocol/notebook.js';
import type { Matrix } from '../compute/matrix.js';
import { canonicalJson, matrixId } from '../io/hash.js';
import { isJsonObject } from '../../protocol/objects.js';
import { ignoringOf, ignoringParameters } from '../models/ignored.js';
import type { TokenSet } from '../models/types.js';
import type { Environment } from '../verb/environment.js';
import type { Given } from '../verb/option.js';
import { DIRECTIONS } from './directions.js';
import { FROZEN } from './frozen.js';
import { TRAIN } from './trainOptions.js';
import type { Sae } from './types.js';

/** Parts held at a random start, and directions that nobody trained. */
export const BASELINES = [...FROZEN, ...DIRECTIONS] as const;
export type BaselineKind = (typeof BASELINES)[number];

/** Baselines by kind: those that were asked for. */
export type SaeBaselines = Readonly<Partial<Record<BaselineKind, Sae>>>;

/** The settings of an SAE's training, as its file says them. */
export function trainingOf({ name, config }: Sae): JsonObject {
  const { training } = config.metadata;
  if (isJsonObject(training)) return training;
  throw new Error(
    `${name} does not say how it was trained, so its baselines cannot be trained alike; train it with fg.sae.train`,
  );
}

/**
 * Options that train it again, on the same batches: all that its training had, defaults included.
 * @throws where it was trained on other tokens
 */
export function optionsOf(
  sae: Sae,
  tokens: TokenSet,
): Given<typeof TRAIN> & { hook: string; hookOut?: string; ignoreTokens?: number[] } {
  const training = trainingOf(sae);
  if (training.tokens !== tokens.id)
    throw new Error(
      `${sae.name} was trained on token set ${String(training.tokens).slice(0, 8)} but this text is ${tokens.id.slice(0, 8)}; give the text of its training`,
    );
  const named: JsonObject = { ...training, features: sae.config.dSae };
  const options = Object.fromEntries(
    Object.keys(TRAIN).flatMap((name) => (named[name] === undefined ? [] : [[name, named[name]]])),
  );
  const { ignoreTokens = [], ignoreBegins } = training;
  const left: JsonObject = { ...((ignoreTokens as number[]).length > 0 ? { ignoreTokens } : {}), ...(ignoreBegins ? { ignoreBegins } : {}) }; // prettier-ignore
  const usual = canonicalJson(ignoringParameters(ignoringOf(tokens)));
  return {
    ...(options as Given<typeof TRAIN>),
    hook: sae.config.hookName,
    ...(sae.config.hookNameOut === undefined ? {} : { hookOut: sae.config.hookNameOut }),
    ...(canonicalJson(left) === usual ? {} : { ignoreTokens: ignoreTokens as number[] }),
  };
}

/** L0 of its training; its own k where it says none. */
export function l0Of(sae: Sae): number {
  const { finalL0 } = trainingOf(sae);
  if (typeof finalL0 === 'number') return finalL0;
  if (sae.config.k !== undefined) return sae.config.k;
  throw new Error(`${sae.name} does not say its L0, so directions cannot be as sparse`);
}

interface Known {
  readonly sae: Sae;
  readonly baselines: SaeBaselines;
}
const made = new WeakMap<Environment, Map<string, Known>>();

/** Remembers the baselines of an SAE for calls with { baselines: true }. */
export function rememberBaselines(env: Environment, sae: Sae, baselines: SaeBaselines): void {
  const known = made.get(env) ?? new Map<string, Known>();
  made.set(env, known.set(sae.id, { sae, baselines: { ...known.get(sae.id)?.baselines, ...baselines } }));
}

const HOW =
  'await fg.sae.baselines(model, sae, text), with the text of its training, comes first (it loads what it made before)';

/** What a call with `baselines` stands beside an SAE. @throws where true was said and none were made */
export function baselinesFor(env: Environment, sae: Sae, given: true | SaeBaselines | undefined): SaeBaselines {
  if (given !== true) return given ?? {};
  const known = made.get(env)?.get(sae.id);
  if (known) return known.baselines;
  throw new Error(`no baselines of ${sae.name} were made in this session: ${HOW}`);
}

/** The SAE whose decoder rows are given, where this session made baselines of it. */
export function saeOfRows(env: Environment, rows: Matrix): Sae | undefined {
  const all = [...(made.get(env)?.values() ?? [])].map(({ sae }) => sae);
  return all.find(({ decoder }) => decoder === rows) ?? all.find(({ decoder }) => matrixId(decoder) === matrixId(rows));
}

/** The same by its decoder rows. @throws as baselinesFor() */
export function baselinesForRows(env: Environment, rows: Matrix, given: true | SaeBaselines | undefined): SaeBaselines {
  if (given !== true) return given ?? {};
  const sae = saeOfRows(env, rows);
  if (sae) return baselinesFor(env, sae, true);
  throw new Error(`these ${rows.rows} rows are of no SAE of which this session made baselines: ${HOW}`);
}
