/** Links that reopen a feature's page: written, read back, and what is none. */
import { describe, expect, it } from 'vitest';
import { featureQuery, readFeatureQuery } from '#protocol/featureLink.js';

describe('links to features', () => {
  it.each([
    { feature: 0 },
    { feature: 12, sae: 'abc' },
    { feature: 16_383, sae: 'a b&c=d', notebook: '/home/k/two words & more/é.fgnb' },
  ])('%j is read back as it was written, behind ? and # too', (link) => {
    for (const sign of ['', '?', '#']) expect(readFeatureQuery(sign + featureQuery(link))).toEqual(link);
  });

  it.each([
    '',
    '#s-results',
    'feature=',
    'feature=-1',
    'feature=1.5',
    'feature=1e9',
    'sae=x',
    'feature=2&sae=%',
    `feature=1&sae=${'x'.repeat(5000)}`,
  ])('%s is none', (text) => {
    // prettier-ignore
    expect(readFeatureQuery(text)).toBeNull();
  });
});
