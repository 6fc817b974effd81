/** The value of a default stands once, in the schema: rooms take it from there. */
import fs from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { namespaces } from '#kernel/api/namespaces.js';
import { choice, flag, group, real, whole, type Schema } from '#kernel/verb/option.js';
import { filled, usually } from '#kernel/verb/filled.js';
import { value } from '#kernel/verb/option.js';

/** Every option that verbs declare, those inside options too, by its path. */
function* optionsOf(at: string, schema: Schema): Generator<[at: string, name: string, option: Schema[string]]> {
  for (const [name, option] of Object.entries(schema)) {
    yield [`${at}.${name}`, name, option];
    if (option.members) yield* optionsOf(`${at}.${name}`, option.members);
    for (const { table } of option.kinds ?? [])
      for (const [kind, { members }] of Object.entries(table)) yield* optionsOf(`${at}.${name} '${kind}'`, members);
  }
}

const ALL = Object.entries(namespaces).flatMap(([space, { verbs }]) =>
  Object.entries<{ options: Schema }>(verbs).flatMap(([verb, { options }]) => [
    ...optionsOf(`fg.${space}.${verb}`, options),
  ]),
);

/** A value written out: a number, text, true, false, or an array or object of these. */
function isValue(node: ts.Expression): boolean {
  if (ts.isParenthesizedExpression(node) || ts.isAsExpression(node)) return isValue(node.expression);
  if (ts.isPrefixUnaryExpression(node)) return isValue(node.operand);
  if (ts.isArrayLiteralExpression(node)) return node.elements.length > 0 && node.elements.every(isValue);
  if (ts.isObjectLiteralExpression(node))
    return (
      node.properties.length > 0 && node.properties.every((p) => ts.isPropertyAssignment(p) && isValue(p.initializer))
    );
  const { TrueKeyword, FalseKeyword } = ts.SyntaxKind;
  return ts.isNumericLiteral(node) || (ts.isStringLiteral(node) && node.text !== '') || [TrueKeyword, FalseKeyword].includes(node.kind as never); // prettier-ignore
}

/** `{ runs = 20 } = …` and `… .runs ?? 20`, with the names that they fill in. */
function ownDefaults(file: string, text: string): Array<{ name: string; where: string }> {
  const found: Array<{ name: string; where: string }> = [];
  const take = (name: string, value: ts.Expression): void => {
    if (isValue(value)) found.push({ name, where: `${file} ${name}: ${value.getText()}` });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isBindingElement(node) && node.initializer && ts.isObjectBindingPattern(node.parent))
      take((node.propertyName ?? node.name).getText(), node.initializer);
    if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.QuestionQuestionToken) {
      const { left } = node;
      if (ts.isPropertyAccessExpression(left)) take(left.name.text, node.right);
      else if (ts.isIdentifier(left)) take(left.text, node.right);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
  return found;
}

/** Names under which functions of rooms have the members of `nulls`. */
const RENAMED = ['nulls', 'nullSeed', 'permutations', 'bootstraps', 'neighbours', 'sequences'];

