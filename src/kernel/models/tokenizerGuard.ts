/** Bounds on what foreign patterns may cost: those of a tokenizer.json, whose numbers make arrays too, and those of cells. */
import vm from 'node:vm';
import { clip } from '../../protocol/clip.js';

/** Above any vocabulary there is, by far. */
const MAX_ID = 2 ** 24 - 1;

/** Throws when an id of the vocabulary or of the added tokens is no whole number from 0 to 16,777,215. */
export function requireTokenIds(json: object): void {
  const { model, added_tokens: added } = json as { model?: { vocab?: unknown }; added_tokens?: unknown };
  const vocab = model?.vocab;
  if (typeof vocab === 'object' && vocab !== null && !Array.isArray(vocab))
    for (const [token, id] of Object.entries(vocab)) requireId(token, id);
  if (Array.isArray(added))
    for (const token of added as Array<{ content?: unknown; id?: unknown } | null>)
      requireId(String(token?.content), token?.id);
}

function requireId(token: string, id: unknown): void {
  if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id <= MAX_ID) return;
  const given = typeof id === 'object' ? 'no number' : clip(String(id));
  throw new Error(
    `tokenizer: token ${JSON.stringify(clip(token, 60))} has the id ${given}: ids are whole numbers from 0 to ${MAX_ID}`,
  );
}

/** Qwen 2's pattern. */
export const patternQwen2 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** Patterns of published tokenizers: written so that every text is split in time linear in its length. */
const KNOWN = new Set([
  // GPT-2
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  // GPT-4 and Llama 3
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  patternQwen2,
]);

/** True for a pattern that cannot take long: a known one, or one without repetition. */
const isQuick = (pattern: string): boolean => KNOWN.has(pattern) || !/[*+{]/.test(pattern);

function* patternsOf(json: unknown): Generator<string> {
  const open: unknown[] = [json];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== 'object' || value === null) continue;
    for (const [key, child] of Object.entries(value)) {
      if (key === 'Regex' && typeof child === 'string') yield child;
      else open.push(child);
    }
  }
}

/** The patterns of a tokenizer.json that may take exponential time on some texts. */
export function slowPatterns(json: object): string[] {
  const { normalizer, pre_tokenizer: pre, decoder } = json as Record<string, unknown>;
  return [...new Set([normalizer, pre, decoder].flatMap((part) => [...patternsOf(part)]))].filter((p) => !isQuick(p));
}

/** Milliseconds for any text, and for each of its characters: a hundred times what tokenizers take. */
const LIMIT_MS = 2_000;
const LIMIT_MS_PER_CHARACTER = 0.2;

/**
 * Runs the work on a text of so many characters; where there are `patterns`, it is stopped after a hundred times what
 * tokenizers take. A pattern such as (a+)+$ takes 2^n steps on n characters.
 */
export class PatternGuard {
  private readonly box = vm.createContext({ work: undefined });
  private readonly script = new vm.Script('work()');

  /** `of`: how a pattern that is not the tokenizer's is spoken of, and the time that it has for a character. */
  constructor(
    private readonly patterns: readonly string[],
    private readonly of = {
      whose: "the tokenizer's pattern",
      instead: 'Use another tokenizer.json',
      msPerCharacter: LIMIT_MS_PER_CHARACTER,
    },
  ) {}

  run<T>(characters: number, work: () => T): T {
    if (this.patterns.length === 0) return work();
    const timeout = Math.ceil(LIMIT_MS + this.of.msPerCharacter * characters);
    this.box.work = work;
    try {
      return this.script.runInContext(this.box, { timeout }) as T;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
      throw new Error(
        `${this.of.whose} ${this.patterns.map((p) => JSON.stringify(clip(p))).join(' or ')} did not finish within ${timeout} ms on a text of ${characters} characters; it repeats a repetition. ${this.of.instead}`,
        { cause: error },
      );
    } finally {
      this.box.work = undefined;
    }
  }
}
