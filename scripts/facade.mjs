/**
 * What the facade declares, for the editor and for docs/api: words, ranges and defaults from the declarations of the
 * rooms as they run, types from the compiler. Nothing of it is written by hand anywhere else.
 */
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import * as esbuild from 'esbuild';
import ts from 'typescript';
import { optionTables } from './facade-text.mjs';

const LIST = 'src/kernel/api/namespaces.ts';

const describeKinds = ({ type, table, unnamed }) => ({
  type,
  kinds: Object.entries(table).map(([kind, { doc, members }]) => ({
    kind,
    doc,
    unnamed: kind === unnamed,
    members: describeOptions(members),
  })),
});

const describeOptions = (schema) =>
  Object.entries(schema).map(
    ([name, { doc, expected, telling, fallback, required = false, identity, members, short, kinds = [] }]) => ({
      name,
      doc,
      expected,
      telling,
      fallback,
      required,
      identity,
      short,
      kinds: kinds.map(describeKinds),
      ...(members ? { members: describeOptions(members) } : {}),
    }),
  );

const describeVerb = ([name, { doc, args, options, errors, kinds, sync, listed = false }]) => ({
  name,
  doc,
  errors: [...errors],
  kinds: [...kinds],
  sync,
  listed,
  args: args.map((arg) => ({ name: arg.name, doc: arg.doc })),
  options: describeOptions(options),
});

