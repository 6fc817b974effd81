import { describe, expect, it } from 'vitest';
import { nearName } from '#kernel/compute/words.js';
import { form, kinds, listOf, ofKind, oneOrSeveral } from '#kernel/verb/kinds.js';
import { parseOptions, real, required, whole } from '#kernel/verb/option.js';

const SHAPES = kinds(
  'Shape',
  {
    ball: { doc: 'A ball.', members: { radius: required(real({ doc: 'Radius.', above: 0 })) } },
    grid: { doc: 'A grid.', members: { cells: oneOrSeveral(whole({ doc: 'Cells.', min: 1 })) } },
    none: { doc: 'Nothing.', members: {} },
  },
  'grid',
);
const schema = {
  shape: ofKind(SHAPES, { doc: 'A shape.', expected: 'a shape' }),
  shapes: oneOrSeveral(ofKind(SHAPES, { doc: 'Shapes.', expected: 'a shape' })),
  pins: listOf(
    form(
      { at: required(whole({ doc: 'Where.' })), deep: form({ by: real({ doc: 'How.' }) }, { doc: 'Deep.' }) },
      { doc: 'Pins.' },
    ),
  ),
};
const parse = (given: unknown) => parseOptions('fg.room.verb', given, schema);

describe('options that are objects of several kinds', () => {
  it('are handed on as they were given, without defaults: identities are made of them', () => {
    const shape = { kind: 'ball', radius: 2 };
    const pins = [{ at: 1 }, { at: 2, deep: { by: 0.5 } }];
    const parsed = parse({ shape, shapes: [{ cells: 3 }], pins });
    expect(parsed.shape).toBe(shape);
    expect(parsed.shapes).toEqual([{ cells: 3 }]);
    expect(parsed.pins).toBe(pins);
    expect(parse({}).shape).toBeUndefined();
    // The type: kinds are told apart by their name.
    const given = parsed.shape;
    if (given?.kind === 'ball') expect(given.radius satisfies number).toBe(2);
  });

  it.each<[object, string]>([
    [{ shape: { kind: 'bal' } }, "shape: kind is \"bal\" (did you mean 'ball'?); expected 'ball', 'grid' or 'none'"],
    [{ shape: { kind: 3 } }, "shape: kind is 3; expected 'ball', 'grid' or 'none'"],
    [{ shape: { kind: 'toString' } }, 'kind is "toString"; expected'],
    [{ shape: { kind: 'ball' } }, 'fg.room.verb: shape.radius is missing; expected a number above 0'],
    [{ shape: { kind: 'ball', radius: 0 } }, 'fg.room.verb: shape.radius is 0; expected a number above 0'],
    [
      { shape: { kind: 'ball', radus: 1 } },
      'shape of kind \'ball\' has no option "radus" (did you mean "radius"?); it has radius',
    ],
    [{ shape: { kind: 'none', radius: 1 } }, 'shape of kind \'none\' has no option "radius"; it has none'],
    [{ shape: { cell: 1 } }, 'shape of kind \'grid\' has no option "cell" (did you mean "cells"?)'],
    [{ shape: { cells: [2, 0] } }, 'shape.cells[1] is 0; expected a whole number of at least 1'],
    [{ shape: 'ball' }, "fg.room.verb: shape is \"ball\"; expected an object of kind 'ball', 'grid' or 'none'"],
    [{ shape: null }, 'shape is null; expected an object of kind'],
    [{ shape: [{ cells: 1 }] }, 'shape is an array of 1; expected an object of kind'],
    [{ shape: Promise.resolve() }, 'shape is a promise: write "await" before the call that made it'],
    [{ shapes: [{ cells: 1 }, { kind: 'bal' }] }, 'shapes[1]: kind is "bal"'],
    [{ shapes: [undefined] }, 'shapes[0] is undefined; expected a shape'],
    [{ pins: { at: 1 } }, 'pins is an object; expected an array, each { at, deep }'],
    [{ pins: [{ at: 1 }, {}] }, 'fg.room.verb: pins[1].at is missing; expected a whole number'],
    [
      { pins: [{ at: 1, deep: { bye: 1 } }] },
      'fg.room.verb: pins[0].deep has no option "bye" (did you mean "by"?); it has by',
    ],
  ])('%j is refused by name, at every depth', (given, message) => {
    expect(() => parse(given)).toThrow(message);
  });
});

describe('names that were probably meant', () => {
  it.each([
    ['minDst', ['minDist', 'metric'], 'minDist'],
    ['sdt', ['std', 'rank'], 'std'],
    ['MINDIST', ['minDist'], 'minDist'],
    ['epsilon', ['metric', 'eps'], 'eps'],
    ['norm', ['l2norm', 'normalize'], 'l2norm'],
    ['k', ['n'], undefined],
    ['toString', ['k', 'share'], undefined],
    ['x'.repeat(1e6), ['k'], undefined],
  ])('%.20s', (word, names, near) => {
    expect(nearName(word, names)).toBe(near);
  });
});
