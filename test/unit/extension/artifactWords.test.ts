/** What the list of results says of a record, whatever the record holds. */
import { describe, expect, it } from 'vitest';
import { artifactDetails, artifactLine, artifactOf } from '#extension/views/artifactWords.js';

const ID = 'ab'.repeat(32);
const record = {
  ...{ id: ID, kind: 'sae', title: 'SAE of tiny: topk, k 8', created: '2026-11-29T17:00:00.000Z', wallMs: 1234 },
  note: 'the run\nwith the good seed',
  madeBy: { notebook: 'train.fgnb', cell: 'c1', keyFigures: { L0: '8.0', EV: '0.91' } },
};

describe('an artifact in the list', () => {
  it('shows its note, and says where it came from with the key figures', () => {
    const artifact = artifactOf(record, '/x/artifact.json', 'sae-ab')!;
    expect(artifactLine(artifact)).toEqual({
      label: 'SAE of tiny: topk, k 8',
      description: 'the run with the good seed · sae · abababab · 1.2 s',
    });
    const details = artifactDetails(artifact);
    expect(details[0]).toBe(`sae ${ID}`);
    expect(details[1]).toBe('Note: the run\nwith the good seed');
    expect(details[2]).toMatch(/made by train\.fgnb, cell c1$/);
    expect(details.slice(3)).toEqual(['L0: 8.0', 'EV: 0.91']);
  });

  it('of an earlier version, without note and maker, is shown as far as it goes', () => {
    const { note: _, madeBy: __, title: ___, ...old } = record;
    const artifact = artifactOf(old, '/x/artifact.json', 'sae-ab')!;
    expect(artifactLine(artifact)).toEqual({ label: 'sae', description: 'abababab · 1.2 s' });
    expect(artifactDetails(artifact)).toHaveLength(2);
  });

  it.each([
    [null, undefined],
    [[record], undefined],
    ['text', undefined],
    [{}, 'artifact'],
    [{ id: 4, kind: {}, title: ['a'], wallMs: '1', note: { toString: 1 }, madeBy: 'me', created: 5 }, 'artifact'],
    [{ madeBy: { keyFigures: { a: 1, b: 'two' }, cell: 7 } }, 'artifact'],
  ])('takes what a record may hold: %j', (given, label) => {
    const artifact = artifactOf(given, '/x/artifact.json', 'folder-name');
    expect(artifact && artifactLine(artifact).label).toBe(label);
    if (artifact) expect(artifactDetails(artifact).join('\n')).toContain('artifact folder-name');
  });
});
