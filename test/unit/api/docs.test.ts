/** docs/api and the editor's types are written from the declarations of the verbs. */
import fs from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { createFg } from '#kernel/api/index.js';
import { namespaces } from '#kernel/api/namespaces.js';
import type { AnyVerb, Namespace } from '#kernel/verb/namespace.js';
import type { Schema } from '#kernel/verb/option.js';
import { collectingContext } from '#test/kit/context.js';

const root = path.resolve(import.meta.dirname, '../../..');
const folder = path.join(root, 'docs/api');
const all: ReadonlyArray<Namespace<Readonly<Record<string, AnyVerb>>>> = Object.values(namespaces);

/** Names of options, those inside others after a dot, without a sentence that says what they are. */
const unsaid = (schema: Schema, at: string): string[] =>
  Object.entries(schema).flatMap(([name, { doc, members }]) => [
    ...(/^\p{Lu}|^[`'"\d]|^n ×/u.test(doc) && doc.length > 4 ? [] : [`${at}.${name}`]),
    ...unsaid(members ?? {}, `${at}.${name}`),
  ]);

describe('pages of docs/api', () => {
  it('are what the declarations say: run "npm run docs" when this fails', async () => {
    const { pages } = (await import(path.join(root, 'scripts/build-docs.mjs'))) as {
      pages(root: string): Promise<Map<string, string>>;
    };
    const made = await pages(root);
    expect([...made.keys()].sort()).toEqual(fs.readdirSync(folder).sort());
    for (const [file, text] of made) expect(fs.readFileSync(path.join(folder, file), 'utf8'), file).toBe(text);
  });

  it.each(all.map(({ name, example, verbs }) => [name, example, verbs] as const))(
    'the example of fg.%s runs as it stands, beside the example notebooks',
    async (_, example, verbs) => {
      const context = collectingContext(path.join(root, 'examples'));
      try {
        const fg = await createFg(context, { device: 'cpu' });
        const { outputText } = ts.transpileModule(`async function cell() {\n${example}\n}`, {
          compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
        });
        await (new Function('fg', `${outputText}; return cell();`) as (f: typeof fg) => Promise<void>)(fg);
        const made = (await fg.artifacts.list()).map(({ kind }) => kind);
        const own = Object.values(verbs).flatMap(({ kinds }) => kinds);
        expect(own.length === 0 || own.some((kind) => made.includes(kind))).toBe(true);
      } finally {
        context.remove();
      }
    },
  );
});

describe('declared verbs', () => {
  it.each(all)('fg.$name: every verb, argument and option is said in a sentence', ({ name, doc, verbs }) => {
    const missing = Object.entries(verbs).flatMap(([verb, { doc: said, args, options }]) => [
      ...(said.length > 20 && said.endsWith('.') ? [] : [`${name}.${verb}`]),
      ...args.filter((arg) => arg.doc.length < 5).map((arg) => `${name}.${verb}(${arg.name})`),
      ...unsaid(options, `${name}.${verb}`),
    ]);
    expect(doc.length).toBeGreaterThan(20);
    expect(missing).toEqual([]);
  });

  it('what is kept can be made afresh and cancelled', () => {
    for (const { name, verbs } of all)
      for (const [verb, { keep, options }] of Object.entries(verbs))
        if (keep)
          expect(Object.keys(options), `fg.${name}.${verb}`).toEqual(
            expect.arrayContaining(['fresh', 'signal', 'onProgress']),
          );
  });
});
