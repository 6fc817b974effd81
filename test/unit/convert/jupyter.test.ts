import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { readJupyter } from '#kernel/convert/read.js';
import { serializeJupyter, toJupyter } from '#kernel/convert/toJupyter.js';
import { anyNotebook, Maker, seeded } from '#test/unit/convert/generated.js';

describe('a notebook as .ipynb', () => {
  it('comes back equal, for any notebook', () => {
    for (let seed = 0; seed < 3000; seed++) {
      const notebook = anyNotebook(new Maker(seeded(seed)));
      const text = serializeJupyter(toJupyter(notebook));
      const back = readJupyter(text).notebook;
      // Unlike expect, it takes a key named __proto__ for one like others.
      if (!isDeepStrictEqual(back, notebook)) expect(back, `seed ${seed}`).toEqual(notebook);
      expect(isDeepStrictEqual(back, notebook), `seed ${seed}`).toBe(true);
    }
  });
});
