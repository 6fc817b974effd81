import { describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { tf } from '#kernel/compute/tf.js';
import { captureActivations } from '#kernel/models/capture.js';
import { compare } from '#kernel/interventions/compare.js';
import { editsOf, requireRunnable } from '#kernel/interventions/intervention.js';
import { patch } from '#kernel/interventions/patch.js';
import { decodedSpans, selectorOf, type Positions } from '#kernel/interventions/positions.js';
import { run } from '#kernel/interventions/run.js';
import { steer } from '#kernel/interventions/steer.js';
import { lossPerToken } from '#kernel/models/tokenLoss.js';
import type { Tokenizer } from '#kernel/models/types.js';
import { CONFIGS, modelOf, randomWeights, tokenizer } from '#test/kit/model.js';
import { normals } from '#test/kit/numbers.js';

await initDevice({ device: 'cpu' });
const config = CONFIGS['GPT-2'];
const model = modelOf(config, randomWeights(config, 4));
const hook = 'blocks.0.hook_resid_post';
const next = normals(3);
const v = Float32Array.from({ length: 15 }, () => next());
const ids = Int32Array.of(3, 17, 5, 17, 9, 30);
const push = (positions: Positions) => steer(model, hook, v, { scale: 2, positions });

/** Positions at which the activation at the hook is another than without the intervention, and it is off by 2 × v. */
async function moved(positions: Positions, tokens = ids): Promise<number[]> {
  const x = (await run(model, [], tokens, { capture: [hook] })).captured[hook].data;
  const y = (await run(model, [push(positions)], tokens, { capture: [hook] })).captured[hook].data;
  return [...tokens.keys()].filter((t) => {
    const off = v.map((w, j) => (y[15 * t + j] - x[15 * t + j]) / (2 * w));
    if (off.every((o) => o === 0)) return false;
    off.forEach((o) => expect(o).toBeCloseTo(1, 2));
    return true;
  });
}

describe('positions in a text', () => {
  it.each<[Positions, number[]]>([
    ['all', [0, 1, 2, 3, 4, 5]],
    ['last', [5]],
    [0, [0]],
    [-1, [5]],
    [-6, [0]],
    [
      [4, 1, -2],
      [1, 4],
    ],
    [{ from: 3 }, [3, 4, 5]],
    [{ from: 1, to: -3 }, [1, 2, 3]],
    [{ to: 1 }, [0, 1]],
    [{ token: 17 }, [1, 3]],
    [{ token: '9' }, [4]],
    [{ token: ['17', 30] }, [1, 3, 5]],
    // The text is "3 17 5 17 9 30"; a match may span tokens and touch a part of one.
    [{ regex: /7 5/ }, [1, 2]],
    [{ regex: '^3|0$' }, [0, 5]],
    [{ regex: /17/g }, [1, 3]],
    [{ regex: /\b[0-9]\b/y }, [0, 2, 4]],
  ])('%j are %j of six tokens', async (positions, expected) => {
    expect(await moved(positions)).toEqual(expected);
  });

  it('are found in each sequence of a batch by itself', () => {
    const tokens = Int32Array.of(17, 5, 3, 1, 5, 17, 2, 2, 2);
    const selected = (positions: Positions): number[] => {
      const rows: number[] = [];
      const read = (edits: ReturnType<typeof editsOf> | undefined): Float32Array => {
        const { captured } = model.forward(tokens, 3, { capture: [hook], stopAt: hook, edits, sequence: 0 });
        const data = captured.get(hook)!.dataSync<'float32'>().slice();
        captured.get(hook)!.dispose();
        return data;
      };
      const [x, y] = [read(undefined), read(editsOf([push(positions)]))];
      for (let r = 0; r < 9; r++) if (y[15 * r] !== x[15 * r]) rows.push(r);
      return rows;
    };
    expect(selected({ token: 17 })).toEqual([0, 5]);
    expect(selected({ regex: /5/ })).toEqual([1, 4]);
    expect(selected(-2)).toEqual([1, 4, 7]);
  });

  it('say what they are, for people and for identity', () => {
    const said = (positions: Positions): unknown => {
      const { description, parameters } = push(positions);
      return [description.replace(/^.* vector /, ''), parameters.positions];
    };
    expect(said('all')).toEqual(['at all positions', 'all']);
    expect(said([1, -1])).toEqual(['at positions 1, -1', [1, -1]]);
    expect(said({ from: 2, to: 4 })).toEqual(['at positions 2 to 4', { from: 2, to: 4 }]);
    expect(said({ token: ['9', 3] })).toEqual(['at "3" or "9"', { token: [3, 9] }]);
    expect(said({ regex: /Qu+een/gi })).toEqual(['at tokens that match /Qu+een/i', { regex: 'Qu+een', flags: 'i' }]);
  });

  it.each<[Positions, string]>([
    [{ token: 37 }, 'token id 37 is outside odd'],
    [{ token: '3 4' }, '"3 4" is 2 tokens of odd'],
    [{ regex: '' }, 'an empty pattern'],
    [{ regex: '(' }, 'Invalid regular expression'],
    [{ from: 4, to: 2 }, 'positions from 4 to 2 are none'],
  ])('%j are refused when the intervention is made', (positions, message) => {
    expect(() => push(positions)).toThrow(message);
  });

  it.each<[Positions, string]>([
    [
      6,
      `cannot steer ${hook} by 2 × vector: position 6 is outside a text of 6 tokens (0 to 5, or −1 to −6 from the end)`,
    ],
    [-7, 'position -7 is outside a text of 6 tokens'],
    [{ from: 8 }, 'position 8 is outside'],
    [{ from: 0, to: 6 }, 'position 6 is outside'],
    [{ from: 4, to: -5 }, 'positions from 4 to -5 are none in a text of 6 tokens'],
    [{ token: 4 }, 'the token "4" does not occur in "3 17 5 17 9 30"'],
    [{ regex: /queen/ }, '/queen/ matches nothing in "3 17 5 17 9 30"'],
  ])('%j are refused before anything runs, by whatever runs them', async (positions, message) => {
    const bad = push(positions);
    let forwards = 0;
    const spy = Object.create(model, {
      forward: { value: (...call: Parameters<typeof model.forward>) => (forwards++, model.forward(...call)) },
    }) as typeof model;
    const prompt = [...ids].join(' ');
    const set = { id: 's', tokens: ids, sequences: 1, context: 6, tokenizer, source: {} };
    const own = { ...bad, edit: bad.edit };
    expect(() => requireRunnable(model, [own], ids)).toThrow(message);
    await expect(run(spy, [own], prompt)).rejects.toThrow(message);
    expect(() => model.forward(ids, 1, { edits: editsOf([own]) })).toThrow(message);
    await expect(compare(spy, [own], [prompt], { tokens: 0 })).rejects.toThrow(message);
    await expect(model.generate(prompt, { edits: editsOf([own]), tokens: 0 })).rejects.toThrow(
      message.includes('6 is outside') ? 'outside a text of 6 tokens' : message,
    );
    await expect(lossPerToken(spy, set, { edits: editsOf([own]) })).rejects.toThrow(message);
    await expect(captureActivations(spy, set, hook, { edits: editsOf([own]) }).next()).rejects.toThrow(message);
    expect(forwards).toBe(0);
  });

  it('of a token set need to occur in some sequence alone', () => {
    const set = { tokens: Int32Array.of(1, 2, 3, 4, 17, 6), context: 3 };
    expect(() => requireRunnable(model, [push({ token: 17 })], set)).not.toThrow();
    expect(() => requireRunnable(model, [push({ token: 30 })], set)).toThrow('does not occur');
    expect(() => requireRunnable(model, [push(3)], set)).toThrow('position 3 is outside a text of 3 tokens');
    const elsewhere = patch(model, hook, { from: { token: 4 }, positions: [0, 1] });
    expect(() => requireRunnable(model, [elsewhere], set)).toThrow('0 positions to take from do not pair with 2');
  });

  it('of interventions made for another model are refused with both identities', () => {
    const second = modelOf(config, randomWeights(config, 5));
    expect(() => second.forward(ids, 1, { edits: editsOf([push('all')]) })).toThrow(
      new RegExp(`made for another model.*${model.id}.*${second.id}`),
    );
    const same = modelOf(config, randomWeights(config, 4));
    expect(() => same.forward(ids, 1, { edits: editsOf([push('all')]), stopAt: 'hook_embed' })).not.toThrow();
  });
});

describe('a patch in a window of the text', () => {
  const x = tf.tensor(
    Float32Array.from({ length: 6 * 15 }, () => next()),
    [1, 6, 15],
  );
  const rows = (t: tf.Tensor): number[][] => (t.arraySync() as number[][][])[0];
  const made = (options: Parameters<typeof patch>[2], offset: number): number[][] =>
    rows(patch(model, hook, options).edit(x, hook, { tokens: ids, batch: 1, time: 6, offset, sequence: 0 }));
  const before = rows(x);

  it('pairs its positions by their places in the lists, whatever the window leaves out', () => {
    // The window begins at position 4: position 3 is gone, with the source that stood beside it.
    const late = made({ positions: [3, 9], from: [7, 8] }, 4);
    expect(late).toEqual(before.map((row, t) => (t === 5 ? before[4] : row)));
    // Position 8 is yet to come; its source is not that of position 2.
    const early = made({ positions: [8, 2], from: [1, 3] }, 0);
    expect(early).toEqual(before.map((row, t) => (t === 2 ? before[3] : row)));
    const one = made({ positions: [1, 2], from: [4, 30] }, 0);
    expect(one).toEqual(before.map((row, t) => (t === 1 ? before[4] : row)));
  });

  it('from another prompt pairs positions of the texts, not of the window', async () => {
    const clean = (await run(model, [], Int32Array.of(7, 8, 9, 1, 2), { capture: [hook] })).captured[hook];
    const source = (t: number): number[] => Array.from(clean.data.subarray(15 * t, 15 * t + 15));
    const prompt = Int32Array.of(7, 8, 9, 1, 2);
    expect(made({ prompt }, 3)).toEqual(before.map((row, t) => (t < 2 ? source(t + 3) : row)));
    expect(made({ prompt, positions: { from: 2 } }, 3)).toEqual(before.map((row, t) => (t < 2 ? source(t + 3) : row)));
  });
});

describe('positions while generating', () => {
  /** Greedy continuation by one forward pass per token over the whole text so far. */
  function byForward(positions: Positions, tokens: number): number[] {
    const text = [...ids];
    for (let i = 0; i < tokens; i++) {
      const window = text.slice(-config.context);
      const { logits } = model.forward(Int32Array.from(window), 1, {
        edits: editsOf([push(positions)]),
        offset: text.length - window.length,
        sequence: 0,
      });
      const last = tf.tidy(() => logits!.slice([0, window.length - 1, 0], [1, 1, -1]).dataSync());
      logits!.dispose();
      text.push(last.indexOf(Math.max(...last)));
    }
    return text.slice(ids.length);
  }

  it.each<[Positions]>([['all'], ['last'], [2], [8], [-2], [{ token: 17 }], [{ from: 5 }], [{ regex: /9 3/ }]])(
    '%j act at every step as in a forward pass over the text so far, past the context too',
    async (positions) => {
      const prompt = [...ids].join(' ');
      const text = await model.generate(prompt, { edits: editsOf([push(positions)]), tokens: 10, stopAtEos: false });
      expect(text.split(' ').map(Number)).toEqual(byForward(positions, 10));
    },
  );

  it('an index is a place in the text, and may be one that is yet to come', async () => {
    const clean = await model.generate('3 17 5', { tokens: 6, stopAtEos: false });
    const late = await model.generate('3 17 5', { edits: editsOf([push(5)]), tokens: 6, stopAtEos: false });
    expect(late.split(' ').slice(0, 3)).toEqual(clean.split(' ').slice(0, 3));
    await expect(model.generate('3 17 5', { edits: editsOf([push(9)]), tokens: 6 })).rejects.toThrow(
      'position 9 is outside a text of 3 tokens and 6 generated ones',
    );
    // Past the context of 12 the first tokens are no longer seen, and so is what was done to them.
    const find = (positions: Positions, offset: number): number[] =>
      selectorOf(model, positions).find(new Int32Array(12), offset);
    expect(find(2, 0)).toEqual([2]);
    expect(find(2, 2)).toEqual([0]);
    expect(find(2, 3)).toEqual([]);
    expect(find({ from: 4, to: 6 }, 5)).toEqual([0, 1]);
    expect(find(-1, 5)).toEqual([11]);
  });
});

describe('the part of the text that a token stands for', () => {
  /** Bytes as tokens, some of several: what byte-level BPE does to characters outside ASCII. */
  const parts = ['q', 'u', [0xf0, 0x9f], [0x99], [0x82], ' x'];
  const bytes: Tokenizer = {
    ...tokenizer,
    decode: (tokens) =>
      new TextDecoder().decode(
        Uint8Array.from(
          Array.from(tokens).flatMap((t) => {
            const part = parts[t];
            return typeof part === 'string' ? [...new TextEncoder().encode(part)] : part;
          }),
        ),
      ),
    piece: (t) => (typeof parts[t] === 'string' ? (parts[t] as string) : '\ufffd'),
  };

  it('is the whole character for every token that holds a piece of it', () => {
    const { text, spans } = decodedSpans(bytes, Int32Array.of(0, 2, 3, 4, 5, 1));
    expect(text).toBe('q🙂 xu');
    expect([...spans]).toEqual([0, 1, 1, 3, 1, 3, 1, 3, 3, 5, 5, 6]);
    expect([...decodedSpans(bytes, Int32Array.of(0, 5, 1)).spans]).toEqual([0, 1, 1, 3, 3, 4]);
    expect([...decodedSpans(bytes, new Int32Array(0)).spans]).toEqual([]);
  });
});
