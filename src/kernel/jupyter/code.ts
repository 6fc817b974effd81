/** Answers questions on unfinished code: possible completions, the meaning of a name, whether a text is complete. */
import type { Json, JsonObject } from '../../protocol/notebook.js';
import { loadTypeScript } from '../session/stripTypes.js';
import type { KernelProcess } from './kernelProcess.js';

/** A busy kernel does not answer; a list of names is not waited for longer than this many milliseconds. */
const PATIENCE_MS = 2000;
const MAX_MATCHES = 500;

const NAME = String.raw`[\p{L}_$][\p{L}\p{N}_$]*`;
const PATH_BEFORE = new RegExp(String.raw`(?<![\p{L}\p{N}_$.)\]])((?:${NAME}\.)*)(${NAME})?$`, 'u');
const REST_OF_NAME = /^[\p{L}\p{N}_$]*/u;

const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '');

/** The text before and after the cursor: Jupyter counts Unicode characters, JavaScript UTF-16 units. */
function split({ code, cursor_pos: cursor }: JsonObject): [before: string, behind: string] {
  const characters = [...text(code)];
  const at = typeof cursor === 'number' ? Math.max(0, Math.min(cursor, characters.length)) : characters.length;
  return [characters.slice(0, at).join(''), characters.slice(at).join('')];
}

const lengthOf = (written: string): number => [...written].length;

/** Content of a complete_reply: names that begin with the text before the cursor. */
export async function complete(kernel: KernelProcess, asked: JsonObject): Promise<JsonObject> {
  const [before] = split(asked);
  const found = PATH_BEFORE.exec(before);
  const [, path = '', begun = ''] = found ?? [];
  const end = lengthOf(before);
  const content = { status: 'ok', cursor_start: end - lengthOf(begun), cursor_end: end, metadata: {} };
  if (!found || (path === '' && begun === '')) return { ...content, matches: [] };
  const names = await kernel
    .request('complete', { expression: path.slice(0, -1) }, PATIENCE_MS)
    // No answer in time: no names.
    .catch((): Json => []);
  const all = Array.isArray(names) ? names.filter((name) => typeof name === 'string') : [];
  const matches = [...new Set(all.filter((name) => name.startsWith(begun)))].sort().slice(0, MAX_MATCHES);
  return { ...content, matches };
}

/** Content of an inspect_reply: a description of the name at the cursor. */
export async function inspect(kernel: KernelProcess, asked: JsonObject): Promise<JsonObject> {
  const [before, behind] = split(asked);
  // After an opening bracket the question is about the function before it.
  const head = before.replace(/\([^()]*$/, '');
  const whole = head === before ? before + (REST_OF_NAME.exec(behind)?.[0] ?? '') : head;
  const expression = PATH_BEFORE.exec(whole)?.[0] ?? '';
  const known =
    expression === '' || expression.endsWith('.')
      ? null
      : await kernel.request('inspect', { expression }, PATIENCE_MS).catch((): Json => null);
  const data: JsonObject = typeof known === 'string' ? { 'text/plain': known } : {};
  return { status: 'ok', found: typeof known === 'string', data, metadata: {} };
}

/** TypeScript's errors for text that may just be unfinished: an open comment and an open template. */
const OPEN_ENDED = new Set([1010, 1160]);

/** Content of an is_complete_reply: whether a console should run the text or let its author type on. */
export async function isComplete({ code }: JsonObject): Promise<JsonObject> {
  const { ts } = await loadTypeScript();
  const source = text(code).trimEnd();
  const { diagnostics = [] } = ts.transpileModule(source, {
    reportDiagnostics: true,
    compilerOptions: { target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.ESNext },
  });
  const [first] = diagnostics;
  if (!first) return { status: 'complete' };
  if (OPEN_ENDED.has(first.code) || (first.start ?? 0) >= source.length)
    return { status: 'incomplete', indent: /[({[]$/.test(source) ? '  ' : '' };
  return { status: 'invalid' };
}
