/** What is shared between cells when the cell that began it was stopped: its promises are dead here, as a termination leaves them. */
import { afterEach, describe, expect, it } from 'vitest';
import {
  claimWork,
  endTerminatedWork,
  once,
  repairAfterTermination,
  setWorkOwner,
  SharedWork,
  workOf,
} from '#kernel/compute/work.js';

const dead = (): Promise<never> => new Promise(() => undefined);
afterEach(() => {
  endTerminatedWork();
  setWorkOwner(() => undefined);
});

describe('shared work', () => {
  it('runs once for equal keys and is forgotten when it ends, well or not', async () => {
    const shared = new SharedWork<string, number>();
    let settle: (value: number) => void = () => undefined;
    const first = shared.begin('a', () => new Promise((resolve) => (settle = resolve)));
    expect(shared.get('a')).toBe(first);
    settle(3);
    expect(await first).toBe(3);
    expect(shared.has('a')).toBe(false);
    await expect(shared.begin('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(shared.has('a')).toBe(false);
  });

  it('of a terminated cell is rejected and forgotten, so that the next call makes it itself', async () => {
    const shared = new SharedWork<string, number>();
    const waiting = shared.begin('a', dead);
    endTerminatedWork();
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    expect(shared.has('a')).toBe(false);
    expect(await shared.begin('a', () => Promise.resolve(4))).toBe(4);
  });

  it('is told when its cell was stopped, before it changes what a later one shares', async () => {
    const shared = new SharedWork<string, number>();
    let goOn: () => void = () => undefined;
    let late: Promise<unknown> = Promise.resolve();
    const first = shared.begin('a', (requireCurrent) => {
      late = new Promise<void>((resolve) => (goOn = resolve)).then(requireCurrent);
      return late.then(() => 1);
    });
    endTerminatedWork();
    goOn();
    await expect(first).rejects.toMatchObject({ name: 'AbortError' });
    await expect(late).rejects.toMatchObject({ name: 'AbortError' });
    expect(await shared.begin('a', async (requireCurrent) => (await Promise.resolve(), requireCurrent(), 2))).toBe(2);
  });

  it('of one stopped cell ends without that of another', async () => {
    const shared = new SharedWork<string, number>();
    const [one, other] = [{}, {}];
    setWorkOwner(() => one);
    const ofOne = shared.begin('one', dead);
    setWorkOwner(() => other);
    void shared.begin('other', dead);
    const end = workOf(one);
    expect(shared.has('one')).toBe(true);
    end();
    await expect(ofOne).rejects.toMatchObject({ name: 'AbortError' });
    expect([shared.has('one'), shared.has('other')]).toEqual([false, true]);
  });
});

describe('a memo', () => {
  it('shares its promise, keeps the value, and remembers neither failures nor the work of a terminated cell', async () => {
    let calls = 0;
    const makes: Array<() => Promise<number>> = [dead, () => Promise.reject(new Error('no')), () => Promise.resolve(7)];
    const memo = once(() => makes[calls++]());
    const first = memo();
    expect(memo()).toBe(first);
    endTerminatedWork();
    await expect(first).rejects.toMatchObject({ name: 'AbortError' });
    await expect(memo()).rejects.toThrow('no');
    expect(await memo()).toBe(7);
    endTerminatedWork();
    expect(await memo()).toBe(7);
    expect(calls).toBe(3);
  });
});

describe('a claim', () => {
  it('ends once, not after its release, and repairs run after what ended', () => {
    const log: string[] = [];
    const undo = repairAfterTermination(() => log.push('repair'));
    claimWork(() => log.push('claimed'));
    claimWork(() => log.push('released'))();
    endTerminatedWork();
    endTerminatedWork();
    undo();
    endTerminatedWork();
    expect(log).toEqual(['claimed', 'repair', 'repair']);
  });
});
