/** A title is read alone, in a list of failures: "describe > title" names its subject and says what holds. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const DESCRIBES = ['describe', 'suite'];
const TESTS = ['it', 'test'];

/** The function that a call begins with: `it` of `it.skipIf(x).each(rows)(title, …)`. */
function called(node: ts.Expression): string {
  if (ts.isIdentifier(node)) return node.text;
  return ts.isPropertyAccessExpression(node) || ts.isCallExpression(node) ? called(node.expression) : '';
}

/** Titles of a test file, each with its describes; what a template fills in stands as it is written. */
function titlesOf(name: string, text: string): string[][] {
  const titles: string[][] = [];
  const visit = (node: ts.Node, above: string[]): void => {
    const [title, ...rest] = ts.isCallExpression(node) ? node.arguments : [];
    const kind = ts.isCallExpression(node) ? called(node.expression) : '';
    if (rest.length > 0 && (ts.isStringLiteralLike(title) || ts.isTemplateExpression(title))) {
      const said = ts.isStringLiteralLike(title) ? title.text : title.getText();
      if (TESTS.includes(kind)) return void titles.push([...above, said]);
      if (DESCRIBES.includes(kind)) return rest.forEach((part) => visit(part, [...above, said]));
    }
    ts.forEachChild(node, (child) => visit(child, above));
  };
  visit(ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true), []);
  return titles;
}

/** Words, not what a template fills in. */
const words = (text: string): number =>
  text.replace(/\$\{[^}]*\}|\$[\w.]+|%[a-z#]/g, ' ').match(/[\p{L}\p{N}][^\s]*/gu)?.length ?? 0;

/** What is wrong with a title, or undefined. */
function fault(path: readonly string[]): string | undefined {
  const title = path[path.length - 1];
  if (path.length === 1 && words(title) < 4) return 'stands in no describe and has fewer than four words';
  if (words(path.join(' ')) < 3) return 'has fewer than three words with its describe';
  if (/^works?\b|\bworks$/.test(title)) return 'says that it works, not what holds';
  if (/^(and|but|so) /i.test(title)) return 'goes on from another title';
  return undefined;
}

describe('titles of tests', () => {
  it.each<[string, RegExp]>([
    ["it('adds up', () => {})", /no describe/],
    ["describe('a', () => { it('%s', () => {}) })", /fewer than three words/],
    ["describe('a sum of numbers', () => { it('works', () => {}) })", /what holds/],
    [
      "describe('a sum', () => { describe('of none', () => it.skipIf(true).each([])('and is $name', () => {})) })",
      /goes on/,
    ],
  ])('are found in the source and held against the rules: %s', (source, message) => {
    const titles = titlesOf('a.test.ts', source);
    expect(titles).toHaveLength(1);
    expect(fault(titles[0])).toMatch(message);
  });

  it('read alone in every test file', () => {
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.test.ts'));
    const titles = files.flatMap((name) =>
      titlesOf(name, readFileSync(join(root, name), 'utf8')).map((path) => ({ name, path })),
    );
    expect(titles.length).toBeGreaterThan(1000);
    const faults = titles.flatMap(({ name, path }) => {
      const found = fault(path);
      return found ? [`${name} > ${path.join(' > ')}: ${found}`] : [];
    });
    expect(faults).toEqual([]);
  });
});
