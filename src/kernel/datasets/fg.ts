/** fg.datasets: texts from files, from the hub, at hand or generated. */
import { HUB } from '../io/hub.js';
import { READ, readTexts, SPLIT } from '../io/texts.js';
import { holdsTokenRows, readTokenRows } from '../io/tokenRows.js';
import { generateStories, STORIES, STORY_CONCEPTS } from '../synthetic/stories/generate.js';
import { count } from '../present/items.js';
import { CALL, words, type Arg } from '../verb/common.js';
import { namespace } from '../verb/namespace.js';
import { only, text } from '../verb/option.js';
import { syncVerb, verb } from '../verb/verb.js';
import { TOKENS } from '../models/datasets.js';
import { Dataset, requireNoPacking } from './dataset.js';

const load = verb({
  doc: 'Reads a .txt, .jsonl, .json or .parquet file, a folder of them, or a dataset on the Hugging Face hub. Nothing is tokenized before a model asks. Rows whose text is null are left out, with a word. An `input_ids` column (and no "text") is taken as it is, with its attention_mask.',
  args: [words('pathOrId', "Path against the notebook's folder, or the id of a dataset on the hub.")],
  options: {
    ...TOKENS,
    ...READ,
    ...SPLIT,
    ...HUB,
    ...CALL,
  },
  errors: [
    'A path or id where nothing is, a file that is damaged and texts that are none are refused.',
    'A missing column is refused with the names of those there are.',
    "Ids outside the model's vocabulary are refused when the model asks for them.",
  ],
  async run({ env, options, call }, pathOrId) {
    const from = { ...only(READ, options), ...env.withCacheFolder(only(HUB, options)), ...call };
    const place = env.locate(pathOrId);
    if (await holdsTokenRows(place, from)) {
      requireNoPacking(options);
      const rows = await readTokenRows(place, from);
      const { context, samples } = options;
      return new Dataset(pathOrId, [], { context, samples, source: rows.source, rows });
    }
    const { texts, source, nullRows } = await readTexts(place, { ...from, ...only(SPLIT, options) });
    if (nullRows > 0) env.context.print(`${pathOrId}: ${count(nullRows)} rows without a text (null) were left out`);
    return new Dataset(pathOrId, texts, { ...only(TOKENS, options), source });
  },
});

const textsArg: Arg<readonly string[]> = {
  name: 'texts',
  doc: 'An array of texts.',
  parse(given, at) {
    if (!Array.isArray(given)) throw new TypeError(`${at} is an array of texts but got ${typeof given}`);
    const bad = given.findIndex((each) => typeof each !== 'string');
    if (bad >= 0) throw new TypeError(`${at} is an array of texts but item ${bad} is ${typeof given[bad]}`);
    return [...(given as string[])];
  },
};

const fromTexts = syncVerb({
  doc: 'Texts at hand, as a dataset.',
  args: [textsArg],
  options: { ...TOKENS, name: text({ doc: 'For people.', default: 'texts' }) },
  run: ({ options }, texts) =>
    new Dataset(options.name, texts, {
      ...only(TOKENS, options),
      source: { kind: 'texts', texts: texts.length },
    }),
});

const stories = syncVerb({
  doc: 'Generated stories whose tokens carry ground-truth concepts; what the example models were trained on.',
  args: [],
  options: {
    ...TOKENS,
    ...STORIES,
  },
  run({ options }) {
    const drawn = { stories: options.stories, seed: options.seed };
    const made = generateStories(drawn);
    return new Dataset(
      `stories seed ${drawn.seed}`,
      made.map((story) => story.text),
      {
        ...only(TOKENS, options),
        source: { kind: 'stories', ...drawn },
        concepts: { names: STORY_CONCEPTS, spans: made.map((story) => story.spans) },
      },
    );
  },
});

export const datasets = namespace({
  name: 'datasets',
  doc: 'Texts that any model can tokenize, once per tokenizer: two models with one tokenizer read the same tokens.',
  example: `const text = fg.datasets.stories({ stories: 200, context: 64, samples: 100 })
const half = text.with({ samples: 50 })
// Sentences with these words, ten for each, and what was drawn as a model reads it
const royal = text.withWords({ words: ['king', 'queen', 'princess'], perWord: 10, unit: 'sentence' })
royal.drawn(await fg.models.load('models/tiny-stories-1L'))
fg.datasets.fromTexts([text.texts[0], half.texts[1]], { name: 'two stories', separator: 'none' })`,
  verbs: { load, fromTexts, stories },
});
