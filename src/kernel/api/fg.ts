/** Verbs of fg itself, which belong to no room. */
import { words, type Arg } from '../verb/common.js';
import { namespace } from '../verb/namespace.js';
import { written } from '../verb/option.js';
import { syncVerb } from '../verb/verb.js';

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

export const root = namespace({
  name: 'fg',
  room: 'api',
  doc: 'What belongs to the notebook as a whole.',
  example: `fg.keyFigure('Features', 16_384)
fg.keyFigure('L0', '31.9 (null 2.1 ± 0.2)')`,
  verbs: { keyFigure },
});
