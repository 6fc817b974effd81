/**
 * What of an output may run scripts is set aside on import: kept in the notebook under a key that nothing draws, and put
 * back among the others by an export.
 */
import { MIME } from '../../protocol/mime.js';
import type { CellOutput, OutputItem } from '../../protocol/notebook.js';
import { isInert } from './inert.js';
import { own } from './jupyter.js';
import { naturalOrder } from './order.js';
import { isJsonObject, plainJson } from '../../protocol/objects.js';

const ASIDE = 'setAside';

const textOf = ({ text, json, base64 }: OutputItem): string | undefined =>
  text?.join('') ??
  (typeof json === 'string' ? json : base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString());

const placeholder = (aside: readonly OutputItem[]): string =>
  `[${aside.map(({ mime }) => mime).join(', ')}: not shown, because it may run scripts; an export to .ipynb writes it back]`;

/** The output without what may run scripts; itself where there is nothing of the kind. */
export function withoutActive(output: CellOutput): CellOutput {
  const [items, aside]: [OutputItem[], OutputItem[]] = [[], []];
  for (const item of output.items) (isInert(item.mime, textOf(item)) ? items : aside).push(item);
  if (aside.length === 0) return output;
  if (items.length === 0) items.push({ mime: MIME.text, text: [placeholder(aside)] });
  return { ...output, items, [ASIDE]: plainJson(aside) };
}

const isItem = (value: unknown): value is OutputItem =>
  isJsonObject(value) &&
  typeof value.mime === 'string' &&
  (value.text === undefined || (Array.isArray(value.text) && value.text.every((line) => typeof line === 'string'))) &&
  (value.base64 === undefined || typeof value.base64 === 'string');

/** The output with what was set aside among its items again. */
export function withActive(output: CellOutput): CellOutput {
  const { [ASIDE]: aside, ...rest } = output;
  // Only what an import would set aside again: anything else stays a key that we do not know.
  if (!Array.isArray(aside) || aside.length === 0 || own(output, ASIDE) === undefined) return output;
  const active = aside as unknown[];
  if (!active.every(isItem) || active.some((item) => isInert(item.mime, textOf(item)))) return output;
  const [only] = output.items;
  const stood = output.items.length === 1 && only.mime === MIME.text && only.text?.join('') === placeholder(active);
  const items = stood ? [] : output.items;
  const all = [...items, ...active];
  const order = naturalOrder(all.map((item) => item.mime));
  const sorted = order.map((mime) => all.find((item) => item.mime === mime) as OutputItem);
  // As it came, where that gives both lists again.
  const asCame =
    sorted.length === all.length &&
    [items, active].every((list) => list.every((item, i) => item === sorted.filter((each) => list.includes(each))[i]));
  return { ...rest, items: asCame ? sorted : all } as CellOutput;
}
