/** The facade as text: declarations for the editor, pages for docs/api. */
import path from 'node:path';
import * as prettier from 'prettier';
import ts from 'typescript';

/** "fg.mapper"; a namespace of the name "fg" holds what stands in fg itself. */
const inFg = (namespace) => (namespace === 'fg' ? 'fg' : `fg.${namespace}`);
const capital = (text) => text[0].toUpperCase() + text.slice(1);
const ended = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);

/** "1,000 landmarks." + what is expected + the default, as hovers show it. */
function wordsOf({ doc, expected, telling, fallback, required }) {
  const left = required ? 'required' : fallback === undefined ? undefined : `default ${fallback}`;
  const rest = [telling ? expected : undefined, left].filter((s) => s !== undefined);
  return rest.length > 0 ? `${ended(doc)} ${ended(capital(rest.join('; ')))}` : ended(doc);
}

const comment = (text, indent) => `${indent}/** ${text.replaceAll('*/', '*\\/')} */`;

function memberLines(options, indent) {
  return options.flatMap((option) => {
    const { name, required, members, shortType, type } = option;
    const head = `${indent}readonly ${name}${required ? '' : '?'}: `;
    const lines = [comment(wordsOf(option), indent)];
    if (!members) return [...lines, `${head}${type};`];
    const short = shortType ? `${shortType} | ` : '';
    return [...lines, `${head}${short}{`, ...memberLines(members, `${indent}  `), `${indent}};`];
  });
}

/** A type that is derived from declared kinds, written out with their words. */
export function kindsText({ type, kinds }) {
  const parts = kinds.flatMap(({ kind, doc, unnamed, members }) => [
    comment(doc, '  '),
    '  | {',
    `      readonly kind${unnamed ? '?' : ''}: '${kind}';`,
    ...memberLines(members, '      '),
    '    }',
  ]);
  return [`type ${type} =`, ...parts].join('\n') + ';';
}

export const interfaceName = (namespace) => `${capital(namespace)}Api`;
const optionsName = (namespace, verb) => `${capital(namespace)}${capital(verb)}Options`;
const resultsName = (namespace, verb) => `${capital(namespace)}${capital(verb)}Results`;

/** "graph(points: MatrixInput, options?: MapperGraphOptions): Promise<MapperGraph>", without a name where it is called. */
function signature({ name: namespace, called, members }, { name, args, options, result, byKind }) {
  const given = args.map((arg) => `${arg.name}: ${arg.type}`);
  const optional = options.some((option) => option.required) ? '' : '?';
  const ofKind = byKind ? ' & { readonly kind?: K }' : '';
  if (options.length > 0) given.push(`options${optional}: ${optionsName(namespace, name)}${ofKind}`);
  if (!byKind) return `${called && !members.includes(name) ? '' : name}(${given.join(', ')}): ${result}`;
  const results = resultsName(namespace, name);
  return `${name}<K extends keyof ${results} = keyof ${results}>(${given.join(', ')}): Promise<${results}[K]>`;
}

/** Of a verb that takes a list of options too: that form, which stands first, since errors tell of the last. */
function listSignature({ name: namespace }, { name, args, result, listed }) {
  if (!listed) return [];
  const given = args.map((arg) => `${arg.name}: ${arg.type}`);
  const results = result.replace(/^Promise<(.*)>$/, 'Promise<($1)[]>');
  return [`${name}(${[...given, `options: readonly ${optionsName(namespace, name)}[]`].join(', ')}): ${results}`];
}

function verbLines(namespace, verb) {
  const args = verb.args.map(({ name, doc }) => `   * @param ${name} ${doc}`);
  const words = ['  /**', `   * ${verb.doc}`, ...args, '   */'];
  const forms = [...listSignature(namespace, verb), signature(namespace, verb)];
  return forms.flatMap((form) => [...words, `  ${form};`]);
}