/** Why a value stands although an option of that name has a default in a schema. */
const FACT = 'read of a file or a result: not an option';
const RESOLVED = 'a part that is given all: no verb has it';
const BY_INPUT = 'one default for each kind of input, which the schema says in words';
const OTHER: Readonly<Record<string, string>> = {
  'activations/split.ts k: 128': FACT,
  'activations/statistics.ts maxShareAtOnePosition: 1':
    'here the option of the filter, which leaves nothing out when it is not given',
  'correlation/bootstrap.ts least: 1': 'the fewest pairs of an interval, another thing than the option of that name',
  "correlation/filters.ts of: 'peak'": 'a word of the name of a filter',
  'correlation/rotation.ts rows: 0': FACT,
  'figures/figures.ts scale: 2': RESOLVED,
  "inspect/model.ts dtype: 'of a type'": FACT,
  "inspect/words.ts architecture: 'architecture not said'": FACT,
  "inspect/words.ts dtype: 'a type that is not read'": FACT,
  "inspect/words.ts dtype: '?'": FACT,
  'interventions/joint.ts untouched: false': FACT,
  'interventions/panel.ts share: 0': FACT,
  "io/hash.ts name: 'class instance'": FACT,
  'mapper/bundle.ts points: 0': FACT,
  'maps/bundle.ts points: 0': FACT,
  'maps/trustworthiness.ts k: 5': 'no verb has these options: layouts are measured with them',
  "maps/trustworthiness.ts metric: 'euclidean'": 'no verb has these options: layouts are measured with them',
  'maps/trustworthiness.ts seed: 0': 'no verb has these options: layouts are measured with them',
  "maps/umap.ts metric: 'euclidean'": BY_INPUT,
  'models/tokenLoss.ts batchTokens: 4096': RESOLVED,
  "present/items.ts title: 'Chart'": FACT,
  "present/mapper.ts by: 'the node function'": FACT,
  "present/syntheticCharts.ts k: 'none'": FACT,
  'present/training.ts seed: 0': 'what a training was made with, as it is shown',
  'sae/activationCache.ts rows: 0': FACT,
  "sae/bDecInit.ts method: 'geometric_median'": BY_INPUT,
  'sae/buffer.ts scale: 1': RESOLVED,
  'sae/encodeGraph.ts rescaleActsByDecoderNorm: false': FACT,
  'sae/evaluate.ts batchTokens: 1024': BY_INPUT,
  'sae/sae.ts rescaleActsByDecoderNorm: false': FACT,
  'sae/source.ts batchTokens: 4096': RESOLVED,
  'show/fgMap.ts scale: 2': 'an option of a method, which its docstring says',
  "show/fgSynthetic.ts title: 'What an r is worth'": BY_INPUT,
  "show/fgSynthetic.ts title: 'Pairs by threshold'": BY_INPUT,
  'models/tokenizing/preTokenizers.ts split: true': FACT,
  'sae/architectures/batchtopk.ts k: 1': FACT,
  'sae/architectures/select.ts rescaleActsByDecoderNorm: false': FACT,
  'synthetic/presets/presets.ts k: 32': BY_INPUT,
  'synthetic/presets/presets.ts k: 16': BY_INPUT,
  'synthetic/world/copula.ts scale: 1': BY_INPUT,
  'synthetic/world/geometry.ts count: 0': FACT,
};

describe('defaults', () => {
  it('are found where a room writes one, by destructuring or by ??', () => {
    const text =
      "function f({ runs = 20, kind = 'x' }, o) { return [o.seed ?? 0, o.by ?? THAT.by.usual, o.n ?? m, a ?? -1]; }";
    expect(ownDefaults('f.ts', text).map(({ name }) => name)).toEqual(['runs', 'kind', 'seed', 'a']);
  });

  it('are filled in from the schema where nothing was given, null and false being values', () => {
    const schema = {
      ...{
        runs: whole({ doc: '', usual: 20 }),
        share: real({ doc: '', usual: 0.5 }),
        by: choice(['a', 'b'], { doc: '' }),
      },
      limit: usually(value<number | null>('a number or null', { doc: '' }), 1),
      keep: flag({ doc: '', usual: true }),
      nulls: group({ seed: whole({ doc: '', usual: 3 }) }, { doc: '' }),
    };
    const given = { runs: undefined, limit: null, keep: false, other: 'own' };
    expect(filled(schema, given)).toEqual({ runs: 20, share: 0.5, limit: null, keep: false, other: 'own' });
    expect(given).toEqual({ runs: undefined, limit: null, keep: false, other: 'own' });
    expect(filled(schema.nulls.members, {})).toEqual({ seed: 3 });
    // What cells gave stays as it is: identities are made of it.
    expect(schema.runs.parse(undefined, 'runs')).toBeUndefined();
  });

  it('that are the same in every call are values in the schema, not words', () => {
    expect(ALL.length).toBeGreaterThan(400);
    const words = ALL.filter(
      ([, , { fallback, usual, members }]) =>
        usual === undefined &&
        !members &&
        /^(-?[\d.,_]+(e-?\d+)?|'[^']*'|"[^"]*"|true|false|\[.*\]|\{.*\})$/.test(fallback ?? ''),
    );
    expect(words.map(([at, , { fallback }]) => `${at}: ${fallback}`)).toEqual([]);
  });

  it('stand nowhere else in the kernel: what else fills in a name of theirs says why', () => {
    const names = new Set([
      ...ALL.filter(([, , { usual }]) => usual !== undefined).map(([, name]) => name),
      ...RENAMED,
    ]);
    const found = fs
      .readdirSync('src/kernel', { recursive: true, encoding: 'utf8' })
      .map((file) => file.split(path.sep).join('/'))
      // What stands below the schemas or beside the rooms has no options of verbs.
      .filter((file) => file.endsWith('.ts') && !/^(compute|verb|session|cli|convert|jupyter|cluster)\//.test(file))
      .flatMap((file) => ownDefaults(file, fs.readFileSync(`src/kernel/${file}`, 'utf8')))
      .filter(({ name }) => names.has(name))
      .map(({ where }) => where);
    expect(found.filter((where) => !(where in OTHER))).toEqual([]);
    // A reason that nothing needs any more goes.
    expect(Object.keys(OTHER).filter((where) => !found.includes(where))).toEqual([]);
  });
});
