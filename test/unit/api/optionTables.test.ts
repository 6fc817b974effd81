/** No option table is typed a second time: the types of options are derived from what verbs declare. */
import fs from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { namespaces } from '#kernel/api/namespaces.js';
import { CLUSTER } from '#kernel/verb/split.js';
import { KEPT } from '#kernel/verb/common.js';
import type { Schema } from '#kernel/verb/option.js';

/** Names of the options of one verb, or of the members of one kind of object in them. */
interface Table {
  readonly of: string;
  readonly names: ReadonlySet<string>;
}

/** Options of every verb: they say nothing about whose table a type is. */
const COMMON = new Set([...Object.keys(KEPT), ...Object.keys(CLUSTER)]);

function tablesOf(of: string, schema: Schema): Table[] {
  const names = new Set<string>();
  const inside: Table[] = [];
  const take = (options: Schema): void => {
    for (const [name, option] of Object.entries(options)) {
      if (!COMMON.has(name)) names.add(name);
      // The members of a group too, as in nulls: { runs, seed }.
      if (option.members) take(option.members);
      for (const { type, table } of option.kinds ?? [])
        for (const [kind, { members }] of Object.entries(table))
          inside.push({ of: `${type} '${kind}'`, names: new Set(Object.keys(members)) });
    }
  };
  take(schema);
  return [{ of, names }, ...inside];
}

const TABLES: readonly Table[] = Object.entries(namespaces).flatMap(([space, { verbs }]) =>
  Object.entries<{ options: Schema }>(verbs).flatMap(([verb, { options }]) => tablesOf(`fg.${space}.${verb}`, options)),
);

/** A type written out member by member in which options stand as a verb has them. */
interface Second {
  readonly where: string;
  readonly shared: readonly string[];
  readonly of: string;
}

const OPTIONS = /(Options|Parameters|Settings)$/;

/** Members that a type writes out: those that may be left out, or all of a type that is called after options. */
function written(node: ts.InterfaceDeclaration | ts.TypeLiteralNode, name: string): string[] {
  return node.members.flatMap((member) => {
    if (!ts.isPropertySignature(member) || !(member.questionToken || OPTIONS.test(name))) return [];
    return ts.isIdentifier(member.name) ? [member.name.text] : [];
  });
}

/** The type or function around a type that has no name. */
function nameOf(node: ts.Node): string {
  for (let at: ts.Node | undefined = node; at; at = at.parent) {
    const named = at as { name?: ts.Node };
    if ((ts.isInterfaceDeclaration(at) || ts.isTypeAliasDeclaration(at) || ts.isFunctionLike(at)) && named.name)
      return named.name.getText();
    if (ts.isVariableDeclaration(at) && ts.isIdentifier(at.name)) return at.name.text;
  }
  return '';
}

