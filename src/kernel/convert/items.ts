/** Entries of Jupyter's `data` and items of ours. */
import type { Json, OutputItem } from '../../protocol/notebook.js';
import { splitLines } from '../../protocol/notebookCodec.js';
import { isBinaryMime, isJsonMime, isMultiline, joined } from './jupyter.js';

const isBase64 = (text: string): boolean => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);

/** An entry of `data` as an item, in the form that is usual for its mime where its content allows it. */
export function itemOf(mime: string, data: Json): OutputItem {
  if (isJsonMime(mime) || !isMultiline(data)) return { mime, json: data };
  const text = joined(data);
  const bytes = text.replace(/\s+/g, '');
  return isBinaryMime(mime) && isBase64(bytes) ? { mime, base64: bytes } : { mime, text: splitLines(text) };
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

/** An item's data for Jupyter: JSON where it takes JSON, else text or base64; undefined for an item without content. */
export function dataOf({ mime, text, json, base64 }: OutputItem): Json | undefined {
  if (text !== undefined) return isJsonMime(mime) ? parsed(text.join('')) : text;
  if (json !== undefined) return isJsonMime(mime) ? json : splitLines(JSON.stringify(json));
  return base64;
}
