/**
 * Writes dist/types: what the editor knows of a cell's world. The kernel's facade as declarations (documentation
 * comments included), the globals `fg`, `tf` and `params`, the module 'fg', and the typings of Node and TensorFlow.js
 * that these reach, so that a host without any package installed has them too. Nothing is done when no source changed.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { declaredNamespaces, describedTables, withTypes } from './facade.mjs';
import { declarationText, interfaceName, kindsText, withWords } from './facade-text.mjs';

const FACADE = 'src/kernel/api/index.ts';
/** What other programs import. */
const LIBRARY = 'src/kernel/library.ts';

const GLOBALS = `/// <reference types="node" />
import type { Fg } from './kernel/api/index.js';
import type * as tensorflow from '@tensorflow/tfjs';
declare global {
  /** Feature Geometry: models, SAEs, activations, correlation, maps, interventions. */
  const fg: Fg;
  /** TensorFlow.js, the kernel's own copy. */
  const tf: typeof tensorflow;
  /** Values given with \`fgnb run --param name=value\`; empty in the editor. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  const params: Record<string, any>;
}
`;

const slashes = (file) => file.split(path.sep).join('/');

function compilerOptions(root) {
  const file = path.join(root, 'src/kernel/tsconfig.json');
  const { config, error } = ts.readConfigFile(file, ts.sys.readFile);
  if (error) throw new Error(ts.flattenDiagnosticMessageText(error.messageText, '\n'));
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, path.dirname(file));
  return {
    ...options,
    composite: false,
    incremental: false,
    tsBuildInfoFile: undefined,
    declarationMap: false,
    emitDeclarationOnly: true,
    declaration: true,
    stripInternal: true,
    skipLibCheck: true,
    noCheck: true,
  };
}

/** Hash of everything the declarations are made from. */
function stampOf(root) {
  const hash = createHash('sha256').update(ts.version);
  for (const folder of ['src/kernel', 'src/protocol']) {
    const files = fs.readdirSync(path.join(root, folder), { recursive: true }).map(String).sort();
    for (const file of files.filter((f) => /\.(ts|json)$/.test(f)))
      hash.update(`${folder}/${file}\0`).update(fs.readFileSync(path.join(root, folder, file)));
  }
  const made = ['build-types', 'facade', 'facade-text'].map((name) => `scripts/${name}.mjs`);
  for (const file of ['package-lock.json', 'tsconfig.base.json', ...made])
    hash.update(fs.readFileSync(path.join(root, file)));
  return hash.digest('hex');
}

/** Puts the kinds of a type, written out, in the place of the type that is derived from them. */
function writeKinds(root, folder, kinds) {
  const file = path.join(folder, path.relative(path.join(root, 'src'), kinds.file).replace(/\.ts$/, '.d.ts'));
  const text = fs.readFileSync(file, 'utf8');
  const derived = new RegExp(`type ${kinds.type} = OneOf<[^;]*;`);
  // The same type may be named by several namespaces.
  if (derived.test(text))
    fs.writeFileSync(
      file,
      text.replace(derived, () => kindsText(kinds)),
    );
}

/** Puts the words of options into their tables, of which methods' options are derived. */
function writeWords(root, folder, table) {
  const file = path.join(folder, path.relative(path.join(root, 'src'), table.file).replace(/\.ts$/, '.d.ts'));
  fs.writeFileSync(file, withWords(fs.readFileSync(file, 'utf8'), table));
}

/** Options of a method that are those of a verb: cells see the verb's, each with its words. */
function writeSharedOptions(folder) {
  const file = path.join(folder, 'kernel/correlation/restrict.d.ts');
  const text = fs.readFileSync(file, 'utf8');
  const written = text.replace(
    'restrict(options: Restriction)',
    "restrict(options: import('../api/declared.js').CorrelationFilterOptions)",
  );
  if (written === text) throw new Error(`${file}: restrict takes no Restriction any more`);
  fs.writeFileSync(file, written);
}

/** Puts what the rooms declare, written out with its documentation, in the place of the types that only infer it. */
async function writeDeclared(root, folder, program) {
  const namespaces = withTypes(await declaredNamespaces(root), program, root);
  const api = path.join(folder, 'kernel/api');
  fs.writeFileSync(path.join(api, 'declared.d.ts'), declarationText(namespaces, root));
  for (const { kinds } of namespaces) for (const each of kinds.values()) writeKinds(root, folder, each);
  for (const table of await describedTables(root, program)) writeWords(root, folder, table);
  writeSharedOptions(folder);
  const index = path.join(api, 'index.d.ts');
  const inferred = /\bBound(?:Call)?<typeof namespaces\.(\w+)>/g;
  const text = fs.readFileSync(index, 'utf8');
  fs.writeFileSync(
    index,
    text.replace(inferred, (_, name) => `import('./declared.js').${interfaceName(name)}`),
  );
}

/** Declarations of the facade and all that it imports, into `folder`. Returns Fg's namespaces. */
async function emitDeclarations(root, folder) {
  const options = { ...compilerOptions(root), rootDir: path.join(root, 'src'), outDir: folder };
  const entry = path.join(root, FACADE);
  const program = ts.createProgram([entry, path.join(root, LIBRARY)], options);
  const emitted = program.emit();
  const errors = emitted.diagnostics.filter((d) => d.category === ts.DiagnosticCategory.Error);
  // The type check reports these too; an editor with fewer types beats none.
  for (const d of errors) console.warn(`types: ${ts.flattenDiagnosticMessageText(d.messageText, ' ')}`);
  await writeDeclared(root, folder, program);
  const checker = program.getTypeChecker();
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(entry)));
  const facade = exported.find((s) => s.name === 'Fg');
  if (!facade) throw new Error(`${FACADE} exports no type Fg`);
  return checker
    .getDeclaredTypeOfSymbol(facade)
    .getProperties()
    .map((p) => p.name);
}