/** Puts the words of a table's options before its members in its declaration, for the editor. */
export function withWords(text, { name, options }) {
  const file = ts.createSourceFile('table.d.ts', text, ts.ScriptTarget.Latest, true);
  const declared = file.statements.filter(ts.isVariableStatement).flatMap((s) => [...s.declarationList.declarations]);
  const type = declared.find((each) => each.name.text === name)?.type;
  const members = type && ts.isTypeLiteralNode(type) ? [...type.members].reverse() : [];
  return members.reduce((made, member) => {
    const option = options.find((each) => each.name === member.name?.text);
    const start = member.getStart(file);
    const isBare = option && made.slice(member.getFullStart(), start).trim() === '';
    return isBare ? `${made.slice(0, start)}${comment(wordsOf(option), '')}\n    ${made.slice(start)}` : made;
  }, text);
}

/** Declarations of the namespaces, to lie beside the emitted ones of src/kernel/api. */
export function declarationText(namespaces, root) {
  const source = path.join(root, 'src/kernel/api');
  const modules = new Map();
  for (const { types } of namespaces)
    for (const [name, symbol] of types) {
      const file = symbol.declarations[0].getSourceFile().fileName;
      const from = path.relative(source, file).split(path.sep).join('/').replace(/\.ts$/, '.js');
      modules.set(from, (modules.get(from) ?? new Set()).add(name));
    }
  const lines = [...modules].map(([from, names]) => `import type { ${[...names].join(', ')} } from '${from}';`);
  for (const namespace of namespaces) {
    const { name, doc, verbs } = namespace;
    for (const verb of verbs.filter(({ options }) => options.length > 0))
      lines.push('', `export interface ${optionsName(name, verb.name)} {`, ...memberLines(verb.options, '  '), '}');
    for (const { name: verb, byKind } of verbs.filter((each) => each.byKind))
      lines.push(
        ...['', `/** What fg.${name}.${verb} gives, by kind. */`, `export interface ${resultsName(name, verb)} {`],
        ...[...byKind.map(({ kind, type }) => `  readonly '${kind}': ${type};`), '}'],
      );
    lines.push('', comment(doc, ''), `export interface ${interfaceName(name)} {`);
    lines.push(...verbs.flatMap((verb) => verbLines(namespace, verb)), '}');
  }
  return `${lines.join('\n')}\n`;
}

const sourceText = (node) =>
  node
    .getFullText()
    .trim()
    .replace(/^export /m, '');

/** A type that is derived from a list of values, such as their names, is written out. */
function aliasText(node, checker) {
  const flags = ts.NodeBuilderFlags.InTypeAlias | ts.NodeBuilderFlags.NoTruncation;
  const type = checker.getTypeFromTypeNode(node.type);
  const comment = node.getFullText().slice(0, node.getLeadingTriviaWidth()).trim();
  const text = checker.typeToString(type, node, flags | ts.NodeBuilderFlags.UseSingleQuotesForStringLiteralType);
  return `${comment}\ntype ${node.name.text} = ${text};`.trim();
}

/** The tables of options in a type: each `typeof TABLE` in it, as the file and the name. */
function tablesIn(node, checker) {
  if (!ts.isTypeQueryNode(node)) {
    const found = [];
    ts.forEachChild(node, (child) => void found.push(...tablesIn(child, checker)));
    return found;
  }
  const named = checker.getSymbolAtLocation(node.exprName);
  const symbol = named && named.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(named) : named;
  return symbol?.declarations?.[0]
    ? [{ file: symbol.declarations[0].getSourceFile().fileName, name: symbol.name }]
    : [];
}

/** Every exported table of options that a type of the program is derived from. */
export function optionTables(program) {
  const checker = program.getTypeChecker();
  const all = program
    .getSourceFiles()
    .filter(({ fileName }) => fileName.includes('/src/kernel/'))
    .flatMap((file) => file.statements.flatMap((node) => sourcesOf(node).flatMap((type) => tablesIn(type, checker))));
  const isExported = ({ file, name }) =>
    checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file))).some((s) => s.name === name);
  const byPlace = new Map(all.map((table) => [`${table.file} ${table.name}`, table]));
  return [...byPlace.values()].filter(isExported);
}

/** What a declaration is derived from, where that is the options of a verb: the types after `extends`, or the alias. */
const sourcesOf = (node) => {
  const all = ts.isInterfaceDeclaration(node)
    ? (node.heritageClauses ?? []).flatMap(({ types }) => [...types])
    : ts.isTypeAliasDeclaration(node) && !ts.isUnionTypeNode(node.type)
      ? [node.type]
      : [];
  return all.filter((type) => /<[^]*typeof [A-Z]/.test(type.getText()));
};