function secondTables(file: string, text: string, tables: readonly Table[]): Second[] {
  const found: Second[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isInterfaceDeclaration(node) || ts.isTypeLiteralNode(node)) {
      const name = nameOf(node);
      const members = written(node, name);
      const [best] = tables
        .map(({ of, names }) => ({ of, shared: members.filter((member) => names.has(member)) }))
        .sort((a, b) => b.shared.length - a.shared.length);
      if (best && best.shared.length >= 2) found.push({ where: `${file} ${name}`, ...best });
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
  return found;
}

/** Why a type stands although options of a verb have some of its names. */
const OTHER: Readonly<Record<string, string>> = {
  'activations/from.ts PlainTokens': 'a form of tokens at hand, not options',
  'activations/write.ts WriteOptions': 'what a store is written from, all resolved',
  'artifacts/types.ts ArtifactRecord': 'a result',
  'compute/clustering/agglomerative.ts AgglomerativeSettings': 'what a worker is sent: compute lies below verb',
  'compute/clustering/hdbscan.ts HdbscanSettings': 'what a worker is sent: compute lies below verb',
  'compute/shared/knnFields.ts KnnParameters': 'what a worker is sent: compute lies below verb',
  'compute/shared/layout.ts EpochParameters': 'what a worker is sent: compute lies below verb',
  'correlation/relationScores.ts RelationSettings': 'what scores are computed with, all resolved',
  'correlation/relations.ts RelatedWord': 'a result',
  'correlation/scores.ts ScoreOptions': 'the pools as matrices; the others are derived',
  'interventions/panel.ts InterventionsParts': 'what the panel is made of, labels loaded; the others are derived',
  'mapper/bundle.ts GraphBundleOptions': 'what a bundle is written from: groups as numbers',
  'maps/bundle.ts BundleOptions': 'what a bundle is written from: groups as numbers',
  'maps/bundle.ts BundleSet': 'what a bundle is written from: columns as numbers',
  'maps/trustworthiness.ts TrustworthinessOptions': 'no verb has them: layouts are measured with its defaults',
  'models/create.ts CreateModelOptions': 'no verb has them: tests and example models are made with it',
  'sae/architectures/trainingOnDevice.ts StepSums': 'values of a graph',
  'sae/architectures/training.ts Training': 'what is trained: values that are found, beside derived options',
  'activations/baselines.ts SideBaselines': 'activations of both sides: features of a and b only have the same names',
  'maps/types.ts Layout': 'a result: it carries what options asked for',
  'show/baselineMaps.ts MapOptions': 'what several verbs that draw maps have, each by a declaration of its own',
  'sae/baselines.ts optionsOf': 'the options of a training that was kept, with its hook: the others are derived',
  'sae/buffer.ts BufferOptions': 'what a buffer is made with, all resolved',
  'sae/keptTraining.ts KeptTraining': 'what training keeps besides its options, which are derived',
  'sae/source.ts ModelSourceOptions': 'how activations are held; no verb has these defaults',
  'sae/source.ts matrixSource': 'facts of a source, which SAEs are saved with',
  'sae/trainOptions.ts withFeatures': 'a bound of a type parameter',
  'sae/types.ts SaeConfig': 'fields of a file',
  'show/featureFacts.ts PageParts': 'what a page is made of, all found',
  'show/fg.ts ChartSpec': "Vega-Lite's fields",
  'verb/common.ts NullWords': 'words of a builder',
  'verb/option.ts Bounds': 'words of a builder',
};
/** The type by file and name. */
const placeOf = ({ where }: Second): string => where;

describe('option tables', () => {
  const table = { of: 'fg.room.verb', names: new Set(['steps', 'rate', 'seed']) };
  const places = (text: string): string[] => secondTables('file.ts', text, [table]).map(placeOf);

  it('typed a second time are found: in interfaces, aliases, parameters, and with defaults filled in', () => {
    expect(places('interface VerbOptions { steps?: number; rate?: number }')).toEqual(['file.ts VerbOptions']);
    expect(places('type Verb = { a: string } & { steps?: number; seed?: number }')).toEqual(['file.ts Verb']);
    expect(places('function run({ rate = 1 }: { steps?: number; rate?: number }) {}')).toEqual(['file.ts run']);
    expect(places('interface Settings { readonly steps: number; readonly seed: number }')).toEqual([
      'file.ts Settings',
    ]);
  });

  it('are not taken for results, and types that are derived are none', () => {
    expect(places('interface Result { steps: number; rate: number }')).toEqual([]);
    expect(places('interface VerbOptions extends Given<typeof VERB> { steps?: number }')).toEqual([]);
  });

  it('are typed once in the kernel: what else has names of options says why', () => {
    const files = fs
      .readdirSync('src/kernel', { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => file.split(path.sep).join('/'));
    const found = files.flatMap((file) => secondTables(file, fs.readFileSync(`src/kernel/${file}`, 'utf8'), TABLES));
    expect(TABLES.length).toBeGreaterThan(100);
    expect(found.filter((each) => !(placeOf(each) in OTHER))).toEqual([]);
    // A reason that nothing needs any more goes.
    expect(Object.keys(OTHER).filter((place) => !found.some((each) => placeOf(each) === place))).toEqual([]);
  });
});
