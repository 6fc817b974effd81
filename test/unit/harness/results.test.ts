import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { format, resolveConfig } from 'prettier';
// @ts-expect-error plain JavaScript: the harness runs without a build
import * as untyped from '#test/harness/results.mjs';
import { testFolder } from '#test/kit/folder.js';

type Counts = Record<string, { ran: number; skipped: number }>;
const { vanished, countByFile, countsText, judge } = untyped as {
  vanished(now: Counts, recorded?: Counts, complete?: boolean): string[];
  countByFile(tests: Array<[string, boolean]>): Counts;
  countsText(counts: Record<string, Counts>): string;
  judge(file: string, o: { recorded?: Counts; exitCode: number }): { ok: boolean; verdict: string; files: Counts };
};
const recorded: Counts = { 'a.test.ts': { ran: 10, skipped: 1 }, 'b.test.ts': { ran: 2, skipped: 0 } };
const now = (a: [number, number], more: Counts = {}): Counts => ({
  'a.test.ts': { ran: a[0], skipped: a[1] },
  'b.test.ts': { ran: 2, skipped: 0 },
  ...more,
});

describe('the record of tests', () => {
  it('needs no new line when tests or test files are added', () => {
    expect(vanished(now([10, 1]), recorded)).toEqual([]);
    expect(vanished(now([12, 0], { 'c.test.ts': { ran: 1, skipped: 0 } }), recorded)).toEqual([]);
  });

  it('misses a test that is skipped now, where its data is there', () => {
    expect(vanished(now([9, 2]), recorded, true)).toEqual(['a.test.ts: 9 tests ran, 2 were skipped, 10 must run']);
    expect(vanished(now([9, 2]), recorded, false)).toEqual([]);
  });

  it('misses a test that is gone, data or not, whatever came to other files', () => {
    for (const complete of [true, false])
      expect(vanished(now([9, 1], { 'c.test.ts': { ran: 50, skipped: 0 } }), recorded, complete)).toEqual([
        'a.test.ts: 10 tests are there, 11 are recorded',
      ]);
  });

  it('misses a file that is gone', () => {
    const { 'b.test.ts': b } = now([10, 1]);
    expect(vanished({ 'b.test.ts': b }, recorded)).toEqual(['a.test.ts is gone with its 11 tests']);
  });

  it('demands that one test ran, recorded or not', () => {
    expect(vanished({ 'a.test.ts': { ran: 0, skipped: 11 } }, recorded, false)).toEqual(['no test ran']);
    expect(vanished({})).toEqual(['no test ran']);
  });

  it('is written a line for each file, in order, as the formatter wants it', async () => {
    const unit = countByFile([
      ['z.test.ts', false],
      ['a.test.ts', false],
      ['z.test.ts', true],
    ]);
    const text = countsText({ unit, kernel: recorded });
    expect(JSON.parse(text)).toEqual({ unit, kernel: recorded });
    expect(text.split('\n').slice(1, 4)).toEqual([
      '  "unit": {',
      '    "a.test.ts": { "ran": 1, "skipped": 0 },',
      '    "z.test.ts": { "ran": 1, "skipped": 1 }',
    ]);
    const file = join(import.meta.dirname, 'counts.json');
    expect(await format(text, { ...(await resolveConfig(file)), filepath: file })).toBe(text);
  });
});

describe('the results of the suite in the workbench', () => {
  const folder = testFolder('results');
  const judged = (events: object[], o: { recorded?: Counts; exitCode?: number } = {}) => {
    const file = join(folder, 'results.jsonl');
    writeFileSync(file, events.map((event) => JSON.stringify(event)).join('\n'));
    return judge(file, { exitCode: 0, ...o });
  };
  const pass = { event: 'pass', title: 'a cell runs', file: 'b.test.ts' };
  const whole = [{ event: 'start' }, pass, { ...pass, title: 'a map opens' }, { event: 'end' }];

  it('are good when all that is recorded ran to the end', () => {
    expect(judged(whole, { recorded: { 'b.test.ts': { ran: 2, skipped: 0 } } })).toMatchObject({
      ok: true,
      files: { 'b.test.ts': { ran: 2, skipped: 0 } },
    });
  });

  it.each<[string, object[], { recorded?: Counts; exitCode?: number }, RegExp]>([
    ['no start', [], {}, /never started/],
    ['no end', whole.slice(0, 2), {}, /never finished .*last: a cell runs/],
    ['no test', [whole[0], whole[3]], {}, /no test ran/],
    ['a file of the record missing', whole, { recorded }, /a\.test\.ts is gone with its 11 tests/],
    ['a failed test', [...whole.slice(0, 3), { ...pass, event: 'fail' }, whole[3]], {}, /1 failed/],
    ['another exit code', whole, { exitCode: 3 }, /exit code 3/],
  ])('are bad with %s', (_, events, o, verdict) => {
    expect(judged(events, o)).toMatchObject({ ok: false, verdict: expect.stringMatching(verdict) as string });
  });
});
