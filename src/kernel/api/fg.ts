/** Verbs of fg itself, which belong to no room. */
import { inspect as inspectWhat } from '../inspect/inspect.js';
import { INSPECT } from '../inspect/repository.js';
import type { Inspection } from '../inspect/types.js';
import { inspectionText } from '../inspect/words.js';
import { HUB, REPO } from '../io/hub.js';
import { textItem } from '../present/items.js';
import { CALL, words, type Arg } from '../verb/common.js';
import { namespace } from '../verb/namespace.js';
import { only, written } from '../verb/option.js';
import { syncVerb, verb } from '../verb/verb.js';

const figure: Arg<string | number, string> = {
  name: 'value',
  doc: 'Its value, as it is to be printed.',
  parse(given, at) {
    if (typeof given !== 'string' && typeof given !== 'number')
      throw new TypeError(`${at} is ${written(given)}; expected text or a number`);
    return String(given);
  },
};

const keyFigure = syncVerb({
  doc: 'A key figure of the notebook: `fgnb run` prints them together at the end. The same name again replaces.',
  args: [words('name', 'What the figure is of.'), figure],
  run: ({ env }, name, value) => env.context.keyFigure(name, value),
});

const inspect = verb({
  doc: 'What a file, a folder or a repository of the hub holds, before it is loaded: family, tensors, types, hook, architecture, memory, and what is unusual. Headers and samples of values are read, of a repository headers alone; docs/inspect.md explains the fields. `fgnb inspect` prints the same.',
  args: [words('idOrPath', "Path against the notebook's folder, or hub id.")],
  options: {
    ...INSPECT,
    ...REPO,
    ...HUB,
    ...CALL,
  },
  errors: ['What is not there, and a hub that cannot be asked. What a loader would refuse is told in `unusual`.'],
  run({ env, options, call }, idOrPath): Promise<Inspection> {
    const { inside, repoType } = options;
    const hub = env.withCacheFolder(only(HUB, options));
    return inspectWhat(env.locate(idOrPath), idOrPath, { ...hub, inside, repoType, ...call });
  },
  show: (found) => [textItem(inspectionText(found))],
});

export const root = namespace({
  name: 'fg',
  room: 'api',
  doc: 'What belongs to the notebook as a whole.',
  example: `fg.keyFigure('Features', 16_384)
fg.keyFigure('L0', '31.9 (null 2.1 ± 0.2)')
const found = await fg.inspect('models/tiny-stories-1L')
found.unusual.map(({ text }) => text)`,
  verbs: { keyFigure, inspect },
});
