import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { toFloat64 } from '#kernel/io/ndarray.js';
import { unpickle } from '#kernel/io/pickle.js';
import { TorchFile } from '#kernel/io/torchFile.js';
import { testFolder } from '#test/kit/folder.js';
import { CHECKPOINTS } from '#test/kit/samples.js';
import { fromBase64, goldens } from '#test/kit/ioGoldens.js';

const folder = testFolder();
const write = (name: string, bytes: Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};

describe('PyTorch checkpoints', () => {
  it.each(goldens.torch)('reads what PyTorch wrote: $name', async ({ bytes, tensors }) => {
    const file = await TorchFile.open(write('golden.pt', fromBase64(bytes)));
    expect(file.names().sort()).toEqual(Object.keys(tensors).sort());
    for (const [name, { shape, values }] of Object.entries(tensors)) {
      expect(file.info(name).shape).toEqual(shape);
      const array = await file.read(name);
      expect(array.shape).toEqual(shape);
      expect([...toFloat64(array)], name).toEqual(values);
    }
    await expect(file.read('none')).rejects.toThrow(/no tensor "none"; it has/);
    await file.close();
  });

  it('keep the types of their tensors', async () => {
    const file = await TorchFile.open(write('dtypes.pt', fromBase64(goldens.torch[0].bytes)));
    const dtypes = Object.fromEntries(file.names().map((name) => [name.slice('torch.'.length), file.info(name).dtype]));
    expect(dtypes).toEqual({
      float64: 'F64',
      float32: 'F32',
      float16: 'F16',
      bfloat16: 'BF16',
      int64: 'I64',
      int32: 'I32',
      int16: 'I16',
      int8: 'I8',
      bool: 'BOOL',
      uint8: 'U8',
    });
    await file.close();
  });

  it.each([2, 8])('shows the numbers and words beside the tensors (case %i)', async (which) => {
    const file = await TorchFile.open(write('nested.pt', fromBase64(goldens.torch[which].bytes)));
    expect(Object.fromEntries(file.scalars)).toMatchObject({
      step: 7,
      'config.k': 4,
      'config.name': 'sae',
      'config.lr': 1e-3,
      'config.flag': true,
      'config.none': null,
      'config.big': 2n ** 70n,
      'size.0': 2,
      device: 'cpu',
    });
    await file.close();
  });

  it.each(goldens.torchRefused)('executes nothing: $name is refused by name', async ({ bytes, global }) => {
    await expect(TorchFile.open(write('evil.pt', fromBase64(bytes)))).rejects.toThrow(
      new RegExp(`evil.pt.*asks for the Python object ${global.replaceAll('.', '\\.')}.*nothing was executed`),
    );
    expect(existsSync('/tmp/owned')).toBe(false);
  });

  it.each(goldens.torch.slice(0, 8))('notices every cut of $name', async ({ bytes }) => {
    const good = fromBase64(bytes);
    for (let cut = 0; cut < good.length; cut += Math.ceil(good.length / 23)) {
      await expect(TorchFile.open(write('cut.pt', good.subarray(0, cut)))).rejects.toThrow();
    }
  });

  it('survives any changed byte of its pickle with a value or an error', async () => {
    const good = fromBase64(goldens.torch[1].bytes);
    const start = Buffer.from(good).indexOf('data.pkl') + 8;
    for (let at = start; at < start + 900; at++) {
      const changed = good.slice();
      changed[at] ^= 0x2a;
      const outcome = await TorchFile.open(write('changed.pt', changed)).then(
        async (file) => {
          for (const name of file.names())
            await file.read(name).catch((error: unknown) => expect(error).toBeInstanceOf(Error));
          await file.close();
          return 'read';
        },
        (error: unknown) => (error instanceof Error && !(error instanceof TypeError) ? 'refused' : String(error)),
      );
      expect(['read', 'refused']).toContain(outcome);
    }
  });
});

