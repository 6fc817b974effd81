import { describe, expect, it } from 'vitest';
// @ts-expect-error plain JavaScript: the harness runs without a build
import { shortfall as untyped } from '#test/harness/results.mjs';

interface Count {
  ran: number;
  skipped: number;
}
const shortfall = untyped as (
  now: Count,
  recorded: Count | number | undefined,
  complete: boolean,
) => string | undefined;
const recorded = { ran: 10, skipped: 1 };

describe('the count of a tier', () => {
  it('is whole when all ran, and when new tests came', () => {
    expect(shortfall({ ran: 10, skipped: 1 }, recorded, true)).toBeUndefined();
    expect(shortfall({ ran: 12, skipped: 0 }, recorded, true)).toBeUndefined();
  });

  it('fails when a test is skipped that ran, where its data is there', () => {
    expect(shortfall({ ran: 9, skipped: 2 }, recorded, true)).toMatch(/only 9 tests ran \(2 were skipped\), 10/);
    expect(shortfall({ ran: 9, skipped: 2 }, recorded, false)).toBeUndefined();
  });

  it('fails when a test is gone, data or not', () => {
    for (const complete of [true, false])
      expect(shortfall({ ran: 9, skipped: 1 }, recorded, complete)).toMatch(/only 10 tests are there, 11/);
  });

  it('fails when none ran', () => {
    expect(shortfall({ ran: 0, skipped: 11 }, recorded, false)).toBe('no test ran');
    expect(shortfall({ ran: 0, skipped: 0 }, undefined, true)).toMatch(/only 0 tests/);
  });

  it('takes the older form, one number of both', () => {
    expect(shortfall({ ran: 9, skipped: 2 }, 11, true)).toBeUndefined();
    expect(shortfall({ ran: 9, skipped: 1 }, 11, true)).toMatch(/only 10 tests are there/);
  });
});