/** Every type of the declarations that cells can reach, by name; the first module that exports a name gives it. */
function reachableTypes(program, folder, taken) {
  const checker = program.getTypeChecker();
  const byModule = new Map();
  const seen = new Set(taken);
  for (const file of program.getSourceFiles()) {
    const module = slashes(path.relative(folder, file.fileName));
    const symbol = checker.getSymbolAtLocation(file);
    if (!module.startsWith('kernel/') || module === 'kernel/library.d.ts' || !symbol) continue;
    for (const each of checker.getExportsOfModule(symbol)) {
      const target = each.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(each) : each;
      if (!(target.flags & ts.SymbolFlags.Type) || seen.has(each.name) || each.name === 'default') continue;
      seen.add(each.name);
      byModule.set(module, [...(byModule.get(module) ?? []), each.name]);
    }
  }
  return byModule;
}

function moduleText(namespaces, types) {
  const lines = [
    "import type { Fg } from '../../kernel/api/index.js';",
    "import type * as tensorflow from '@tensorflow/tfjs';",
    'declare const fg: Fg;',
    'export default fg;',
    'export declare const tf: typeof tensorflow;',
    ...namespaces.map((name) => `export declare const ${name}: Fg['${name}'];`),
    ...[...types].map(
      ([module, names]) => `export type { ${names.join(', ')} } from '../../${module.replace(/\.d\.ts$/, '.js')}';`,
    ),
  ];
  return lines.join('\n') + '\n';
}

/** Copies the packages' declaration files that the program read, with what resolution needs of their package.json. */
function shipPackages(program, folder) {
  const roots = new Set();
  for (const { fileName } of program.getSourceFiles()) {
    const at = fileName.lastIndexOf('/node_modules/');
    const inside = fileName.slice(at + '/node_modules/'.length);
    if (at < 0 || inside.startsWith('typescript/') || fileName.startsWith(slashes(folder))) continue;
    const name = inside.split('/', inside.startsWith('@') ? 2 : 1).join('/');
    // A package of a built-in module's name: Node's own typings declare that module.
    if (isBuiltin(name)) continue;
    const to = path.join(folder, 'node_modules', inside);
    fs.mkdirSync(path.dirname(to), { recursive: true });
    fs.copyFileSync(fileName, to);
    roots.add(`${fileName.slice(0, at)}/node_modules/${name}`);
  }
  for (const from of roots) {
    const { name, version, license, types, typings, typesVersions } = JSON.parse(
      fs.readFileSync(path.join(from, 'package.json'), 'utf8'),
    );
    const to = path.join(folder, 'node_modules', name);
    fs.writeFileSync(
      path.join(to, 'package.json'),
      JSON.stringify({ name, version, license, types: types ?? typings, typesVersions }, null, 1) + '\n',
    );
    for (const file of fs.readdirSync(from).filter((f) => /^licen[cs]e/i.test(f)))
      fs.copyFileSync(path.join(from, file), path.join(to, file));
  }
}

/** Deletes declarations that no cell can reach. */
function prune(program, folder) {
  const used = new Set(program.getSourceFiles().map((f) => path.normalize(f.fileName)));
  for (const part of ['kernel', 'protocol']) {
    const from = path.join(folder, part);
    if (!fs.existsSync(from)) continue;
    for (const file of fs.readdirSync(from, { recursive: true }).map(String)) {
      const full = path.join(from, file);
      if (fs.statSync(full).isFile() && !used.has(full)) fs.rmSync(full);
    }
  }
}

async function write(root, folder) {
  const namespaces = await emitDeclarations(root, folder);
  const globals = path.join(folder, 'globals.d.ts');
  fs.writeFileSync(globals, GLOBALS);
  const options = {
    target: ts.ScriptTarget.ESNext,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    skipLibCheck: true,
    noEmit: true,
    types: [],
    lib: ['lib.esnext.d.ts'],
  };
  const library = path.join(folder, 'kernel/library.d.ts');
  const program = ts.createProgram([globals, library], options);
  const types = reachableTypes(program, folder, [...namespaces, 'tf']);
  const module = path.join(folder, 'node_modules/fg');
  fs.mkdirSync(module, { recursive: true });
  fs.writeFileSync(path.join(module, 'package.json'), '{ "name": "fg", "type": "module", "types": "index.d.ts" }\n');
  fs.writeFileSync(path.join(module, 'index.d.ts'), moduleText(namespaces, types));
  shipPackages(program, folder);
  prune(program, folder);
}

/** Makes `<dist>/types` from the sources under `root`; true if it had to be made anew. */
export async function buildTypes(root, dist = path.join(root, 'dist')) {
  const target = path.join(dist, 'types');
  const stampFile = path.join(target, 'stamp');
  const stamp = stampOf(root);
  if (fs.existsSync(stampFile) && fs.readFileSync(stampFile, 'utf8') === stamp) return false;
  // Beside the target, where the packages of the checkout are found, and put in place whole.
  const temporary = path.join(dist, `types.${process.pid}.tmp`);
  fs.rmSync(temporary, { recursive: true, force: true });
  fs.mkdirSync(temporary, { recursive: true });
  try {
    await write(root, temporary);
    fs.writeFileSync(path.join(temporary, 'stamp'), stamp);
    fs.rmSync(target, { recursive: true, force: true });
    fs.renameSync(temporary, target);
  } finally {
    fs.rmSync(temporary, { recursive: true, force: true });
  }
  return true;
}

const self = fileURLToPath(import.meta.url);
if (process.argv[1] && path.resolve(process.argv[1]) === self) await buildTypes(path.resolve(path.dirname(self), '..'));