describe('the reader of pickles', () => {
  const plain = { what: 'x.pkl', findGlobal: () => undefined };
  const ascii = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));

  it.each(goldens.pickle.filter(({ protocol }) => protocol > 2))(
    'reads plain data of protocol $protocol',
    ({ bytes }) => {
      const { value, end } = unpickle(fromBase64(bytes), plain);
      expect(end).toBe(fromBase64(bytes).length);
      expect(value).toEqual(
        new Map<string, unknown>([
          ['a', [1, -2, 3.5, true, false, null, 'text é', new TextEncoder().encode('bytes')]],
          ['t', [1, 2, 3, 4]],
          ['n', [1_000_000, 300, 2 ** 40, -(2n ** 70n)]],
          ['e', [new Map(), [], []]],
        ]),
      );
    },
  );

  it.each([
    ['an opcode of classes', '(i__main__\nX\n.', /opcode 0x69 \(INST\)/],
    ['an extension', '\x80\x02\x82\x01.', /EXT1/],
    ['an unknown opcode', '\x80\x02\xff.', /opcode 0xff \(unknown\) at byte 2/],
    ['a global', 'cos\nsystem\n.', /os\.system/],
    ['a global from the stack', '\x80\x04\x8c\x02os\x8c\x06system\x93.', /os\.system/],
    ['a call of something that is no global', '\x80\x02K\x01)R.', /calls number/],
    ['a later protocol', '\x80\x09N.', /protocol 9/],
    ['a missing memo', '\x80\x02h\x05.', /memo 5/],
    ['a stray mark', '\x80\x02t.', /mark/],
    ['an empty stack', '\x80\x02.', /empty/],
    ['items of no dict', '\x80\x02K\x01K\x02K\x03s.', /no dict/],
    ['attributes of a number', '\x80\x02K\x01}b.', /attributes/],
    ['a reference outside', '\x80\x02K\x01Q.', /outside itself/],
    ['a string longer than the file', 'X\xff\xff\xff\xffabc.', /truncated/],
    ['a negative length', 'T\xff\xff\xff\xffabc.', /length of -1/],
    ['an endless integer', `I${'9'.repeat(500)}\n.`, /no integer/],
    ['no stop', '\x80\x02N', /truncated/],
    ['nothing', '', /truncated/],
  ])('refuses %s', (_, text, message) => {
    expect(() => unpickle(ascii(text), plain)).toThrow(message);
  });

  it('names of a container nested in itself end in an error, not in endless work', async () => {
    // Twenty lists, each holding the one before twice ten times: 20^n names.
    const nested = `(lp0\n${Array.from({ length: 20 }, (_, i) => `(${`g${i}\n`.repeat(20)}lp${i + 1}\n`).join('')}.`;
    const legacy = `\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.${nested}\x80\x02].`;
    await expect(TorchFile.open(write('laughs.pt', ascii(legacy)))).rejects.toThrow(/nested too deeply/);
  });
});

describe.each(CHECKPOINTS)('the checkpoints of $name', ({ folder: at, there, small, large, d }) => {
  it.skipIf(!there).each([small, large])(
    'of %i features lie as they were saved, the encoder as a transposed view',
    async (features) => {
      const file = await TorchFile.open(join(at, `sae_${features}_4.pt`));
      expect(Object.fromEntries(file.names().map((n) => [n, file.info(n).shape]))).toEqual({
        pre_bias: [d],
        encoder_bias: [features],
        decoder_weights: [features, d],
        encoder_weights: [d, features],
      });
      // The encoder is a transposed view. Each feature's encoder column lies near its decoder row: transposing it
      // wrongly would leave no such likeness.
      const encoder = toFloat64(await file.read('encoder_weights'));
      const decoder = toFloat64(await file.read('decoder_weights'));
      let cosine = 0;
      for (let f = 0; f < features; f++) {
        let [dot, ee, norm] = [0, 0, 0];
        for (let i = 0; i < d; i++) {
          const [e, w] = [encoder[i * features + f], decoder[f * d + i]];
          [dot, ee, norm] = [dot + e * w, ee + e * e, norm + w * w];
        }
        cosine += dot / Math.sqrt(ee * norm) / features;
      }
      expect(cosine).toBeGreaterThan(0.5);
      await file.close();
    },
  );
});
