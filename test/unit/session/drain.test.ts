/** The wait for file work of a terminated cell. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { FileDrain } from '#kernel/session/drain.js';
import { testFolder } from '#test/kit/folder.js';

const drained = (drain: FileDrain, busy?: () => boolean): Promise<void> =>
  new Promise((resolve) => drain.begin(resolve, busy));

describe('the wait for file work of a terminated cell', () => {
  it('ends when a folder that is being deleted is gone, though nobody waits for the deletion', async () => {
    const folder = testFolder('drain');
    for (let i = 0; i < 300; i++) await fs.writeFile(path.join(folder, String(i)), '');
    const deleting = fs.rm(folder, { recursive: true });
    const drain = new FileDrain();
    const wait = drained(drain);
    expect(drain.waiting).toBe(true);
    await wait;
    expect(drain.waiting).toBe(false);
    await expect(fs.stat(folder)).rejects.toThrow('ENOENT');
    await deleting;
  });

  it('asks for two quiet looks in a row: between two steps of a chain nothing is under way for a moment', async () => {
    const answers = [true, false, true, false, false];
    let looks = 0;
    await drained(new FileDrain(), () => answers[looks++]);
    expect(looks).toBe(5);
  });

  it('gives way to a later wait, whose end is the only one that counts', async () => {
    const drain = new FileDrain();
    const ends: string[] = [];
    let busy = true;
    drain.begin(
      () => ends.push('first'),
      () => busy,
    );
    const second = new Promise<void>((resolve) =>
      drain.begin(
        () => (ends.push('second'), resolve()),
        () => busy,
      ),
    );
    setTimeout(() => (busy = false), 20);
    await second;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(ends).toEqual(['second']);
  });
});
