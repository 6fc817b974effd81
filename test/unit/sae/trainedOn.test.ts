import { expect, it } from 'vitest';
import { trainedOnText } from '#kernel/sae/trainedOn.js';

it.each([
  [{}, undefined],
  [{ exclude_special_tokens: false, seqpos_slice: [null], prepend_bos: null }, undefined],
  [{ exclude_special_tokens: [0, 2] }, /without special tokens .*\{ ignoreTokens: \[0, 2\] \}/],
  [{ exclude_special_tokens: true }, /ignoreTokens: their ids/],
  [{ seqpos_slice: [5, -5] }, /positions 5:-5 of each text alone/],
  [{ prepend_bos: true }, /begin with bos .*\{ bos: true \}/],
  [{ prepend_bos: false }, /without bos .*\{ bos: false \}/],
])('what the file of an SAE says of its tokens is said when it is loaded: %j', (metadata, said) => {
  const text = trainedOnText({ metadata });
  if (said === undefined) expect(text).toBeUndefined();
  else expect(text).toMatch(said);
});
