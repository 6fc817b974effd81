/**
 * Reads the results file of the suite in the workbench, and holds what ran beside what is known. The workbench's exit
 * code is no proof: it is 0 when the extension host dies in mid-run and when no test matches. So the suite writes each
 * result as it happens, and this demands a start, an end and every test that is recorded.
 */
import { existsSync, readFileSync } from 'node:fs';

/** Tests of each file: `{ [file]: { ran, skipped } }`, from `[file, skipped]` of each test. */
export function countByFile(tests) {
  const counts = {};
  for (const [file, skipped] of tests) {
    counts[file] ??= { ran: 0, skipped: 0 };
    counts[file][skipped ? 'skipped' : 'ran']++;
  }
  return counts;
}

/**
 * What is no longer tested, a line each. `recorded` has the tests of each file at the last release (test/counts.json):
 * none of them may be gone, and with the data there (`complete`) as many must run; new tests and new files need no
 * record. Without a record one test must have run.
 */
export function vanished(now, recorded = {}, complete = true) {
  const found = Object.values(now).reduce((sum, { ran }) => sum + ran, 0);
  if (found === 0) return ['no test ran'];
  return Object.entries(recorded).flatMap(([file, before]) => {
    const { ran, skipped } = now[file] ?? { ran: 0, skipped: 0 };
    const known = before.ran + before.skipped;
    if (ran + skipped === 0) return [`${file} is gone with its ${known} tests`];
    if (ran + skipped < known) return [`${file}: ${ran + skipped} tests are there, ${known} are recorded`];
    if (complete && ran < before.ran)
      return [`${file}: ${ran} tests ran, ${skipped} were skipped, ${before.ran} must run`];
    return [];
  });
}

/** The file as it stands in the repository: a line for each test file, so that two branches seldom meet in one. */
export function countsText(counts) {
  const tiers = Object.entries(counts).map(([tier, files]) => {
    const lines = Object.keys(files)
      .sort()
      .map((file) => `    ${JSON.stringify(file)}: { "ran": ${files[file].ran}, "skipped": ${files[file].skipped} }`);
    return `  ${JSON.stringify(tier)}: {\n${lines.join(',\n')}\n  }`;
  });
  return `{\n${tiers.join(',\n')}\n}\n`;
}

export function readCounts(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
}

/**
 * `recorded`: the suite's part of test/counts.json, left out where only some tests were asked for.
 * @returns {{ok: boolean, verdict: string, passed: number, failed: number, skipped: number, failures: object[], files: object}}
 */
export function judge(file, { recorded, exitCode }) {
  const text = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  const events = text === '' ? [] : text.split('\n').map((line) => JSON.parse(line));
  const of = (kind) => events.filter((event) => event.event === kind);
  const failures = of('fail');
  const counts = { passed: of('pass').length, failed: failures.length, skipped: of('pending').length };
  const files = countByFile(
    events.filter(({ title }) => title !== undefined).map(({ file: of, event }) => [of, event === 'pending']),
  );
  const problem = () => {
    if (of('start').length === 0) return 'the suite never started';
    if (of('end').length === 0) {
      const last = events.at(-1);
      return `the suite never finished (did the extension host die?); last: ${last.title ?? last.event}`;
    }
    if (counts.failed > 0) return `${counts.failed} failed`;
    const gone = vanished(files, recorded);
    if (gone.length > 0) return gone.join('; ');
    if (exitCode !== 0) return `the workbench ended with exit code ${exitCode}`;
    return undefined;
  };
  const verdict = problem();
  // A run that broke off counts as a failure even when no single test failed.
  if (verdict && counts.failed === 0) counts.failed = 1;
  return { ok: !verdict, verdict: verdict ?? 'ok', ...counts, failures, files };
}

/** Prints the outcome and its last line, `N passed, N failed, N skipped`. */
export function report(result, log = console.log) {
  for (const { title, error } of result.failures) log(`\nFAILED ${title}\n${error}`);
  if (!result.ok) log(`\nVS Code suite: ${result.verdict}`);
  log(`${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped`);
}
