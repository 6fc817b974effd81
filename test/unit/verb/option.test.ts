import { describe, expect, it } from 'vitest';
import { CALL, nulls, nullsOf } from '#kernel/verb/common.js';
import {
  choice,
  flag,
  group,
  identityOf,
  membersGiven,
  numbers,
  only,
  parseOptions,
  real,
  required,
  text,
  value,
  whole,
} from '#kernel/verb/option.js';

const schema = {
  k: whole({ doc: 'Neighbours.', min: 1, default: 15 }),
  share: real({ doc: 'A share.', above: 0, max: 1 }),
  deep: flag({ doc: 'Deep.', default: false }),
  name: text({ doc: 'Name.', identity: false }),
  metric: choice(['cosine', 'euclidean'], { doc: 'Metric.', default: 'cosine' }),
  at: numbers({ doc: 'Places.', min: 0 }),
  nulls: nullsOf(['rotated', 'shuffled'], { doc: 'Chance.', runs: 20 }),
  ...CALL,
};
const parse = (given: unknown): unknown => parseOptions('fg.room.verb', given, schema);

describe('options of a verb', () => {
  it('are filled in with their defaults, those without a default stay undefined', () => {
    const parsed = parseOptions('fg.room.verb', undefined, schema);
    expect(parsed).toMatchObject({ k: 15, deep: false, metric: 'cosine' });
    expect(parsed.share).toBeUndefined();
    // The type: with a default never undefined.
    const k: number = parsed.k;
    expect(k).toBe(15);
  });

  it('that there are not are refused by name, with those that there are', () => {
    expect(() => parse({ kk: 1, m: 2 })).toThrow(
      'fg.room.verb has no option "kk", "m"; it has k, share, deep, name, metric, at, nulls, signal, onProgress',
    );
    expect(() => parse({ toString: 1 })).toThrow('has no option "toString"');
    expect(() => parse({ nulls: { run: 3 } })).toThrow(
      'fg.room.verb: nulls has no option "run" (did you mean "runs"?); it has kind, runs, seed',
    );
  });

  it.each([
    [{ k: 0 }, 'fg.room.verb: k is 0; expected a whole number of at least 1'],
    [{ k: 1.5 }, 'k is 1.5; expected a whole number'],
    [{ k: '3' }, 'k is "3"; expected a whole number'],
    [{ k: null }, 'k is null; expected a whole number'],
    [{ k: NaN }, 'k is NaN; expected a whole number'],
    [{ share: 0 }, 'share is 0; expected a number above 0 and at most 1'],
    [{ share: 1.01 }, 'share is 1.01; expected a number above 0 and at most 1'],
    [{ deep: 1 }, 'deep is 1; expected true or false'],
    [{ name: 4 }, 'name is 4; expected text'],
    [{ metric: 'manhattan' }, `metric is "manhattan"; expected 'cosine' or 'euclidean'`],
    [{ at: [] }, 'at is []; expected an array of different numbers of at least 0, at least one'],
    [{ at: [1, 1] }, 'at is [1, 1]; expected an array of different numbers'],
    [{ at: [-1] }, 'at is [-1]; expected'],
    [{ nulls: -1 }, 'fg.room.verb: nulls is -1; expected a whole number of at least 0'],
    [{ nulls: { runs: 0.5 } }, 'fg.room.verb: nulls.runs is 0.5; expected a whole number of at least 0'],
    [{ nulls: { kind: 'other' } }, `nulls.kind is "other"; expected 'rotated' or 'shuffled'`],
    [{ signal: 3 }, 'signal is 3; expected an AbortSignal'],
    [{ k: Promise.resolve(3) }, 'k is a promise: write "await" before the call that made it'],
    [[3], 'options are an object such as { k: … } but got [3]'],
    ['k', 'options are an object such as { k: … } but got "k"'],
    [Promise.resolve({}), 'options are a promise'],
  ])('%j is refused: what was given, what is expected', (given, message) => {
    expect(() => parse(given)).toThrow(message);
  });

  it('a group is given whole or by its short member', () => {
    expect(parse({ nulls: 7 })).toMatchObject({ nulls: { runs: 7 } });
    expect(parse({ nulls: { kind: 'shuffled', seed: 2 } })).toMatchObject({ nulls: { kind: 'shuffled', seed: 2 } });
    expect(membersGiven<{ runs?: number }>(7, 'runs')).toEqual({ runs: 7 });
    expect(membersGiven<{ runs?: number }>(undefined, 'runs')).toEqual({});
    expect(() => parseOptions('fg.x', { n: 1 }, { n: group({ a: flag({ doc: 'A.' }) }, { doc: 'N.' }) })).toThrow(
      'fg.x: n: options are an object such as { a: … } but got 1',
    );
    expect(nulls({ doc: 'Chance.', min: 1 }).expected).toBe('a whole number of at least 1, or { runs, seed }');
  });

  it('that must be given are asked for', () => {
    const own = { hook: required(text({ doc: 'Hook.' })) };
    expect(() => parseOptions('fg.x', {}, own)).toThrow('fg.x: hook is missing; expected text');
    expect(parseOptions('fg.x', { hook: 'a' }, own).hook).toBe('a');
  });

  it('make an identity as they were given, without those that change no result', () => {
    const given = { k: 15, share: undefined, name: 'n', signal: new AbortController().signal };
    expect(identityOf(given, schema)).toEqual({ k: 15 });
    expect(identityOf(undefined, schema)).toEqual({});
    expect(only({ k: schema.k, share: schema.share }, given)).toEqual({ k: 15 });
  });

  it('of a form of its own are looked at by the function given', () => {
    const own = { map: value<object>('what fg.correlation.map returned', { doc: 'Map.' }, (v) => v instanceof Map) };
    expect(() => parseOptions('fg.x', { map: { a: 1 } }, own)).toThrow(
      'fg.x: map is an object; expected what fg.correlation.map returned',
    );
    expect(parseOptions('fg.x', { map: new Map() }, own).map).toEqual(new Map());
  });
});