/** What a module of the kernel exports as it runs: bundled and run, since only running knows what builders say. */
async function exportsOf(root, entry) {
  // Under the root, where the packages that the rooms import are found.
  fs.mkdirSync(path.join(root, 'dist'), { recursive: true });
  const folder = fs.mkdtempSync(path.join(root, 'dist', 'facade-'));
  const file = path.join(folder, 'run.mjs');
  try {
    await esbuild.build({
      absWorkingDir: root,
      ...entry,
      outfile: file,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      packages: 'external',
      logLevel: 'warning',
    });
    return await import(pathToFileURL(file).href);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** The namespaces as plain data, without types. */
export async function declaredNamespaces(root) {
  const { namespaces } = await exportsOf(root, { entryPoints: [LIST] });
  return Object.values(namespaces).map(({ name, room = name, doc, example, verbs, forms, members }) => ({
    name,
    room,
    called: forms !== undefined,
    doc,
    example,
    verbs: Object.entries(verbs).map(describeVerb),
    members: Object.keys(members ?? {}),
  }));
}

/** The same of tables of options that types are derived from: those of methods stand with no verb. */
export async function describedTables(root, program) {
  const tables = optionTables(program);
  const contents = tables.map(({ file, name }, i) => `export { ${name} as t${i} } from ${JSON.stringify(file)};`);
  const found = await exportsOf(root, { stdin: { contents: contents.join('\n'), resolveDir: root, loader: 'ts' } });
  const isSchema = (table) => Object.values(table).every((option) => typeof option?.parse === 'function');
  return tables.flatMap((table, i) =>
    isSchema(found[`t${i}`]) ? [{ ...table, options: describeOptions(found[`t${i}`]) }] : [],
  );
}

const FLAGS = ts.NodeBuilderFlags.NoTruncation | ts.NodeBuilderFlags.UseSingleQuotesForStringLiteralType;

/** Types as text, and the modules of the kernel's own types in it. */
class TypeTexts {
  #printer = ts.createPrinter({ removeComments: true });
  #blank = ts.createSourceFile('types.d.ts', '', ts.ScriptTarget.Latest);
  /** Symbol → name. */
  used = new Map();
  /** Types that are derived from declared kinds, and unions in others; the compiler forgets their names. */
  #derived = [];

  constructor(checker, root) {
    this.checker = checker;
    this.kernel = path.join(root, 'src').split(path.sep).join('/');
  }

  derived(symbol) {
    const type = this.checker.getDeclaredTypeOfSymbol(symbol);
    this.#derived.push({ symbol, type, parts: type.isUnion() ? type.types : [type] });
    return type;
  }

  of(type, where) {
    return this.#named(type, where) ?? this.#plain(type, where);
  }

  /** The type by the name of what it is derived from, alone, in an array or among others; undefined where it is not. */
  #named(type, where) {
    if (type.aliasSymbol) return undefined;
    if (this.checker.isArrayType(type)) {
      const of = this.#named(this.checker.getTypeArguments(type)[0], where);
      return of && `${type.symbol.name === 'ReadonlyArray' ? 'readonly ' : ''}${of}[]`;
    }
    const parts = type.isUnion() ? type.types : [type];
    const all = this.#derived.filter((each) => each.parts.every((part) => parts.includes(part)));
    const isIn = (a, b) => a.parts.length < b.parts.length && a.parts.every((part) => b.parts.includes(part));
    const found = all.filter((each) => !all.some((larger) => isIn(each, larger)));
    const others = parts.filter((part) => !found.some((each) => each.parts.includes(part)));
    const named = others.map((part) => (part === type ? undefined : this.#named(part, where)));
    if (found.length === 0 && named.every((text) => text === undefined)) return undefined;
    for (const { symbol } of found) this.#use(symbol, symbol.name, where);
    return [
      ...found.map(({ symbol }) => symbol.name),
      ...named.map((text, i) => text ?? this.#plain(others[i], where)),
    ].join(' | ');
  }

  #plain(type, where) {
    const node = this.checker.typeToTypeNode(type, undefined, FLAGS);
    const visit = (child) => {
      if (ts.isIdentifier(child) && child.symbol) this.#use(child.symbol, child.text, where);
      ts.forEachChild(child, visit);
    };
    visit(node);
    return this.#printer.printNode(ts.EmitHint.Unspecified, node, this.#blank);
  }

  #use(symbol, name, where) {
    const declaration = symbol.declarations?.[0];
    const isType = symbol.flags & (ts.SymbolFlags.Type | ts.SymbolFlags.Alias);
    if (!declaration || !isType || symbol.flags & ts.SymbolFlags.TypeParameter) return;
    const file = declaration.getSourceFile().fileName;
    if (!file.startsWith(`${this.kernel}/`)) return;
    if (!(ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Export))
      throw new Error(`${where}: the type ${name} is not exported by ${file}`);
    const known = this.used.get(name);
    if (known && known !== symbol) throw new Error(`${where}: there are two types of the name ${name}`);
    this.used.set(name, symbol);
  }
}

/** The object among the parts of an option's type that has these members. */
function groupIn(checker, type, members) {
  const parts = type.isUnion() ? type.types : [type];
  return parts.find((part) => members.every(({ name }) => checker.getPropertyOfType(part, name)));
}

function typeOptions(checker, texts, options, type, where) {
  for (const option of options) {
    const at = `${where}.${option.name}`;
    const symbol = checker.getPropertyOfType(type, option.name);
    if (!symbol) throw new Error(`${at}: declared, but of no type`);
    const own = checker.getNonNullableType(checker.getTypeOfSymbol(symbol));
    if (!option.members) option.type = texts.of(own, at);
    else {
      typeOptions(checker, texts, option.members, groupIn(checker, own, option.members), at);
      option.shortType = option.members.find(({ name }) => name === option.short)?.type;
    }
  }
}

/** What a verb gives for each value of its option `kind`; undefined for verbs that give the same for all. */
function resultsByKind(checker, texts, verb, where) {
  const mark = checker.getPropertyOfType(verb, 'byKind');
  const of = mark && checker.getPropertyOfType(checker.getTypeOfSymbol(mark), 'of');
  if (!of) return undefined;
  return checker
    .getPropertiesOfType(checker.getNonNullableType(checker.getTypeOfSymbol(of)))
    .map((symbol) => ({
      kind: symbol.name,
      type: texts.of(checker.getTypeOfSymbol(symbol), `${where}: ${symbol.name}`),
    }))
    .sort((a, b) => (a.kind < b.kind ? -1 : 1));
}

/** A program that holds the facade's sources. */
export function facadeProgram(root) {
  const file = path.join(root, 'src/kernel/tsconfig.json');
  const { config } = ts.readConfigFile(file, ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, path.dirname(file));
  const own = { composite: false, incremental: false, tsBuildInfoFile: undefined, noEmit: true, skipLibCheck: true };
  return ts.createProgram([path.join(root, LIST)], { ...options, ...own });
}

/** Kinds that options name at any depth, by the name of the type that is derived from them. */
function kindsOf(options, found = new Map()) {
  for (const { kinds, members = [] } of options) {
    kindsOf(members, found);
    for (const each of kinds) {
      if (found.has(each.type)) continue;
      found.set(each.type, each);
      for (const { members: own } of each.kinds) kindsOf(own, found);
    }
  }
  return found;
}

/** Unions of many forms that pages call by their names where others stand beside them. */
const UNIONS = new Set(['MatrixInput', 'LensSpec']);

/** Adds to each kind the types of its members, from the exported type that is derived from it. */
function typeKinds(checker, texts, kinds, program) {
  for (const file of program.getSourceFiles())
    for (const node of file.statements) {
      if (ts.isTypeAliasDeclaration(node) && UNIONS.has(node.name.text))
        texts.derived(checker.getSymbolAtLocation(node.name));
      const found = ts.isTypeAliasDeclaration(node) && kinds.get(node.name.text);
      if (!found || !file.fileName.startsWith(`${texts.kernel}/`)) continue;
      const type = texts.derived(checker.getSymbolAtLocation(node.name));
      found.file = file.fileName;
      found.parts = type.isUnion() ? type.types : [type];
    }
  for (const { type, file } of kinds.values())
    if (!file) throw new Error(`kinds of the type ${type}, which nothing exports`);
  for (const { type, kinds: all, parts } of kinds.values()) {
    const kindOf = (part) =>
      checker.getNonNullableType(checker.getTypeOfSymbol(checker.getPropertyOfType(part, 'kind')));
    for (const { kind, members } of all) {
      const part = parts.find((each) => kindOf(each).value === kind);
      if (!part) throw new Error(`${type}: the type has no kind '${kind}'`);
      typeOptions(checker, texts, members, part, `${type} of kind '${kind}'`);
    }
  }
}

/** Adds the types of a program that holds the facade to the declared namespaces. */
export function withTypes(namespaces, program, root) {
  const checker = program.getTypeChecker();
  const entry = program.getSourceFile(path.join(root, LIST));
  const list = checker.getExportsOfModule(checker.getSymbolAtLocation(entry)).find((s) => s.name === 'namespaces');
  const typeOf = (type, name) => checker.getTypeOfSymbol(checker.getPropertyOfType(type, name));
  const given = checker.getTypeOfSymbol(list);
  for (const namespace of namespaces) {
    const texts = new TypeTexts(checker, root);
    namespace.kinds = kindsOf(namespace.verbs.flatMap((verb) => verb.options));
    typeKinds(checker, texts, namespace.kinds, program);
    const verbs = typeOf(typeOf(given, namespace.name), 'verbs');
    for (const verb of namespace.verbs) {
      const where = `fg.${namespace.name}.${verb.name}`;
      const types = checker.getNonNullableType(typeOf(typeOf(verbs, verb.name), 'types'));
      checker
        .getTypeArguments(typeOf(types, 'given'))
        .forEach((type, i) => (verb.args[i].type = texts.of(type, `${where}(${verb.args[i].name})`)));
      verb.result = texts.of(typeOf(types, 'result'), where);
      verb.byKind = resultsByKind(checker, texts, typeOf(verbs, verb.name), where);
      typeOptions(checker, texts, verb.options, checker.getNonNullableType(typeOf(types, 'options')), where);
    }
    namespace.types = texts.used;
  }
  return namespaces;
}
