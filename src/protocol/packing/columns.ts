/** Columns of a bundle for a page: a safetensors file with the bytes of its tensors as planes, without what follows from others. */
import {
  decodeSafetensors,
  dtypeBytes,
  encodeSafetensors,
  headerLength,
  parseHeader,
  type NdArray,
} from '../safetensors.js';
import { planes } from './sections.js';

/** Where examples lie in a file that pages do not carry when texts are packed. */
const PLACES = /^\d+\.examplesAt$/;
const RATE = /^(\d+)\.firingRate$/;

/** A safetensors file with the elements of every tensor as planes; `back`: the other way. */
export function shuffled(bytes: Uint8Array, back = false): Uint8Array {
  const header = headerLength(bytes, bytes.length);
  const { tensors, dataStart } = parseHeader(bytes.subarray(8, 8 + header), bytes.length);
  const out = bytes.slice();
  for (const { dtype, begin, end } of tensors.values())
    out.set(planes(bytes.subarray(dataStart + begin, dataStart + end), dtypeBytes(dtype), back), dataStart + begin);
  return out;
}

/** A rate is a count over all tokens, as the kernel writes it; 0 where the count is not known. */
const rateOf = (firings: number, tokens: number): number => Math.fround(firings > 0 ? firings / tokens : 0);

/** The tokens that all rates are over; undefined where there is no such number. */
function tokensOf(firings: ArrayLike<number>, rates: ArrayLike<number>): number | undefined {
  let most = 0;
  for (let i = 1; i < firings.length; i++) if (firings[i] > firings[most]) most = i;
  const near = Math.round(firings[most] / rates[most]);
  if (!(near > 0 && near < 2 ** 40)) return undefined;
  // A rate of 24 bits knows its tokens to so many.
  const off = 1 + Math.ceil(near / 2 ** 23);
  for (let tokens = Math.max(1, near - off); tokens <= near + off; tokens++) {
    let i = 0;
    while (i < rates.length && rateOf(firings[i], tokens) === rates[i]) i++;
    if (i === rates.length) return tokens;
  }
  return undefined;
}

/** `texts`: labels and examples are in the page otherwise. */
export function packColumns(bytes: Uint8Array, texts: boolean): Uint8Array {
  const { tensors, metadata } = decodeSafetensors(bytes);
  const kept: Record<string, NdArray> = {};
  const said = { ...metadata };
  for (const [name, tensor] of tensors) {
    const firings = tensors.get(`${RATE.exec(name)?.[1]}.firings`);
    const tokens = firings && tokensOf(firings.data as Int32Array, tensor.data as Float32Array);
    if (tokens !== undefined) said[name] = String(tokens);
    else if (!(texts && PLACES.test(name))) kept[name] = tensor;
  }
  return shuffled(encodeSafetensors(kept, said));
}

/** The file that packColumns packed, but for the places of examples. @throws Error for bytes that are none */
export function unpackColumns(packed: Uint8Array): Uint8Array {
  const { tensors, metadata } = decodeSafetensors(shuffled(packed, true));
  for (const [name, said] of Object.entries(metadata)) {
    const of = RATE.exec(name);
    const firings = of && tensors.get(`${of[1]}.firings`);
    if (!firings) continue;
    delete metadata[name];
    const data = Float32Array.from(firings.data as Int32Array, (count) => rateOf(count, Number(said)));
    tensors.set(name, { dtype: 'F32', shape: [data.length], data });
  }
  return encodeSafetensors(Object.fromEntries(tensors), metadata);
}
