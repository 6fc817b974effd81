/** How samples of words are shown. */
import type { OutputItem } from '../../protocol/notebook.js';
import type { WordSequence } from '../datasets/cutWords.js';
import type { SequenceCount } from '../datasets/dataset.js';
import type { WordCount } from '../datasets/words.js';
import { tableItems, tableOf } from './items.js';

/** Sequences that are listed: more make an output that no one reads. */
const LISTED = 1000;

const row = ({ word, occurrences, texts, drawn }: WordCount) => ({ word, occurrences, 'texts with it': texts, drawn });

/** What was found of each word, and how much of it was drawn. */
export const wordCountItems = (counts: readonly WordCount[], title: string): OutputItem[] =>
  tableItems({ ...tableOf(counts.map(row), title), note: 'whole words; drawn(model) lists the sequences' });

/** The same with what is left after cutting to the context. */
export const sequenceCountItems = (counts: readonly SequenceCount[], title: string): OutputItem[] =>
  tableItems({
    ...tableOf(
      counts.map((each) => ({
        ...row(each),
        'sequences with it': each.sequences,
        'of other words with it': each.alsoIn,
      })),
      title,
    ),
    note: 'sequences: after cutting to the context',
  });

/** What was drawn, and for each word how many sequences hold it. */
export function wordSequenceItems(
  counts: ReadonlyArray<{ readonly word: string; readonly drawn: number; readonly sequences: number }>,
  sequences: readonly WordSequence[],
  title: string,
): OutputItem[] {
  const rows = sequences.map(({ sequence, word, text, tokens, whole, before, as, behind }) => ({
    ...{ sequence, word, text, tokens, cut: whole ? 'no' : 'yes', before, as, behind },
  }));
  const held = counts.map(({ word, drawn, sequences: n }) => `${word} ${n} of ${drawn}`).join(', ');
  return tableItems({ ...tableOf(rows, title, LISTED), note: `after cutting to the context: ${held}` });
}
