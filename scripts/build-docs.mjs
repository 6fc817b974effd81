/** Writes docs/api: a page for each namespace of `fg`, from the declarations of its verbs. */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { declaredNamespaces, describedTables, facadeProgram, withTypes } from './facade.mjs';
import { pageText } from './facade-text.mjs';

/** Name of the file → text. */
export async function pages(root) {
  const program = facadeProgram(root);
  const namespaces = withTypes(await declaredNamespaces(root), program, root);
  const tables = await describedTables(root, program);
  const made = new Map();
  for (const namespace of namespaces)
    made.set(`${namespace.name}.md`, await pageText(namespace, program.getTypeChecker(), root, tables));
  return made;
}

const self = fileURLToPath(import.meta.url);
if (process.argv[1] && path.resolve(process.argv[1]) === self) {
  const root = path.resolve(path.dirname(self), '..');
  const folder = path.join(root, 'docs/api');
  // First, since it fails where a declaration is wrong: the pages that stand are kept then.
  const made = await pages(root);
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  for (const [file, text] of made) fs.writeFileSync(path.join(folder, file), text);
}
