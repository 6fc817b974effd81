/** Where a published world lies: a folder, or a repository of the hub. */
import type { CallOptions } from '../../compute/call.js';
import { safeJoin } from '../../io/files.js';
import { HUB, resolveRepo } from '../../io/hub.js';
import type { Environment } from '../../verb/environment.js';
import { only, text, type Given } from '../../verb/option.js';
import type { GeneratedWorld } from '../world/world.js';
import { MODEL_FILES, readSyntheticModel } from './read.js';

export const MODEL = {
  path: text({
    doc: 'Folder inside the repository or folder that holds the world.',
    fallback: 'the repository itself',
  }),
  ...HUB,
};

/** How a published world is found again. */
export type ModelOptions = Given<typeof MODEL> & {
  /** Folder, or id on the hub. */
  from: string;
};

/** What a record of a published world keeps: no token. */
export const recipeOf = ({ token: _, ...rest }: ModelOptions): ModelOptions => rest;

/** Brings a published world's files where they are on the hub, and reads them. */
export async function publishedWorld(env: Environment, o: ModelOptions, call: CallOptions): Promise<GeneratedWorld> {
  const inside = (name: string): string => (o.path === undefined ? name : `${o.path.replace(/\/+$/, '')}/${name}`);
  const root = await resolveRepo(env.locate(o.from), {
    ...env.withCacheFolder(only(HUB, o)),
    ...call,
    files: [MODEL_FILES.config, MODEL_FILES.weights].map(inside),
    optional: [inside(MODEL_FILES.hierarchy)],
  });
  return readSyntheticModel(o.path === undefined ? root : safeJoin(root, o.path));
}
