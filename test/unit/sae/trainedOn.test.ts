import { expect, it } from 'vitest';
import { leftOut, overridden, trainedOnText } from '#kernel/sae/trainedOn.js';
import { createTokenSet } from '#kernel/models/datasets.js';
import { tokenizer } from '#test/kit/model.js';

it.each([
  [{}, undefined],
  [{ exclude_special_tokens: false, seqpos_slice: [null], prepend_bos: null }, undefined],
  [
    { exclude_special_tokens: [0, 2] },
    /without special tokens 0, 2 \(exclude_special_tokens\), which count in no figure/,
  ],
  [{ exclude_special_tokens: true }, /without special tokens \(exclude_special_tokens\)/],
  [{ training: { ignoreTokens: [4] } }, /without special tokens 4/],
  [{ seqpos_slice: [5, -5] }, /positions 5:-5 of each text alone .*\{ allPositions: true \} counts all/],
  [{ seqpos_slice: [3] }, /positions :3 of each text/],
  [{ seqpos_slice: [0, null, 2] }, /positions 0::2 of each text/],
  [{ prepend_bos: true }, /begin with bos .*\{ bos: true \}/],
  [{ prepend_bos: false }, /without bos .*\{ bos: false \}/],
])('what the file of an SAE says of its tokens is said when it is loaded: %j', (metadata, said) => {
  const text = trainedOnText({ metadata });
  if (said === undefined) expect(text).toBeUndefined();
  else expect(text).toMatch(said);
});

const tokens = createTokenSet(
  Int32Array.of(0, 5, 6, 0, 7, 8),
  2,
  3,
  { ...tokenizer, bosId: 0, eosId: 0 },
  { source: {} },
);
const saeWith = (metadata: Record<string, unknown>) => ({ name: 's', config: { metadata: metadata as never } });

it('what the file of an SAE excludes is left out, unless the call says otherwise, which is told by name', () => {
  const sae = saeWith({ exclude_special_tokens: [8], seqpos_slice: [0, -1] });
  expect(leftOut(tokens, sae)).toEqual({ ids: [8], begins: true, slice: [0, -1, null] });
  expect(overridden(tokens, sae, {})).toBeUndefined();
  const options = { ignoreTokens: [5], allPositions: true };
  expect(leftOut(tokens, sae, options)).toEqual({ ids: [5], begins: false });
  expect(overridden(tokens, sae, options)).toBe(
    'SAE s was trained without tokens 8 (exclude_special_tokens), which { ignoreTokens } of this call does not leave out, and without positions outside 0:-1 (seqpos_slice), which { allPositions: true } counts',
  );
  expect(overridden(tokens, sae, { ignoreTokens: [8] })).toBeUndefined();
  expect(overridden(tokens, saeWith({}), options)).toBeUndefined();
  expect(overridden(tokens, saeWith({ exclude_special_tokens: true }), { ignoreTokens: [] })).toMatch(/tokens 0 /);
});

it.each([
  [{ exclude_special_tokens: 'yes' }, /exclude_special_tokens is "yes": expected true, false or a list/],
  [{ exclude_special_tokens: [1.5] }, /exclude_special_tokens is \[1\.5\]/],
  [{ seqpos_slice: 'all' }, /seqpos_slice is "all": expected one to three whole numbers or null/],
  [{ seqpos_slice: [0, 5, 0] }, /seqpos_slice is \[0,5,0\]/],
  [{ seqpos_slice: [] }, /seqpos_slice is \[\]/],
])('a field that is in no form of SAELens is refused by name: %j', (metadata, message) => {
  expect(() => trainedOnText({ metadata } as never)).toThrow(message);
  expect(() => leftOut(tokens, saeWith(metadata))).toThrow(message);
});
