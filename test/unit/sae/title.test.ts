import { describe, expect, it } from 'vitest';
import { pairTitle } from '#kernel/sae/title.js';
import type { Sae } from '#kernel/sae/types.js';

const HOOK = 'blocks.0.hook_mlp_out';
const sae = (name: string, config: object): Pick<Sae, 'name' | 'config'> => ({
  name,
  config: { architecture: 'topk', dSae: 1024, metadata: {}, ...config } as Sae['config'],
});

describe('the title of a result of an SAE', () => {
  it('tells runs apart by architecture, k, width, hook and steps', () => {
    const of = (config: object): string => pairTitle({ name: 'tiny' }, HOOK, sae(`tiny ${HOOK} topk 1024`, config));
    const titles = [
      of({ k: 16, metadata: { training: { steps: 600 } } }),
      of({ k: 32, metadata: { training: { steps: 600 } } }),
      of({ k: 16, metadata: { training: { steps: 900 } } }),
      pairTitle({ name: 'tiny' }, 'blocks.1.hook_mlp_out', sae(`tiny ${HOOK} topk 1024`, { k: 16 })),
    ];
    expect(titles[0]).toBe(`tiny ${HOOK} topk 1024, k 16, 600 steps`);
    expect(titles[3]).toBe(`tiny blocks.1.hook_mlp_out × tiny ${HOOK} topk 1024, k 16`);
    expect(new Set(titles).size).toBe(4);
  });

  it('says all of an SAE whose name says nothing, and takes metadata of any form', () => {
    expect(pairTitle({ name: 'tiny' }, HOOK, sae('layer_0', { k: 16 }))).toBe(
      `tiny ${HOOK} × layer_0, topk, k 16, 1024 features`,
    );
    const odd = { architecture: 'standard', metadata: { training: { steps: 'many' } } };
    expect(pairTitle({ name: 'tiny' }, HOOK, sae('x', odd))).toBe(`tiny ${HOOK} × x, standard, 1024 features`);
  });
});
