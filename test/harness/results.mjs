/**
 * Reads the results file of a suite. The workbench's exit code is no proof: it is 0 when the extension host dies in
 * mid-run and when no test matches. So the suite writes each result as it happens, and this demands a start, an end
 * and enough tests.
 */
import { existsSync, readFileSync } from 'node:fs';

/** @returns {{ok: boolean, verdict: string, passed: number, failed: number, skipped: number, failures: object[]}} */
export function judge(file, { minimum, exitCode }) {
  const text = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  const events = text === '' ? [] : text.split('\n').map((line) => JSON.parse(line));
  const of = (kind) => events.filter((event) => event.event === kind);
  const failures = of('fail');
  const counts = { passed: of('pass').length, failed: failures.length, skipped: of('pending').length };
  const problem = () => {
    if (of('start').length === 0) return 'the suite never started';
    if (of('end').length === 0) {
      const last = events.at(-1);
      return `the suite never finished (did the extension host die?); last: ${last.title ?? last.event}`;
    }
    if (counts.failed > 0) return `${counts.failed} failed`;
    if (counts.passed + counts.skipped < minimum)
      return `only ${counts.passed + counts.skipped} tests ran, ${minimum} expected`;
    if (exitCode !== 0) return `the workbench ended with exit code ${exitCode}`;
    return undefined;
  };
  const verdict = problem();
  // A run that broke off counts as a failure even when no single test failed.
  if (verdict && counts.failed === 0) counts.failed = 1;
  return { ok: !verdict, verdict: verdict ?? 'ok', ...counts, failures };
}

/**
 * Why a tier that ran `ran` tests and skipped `skipped` is not whole, or undefined. `recorded` is what a full run had:
 * `{ ran, skipped }`, or one number of both. With the data there (`complete`) as many must run; without it more may be
 * skipped, but none may be gone.
 */
export function shortfall({ ran, skipped }, recorded, complete) {
  const expected =
    typeof recorded === 'number' ? { ran: 1, skipped: recorded - 1 } : (recorded ?? { ran: 1, skipped: 0 });
  const known = expected.ran + expected.skipped;
  if (ran + skipped < known) return `only ${ran + skipped} tests are there, ${known} are recorded`;
  if (complete && ran < expected.ran)
    return `only ${ran} tests ran (${skipped} were skipped), ${expected.ran} are recorded`;
  return ran === 0 && expected.ran > 0 ? 'no test ran' : undefined;
}

/** The number of tests the suite had when it was last changed on purpose. */
export function minimumTests(grep) {
  return grep ? 1 : MINIMUM;
}
const MINIMUM = 33;

/** Prints the outcome and its last line, `N passed, N failed, N skipped`. */
export function report(result, log = console.log) {
  for (const { title, error } of result.failures) log(`\nFAILED ${title}\n${error}`);
  if (!result.ok) log(`\nVS Code suite: ${result.verdict}`);
  log(`${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped`);
}
