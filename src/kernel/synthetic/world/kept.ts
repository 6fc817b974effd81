/**
 * Worlds as artifacts: a record keeps how a world was made, and its identity checks that making it again gives the
 * same.
 */
import type { JsonObject } from '../../../protocol/notebook.js';
import { fromPlainJson } from '../../../protocol/objects.js';
import type { ArtifactKey, ArtifactRecord } from '../../artifacts/types.js';
import type { CallOptions } from '../../compute/call.js';
import type { Environment } from '../../verb/environment.js';
import { parseOptions, required, text } from '../../verb/option.js';
import { PRESET, PRESET_NAME, type PresetOptions } from '../presets/list.js';
import { MODEL, publishedWorld, type ModelOptions } from '../saelens/options.js';
import { createPreset } from '../presets/presets.js';
import { WORLD, type WorldOptions } from './options.js';
import { worldParameters, createWorld, WORLD_VERSION, type GeneratedWorld } from './world.js';

/** Options of a world, of a preset where they name one, or where the files of a published one lie. */
type Recipe = WorldOptions | PresetOptions | ModelOptions;

function requireWorld(found: string | undefined, expected: string, madeBy: number): void {
  if (found === expected) return;
  throw new Error(
    `its options give world ${expected.slice(0, 8)} but the record is of ${found?.slice(0, 8) ?? 'none'}; worlds of code version ${madeBy} are not those of version ${WORLD_VERSION}, and files may have changed: make it anew with fg.synthetic.world, preset or load`,
  );
}

/** Keeps how a world was made, so that fg.artifacts.load(world.id) makes it again. */
export async function keptWorld(
  env: Environment,
  recipe: Recipe,
  making: GeneratedWorld | Promise<GeneratedWorld>,
): Promise<GeneratedWorld> {
  const world = await making;
  const key: ArtifactKey = {
    kind: 'world',
    parameters: worldParameters(recipe) as JsonObject,
    inputs: {},
    codeVersion: WORLD_VERSION,
  };
  await env.store.compute(key, {
    title: world.description,
    make: () => Promise.resolve(world.id),
    load: (_, record) => Promise.resolve(requireWorld(record.contents, world.id, record.codeVersion)),
  });
  return world;
}

const PRESET_RECIPE = { preset: required(PRESET_NAME), ...PRESET };
const MODEL_RECIPE = { from: required(text({ doc: 'Folder, or id on the hub.' })), ...MODEL };

/** The world of a record, made again. @throws when it comes out as another one */
export async function loadWorld(
  env: Environment,
  { parameters, contents, codeVersion }: ArtifactRecord,
  call: CallOptions,
): Promise<GeneratedWorld> {
  const kept = fromPlainJson<Recipe>(parameters);
  // A record is a file: its options are checked as those of the verbs are.
  parseOptions(`world ${contents}`, kept, 'preset' in kept ? PRESET_RECIPE : 'from' in kept ? MODEL_RECIPE : WORLD);
  const make = (): Promise<GeneratedWorld> => {
    if ('from' in kept) return publishedWorld(env, kept, call);
    return 'preset' in kept ? createPreset({ ...kept, ...call }) : createWorld({ ...kept, ...call });
  };
  const world = await make();
  requireWorld(contents, world.id, codeVersion);
  return world;
}