/** A type that is derived from tables of options: their members, each with its words. */
function optionsText(node, sources, checker, tables) {
  const options = sources
    .flatMap((source) => tablesIn(source, checker))
    .flatMap(({ file, name }) => tables.find((table) => table.file === file && table.name === name)?.options ?? []);
  const wordsOfMember = (name) => options.filter((option) => option.name === name).slice(0, 1).map((o) => comment(wordsOf(o), '  ')); // prettier-ignore
  const { InTypeAlias, ...known } = ts.NodeBuilderFlags;
  const flags =
    known.NoTruncation | known.UseSingleQuotesForStringLiteralType | known.UseAliasDefinedOutsideCurrentScope;
  const properties = sources.flatMap((source) => checker.getPropertiesOfType(checker.getTypeAtLocation(source)));
  const members = properties.map((property) => {
    const isOptional = property.flags & ts.SymbolFlags.Optional;
    const own = checker.getTypeOfSymbol(property);
    const type = isOptional ? checker.getNonNullableType(own) : own;
    // A group is written out too.
    const text = checker.typeToString(
      type,
      undefined,
      type.aliasSymbol?.name === 'Given' ? flags | InTypeAlias : flags,
    );
    return [...wordsOfMember(property.name), `  readonly ${property.name}${isOptional ? '?' : ''}: ${text};`].join(
      '\n',
    );
  });
  const head = node.getFullText().slice(0, node.getLeadingTriviaWidth()).trim();
  if (ts.isTypeAliasDeclaration(node)) return `${head}\ntype ${node.name.text} = {\n${members.join('\n')}\n};`.trim();
  const others = node.heritageClauses.flatMap(({ types }) => types.filter((type) => !sources.includes(type)));
  const bases = others.length > 0 ? ` extends ${others.map((type) => type.getText()).join(', ')}` : '';
  const own = node.members.map((member) => member.getFullText().replace(/^\n/, ''));
  return `${head}\ninterface ${node.name.text}${bases} {\n${[...members, ...own].join('\n')}\n}`.trim();
}

