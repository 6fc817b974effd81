import { describe, expect, it } from 'vitest';
import { missingBrackets } from '#extension/language/brackets.js';

describe('missing brackets', () => {
  it.each([
    ['if (a) { b.', ['}']],
    ['f(a, [1, { b: 2', ['}', ']', ')']],
    ['const s = `a ${f(x', [')', '}`']],
    ['{ const r = /[{(]/', ['}']],
    ['{ // }', ['}']],
    ["{ '}'", ['}']],
  ])('are found where the text ends too early: %s', (text, brackets) =>
    expect(missingBrackets(text)).toEqual(brackets),
  );

  it.each([
    '',
    'const a = { b: [1, (2)] }',
    'await f({})',
    'const r = /[{(]/.test("{") || x++ / 2 / y',
    'let x = 1; x++ / 2 /3',
    '`${a}{${`(${b}`}[`',
    '// {\n/* ( */ "["',
    'for (const t of tokens as Array<[string, number]>) t',
  ])('are none in %s', (text) => expect(missingBrackets(text)).toEqual([]));
});