const textOf = (node, checker, kinds, tables) => {
  const derivedFrom = ts.isTypeAliasDeclaration(node) && kinds.get(node.name.text);
  if (derivedFrom) return kindsText(derivedFrom);
  const sources = sourcesOf(node);
  if (sources.length > 0) return optionsText(node, sources, checker, tables);
  if (ts.isClassDeclaration(node)) return classText(node);
  const derived = ts.isTypeAliasDeclaration(node) && /^\(typeof /.test(node.type.getText());
  return derived ? aliasText(node, checker) : sourceText(node);
};

/** What cells see of a class: public members without what they do. */
function classText(node) {
  const text = node.getSourceFile().text;
  const isPrivate = (member) => ts.getCombinedModifierFlags(member) & ts.ModifierFlags.Private;
  const fields = node.members.filter(ts.isConstructorDeclaration).flatMap((made) => [...made.parameters]);
  const shown = [...fields.filter((field) => field.modifiers), ...node.members]
    .filter((member) => !isPrivate(member) && !ts.isConstructorDeclaration(member))
    .map((member) => `${text.slice(member.getFullStart(), member.body ? member.body.pos : member.end).trim()};`);
  const head = text.slice(node.getFullStart(), node.members.pos).trim();
  return `${head.replace(/^export /m, '')}\n${shown.join('\n')}\n}`;
}

/** Declarations, comments included, of the types that a page names and that its room owns, and of those that they name. */
function typeSources({ room, types, kinds }, checker, root, tables) {
  const own = [path.join(root, 'src/kernel', room), path.join(root, 'src/protocol')];
  const seen = new Map();
  const visit = (symbol) => {
    const declaration = symbol.declarations?.[0];
    if (!declaration || seen.has(symbol) || !own.some((f) => declaration.getSourceFile().fileName.startsWith(f)))
      return;
    seen.set(symbol, declaration);
    const names = (node) => {
      const found = ts.isTypeReferenceNode(node)
        ? node.typeName
        : ts.isExpressionWithTypeArguments(node)
          ? node.expression
          : undefined;
      const target = found && checker.getSymbolAtLocation(found);
      if (target) visit(target.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(target) : target);
      node.forEachChild(names);
    };
    names(declaration);
    for (const source of sourcesOf(declaration))
      for (const property of checker.getPropertiesOfType(checker.getTypeAtLocation(source))) {
        const type = checker.getNonNullableType(checker.getTypeOfSymbol(property));
        const named = type.aliasSymbol ?? type.symbol;
        if (named && named.flags & (ts.SymbolFlags.TypeAlias | ts.SymbolFlags.Interface)) visit(named);
      }
  };
  [...types.values()].forEach(visit);
  return [...seen.values()].map((node) => textOf(node, checker, kinds, tables));
}

/** A default that is a value, not words. */
const CODE = /^(?:[[{'"\d-].*|true|false)$/;

const cell = (text) => text.replaceAll('|', '\\|');

function optionRows(options, prefix = '') {
  return options.flatMap((option) => {
    const { name, doc, expected, telling, fallback, required, members, shortType, type } = option;
    const shown = members ? `${shortType ? `${shortType} | ` : ''}{ ${members.map((m) => m.name).join(', ')} }` : type;
    const left = required ? 'required' : (fallback ?? '').replace(CODE, '`$&`');
    const row = [
      `\`${prefix}${name}\``,
      `\`${shown}\``,
      left,
      telling ? `${ended(doc)} ${ended(capital(expected))}` : ended(doc),
    ];
    return [`| ${row.map(cell).join(' | ')} |`, ...(members ? optionRows(members, `${prefix}${name}.`) : [])];
  });
}

function verbText(namespace, verb) {
  const { name, doc, args, options, errors, kinds, sync, byKind } = verb;
  const called = namespace.called && !namespace.members.includes(name);
  const of = called ? `fg.${namespace.name}` : `${inFg(namespace.name)}.`;
  const forms = [signature(namespace, verb), ...listSignature(namespace, verb)].map((form) => `${of}${form}`);
  const lines = [`## ${name}`, '', '```ts', ...forms, '```', '', doc, ''];
  lines.push(...args.map((arg) => `- \`${arg.name}\`: ${arg.doc}`), '');
  if (options.length > 0)
    lines.push('| option | type | default | meaning |', '| --- | --- | --- | --- |', ...optionRows(options), '');
  if (byKind)
    lines.push(
      ...['| kind | what it gives |', '| --- | --- |'],
      ...[...byKind.map(({ kind, type }) => `| \`'${kind}'\` | \`${cell(type)}\` |`), ''],
    );
  if (errors.length > 0)
    lines.push('Errors, besides those of arguments and options:', '', ...errors.map((e) => `- ${e}`), '');
  if (kinds.length > 0) lines.push(`Kept as an artifact of kind ${kinds.map((k) => `\`${k}\``).join(' or ')}.`, '');
  if (sync) lines.push('Answers at once; `await` is not needed, and not wrong.', '');
  return lines;
}

/**
 * The page of a namespace, as it stands in docs/api.
 * @param tables described tables of options (facade.mjs)
 */
export async function pageText(namespace, checker, root, tables) {
  const { name, room, doc, example, verbs } = namespace;
  const contents = verbs.map(
    (verb) =>
      `- [\`${verb.name}\`](#${verb.name.toLowerCase()}): ${/^.*?[.:](?= |$)/.exec(verb.doc)[0].replace(/:$/, '.')}`,
  );
  const types = typeSources(namespace, checker, root, tables);
  const lines = [
    `<!-- Written by scripts/build-docs.mjs from the declarations in src/kernel/${room}/: edit those. -->`,
    '',
    `# ${inFg(name)}`,
    '',
    doc,
    '',
    'An argument that is no object of the right kind, a promise that was not awaited, an option that there is not and a value outside its range are refused before anything is computed; the message names what was given and what is expected.',
    '',
    '```ts',
    example,
    '```',
    '',
    ...contents,
    '',
    ...verbs.flatMap((verb) => verbText(namespace, verb)),
    ...(types.length > 0 ? ['## Types', '', '```ts', types.join('\n\n'), '```'] : []),
  ];
  const config = await prettier.resolveConfig(path.join(root, 'docs/api/page.md'));
  return prettier.format(`${lines.join('\n')}\n`, { ...config, parser: 'markdown' });
}
