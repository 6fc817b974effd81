import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadArray, loadArrays } from '#kernel/io/arrays.js';
import { toFloat64 } from '#kernel/io/ndarray.js';
import { ndarray } from '#kernel/io/ndarray.js';
import { writeSafetensors } from '#kernel/io/safetensors.js';
import { noTorch, python } from '#test/kit/python.js';
import { testFolder } from '#test/kit/folder.js';

const folder = testFolder();
const at = (name: string): string => join(folder, name);
const without = noTorch();

const SCRIPT = `
import pickle, numpy as np, torch
t = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4) / 7
for protocol in (0, 1, 2, 3, 4, 5):
    pickle.dump(t, open(f'tensor-{protocol}.pkl', 'wb'), protocol)
    pickle.dump({'codes': np.arange(6, dtype='>f8').reshape(2, 3), 'fortran': np.asfortranarray(np.arange(6, dtype='i4').reshape(2, 3)),
                 'list': [t[0].t(), np.float64(2.5), 7], 'half': t.half()[1], 'long': torch.tensor([2**40]), 'name': 'mine'},
                open(f'dict-{protocol}.pkl', 'wb'), protocol)
np.save('plain.npy', np.arange(6, dtype='f4').reshape(2, 3))
np.savez_compressed('two.npz', a=np.arange(3), b=np.ones((2, 2), 'f2'))
torch.save({'acts': t}, 'new.pt')
torch.save({'acts': t}, 'old.pt', _use_new_zipfile_serialization=False)
class Evil:
    def __reduce__(self):
        import os
        return (os.system, ('touch owned',))
pickle.dump(Evil(), open('evil.pkl', 'wb'))
pickle.dump([t, Evil()], open('evil-list.pkl', 'wb'))
pickle.dump(np.array([{}, 1], dtype=object), open('objects.pkl', 'wb'))
pickle.dump(np.zeros(2, dtype=[('a', 'f4')]), open('fields.pkl', 'wb'))
`;

const expected = Array.from({ length: 24 }, (_, i) => Math.fround(i / 7));

describe.skipIf(without)('arrays that Python wrote', () => {
  beforeAll(() => void python(folder, SCRIPT));

  it.each([0, 1, 2, 3, 4, 5])('a pickled torch tensor is read, protocol %i', async (protocol) => {
    const { dtype, shape, data } = await loadArray(at(`tensor-${protocol}.pkl`));
    expect([dtype, shape]).toEqual(['F32', [2, 3, 4]]);
    expect([...(data as Float32Array)]).toEqual(expected);
  });

  it.each([0, 1, 2, 3, 4, 5])(
    'a dict of numpy arrays, scalars and torch views is read, protocol %i',
    async (protocol) => {
      const found = await loadArrays(at(`dict-${protocol}.pkl`));
      expect(Object.keys(found)).toEqual(['codes', 'fortran', 'list.0', 'list.1', 'half', 'long']);
      expect([found.codes.dtype, [...toFloat64(found.codes)]]).toEqual(['F64', [0, 1, 2, 3, 4, 5]]);
      expect([found.fortran.shape, [...(found.fortran.data as Int32Array)]]).toEqual([
        [2, 3],
        [0, 1, 2, 3, 4, 5],
      ]);
      expect(found['list.0'].shape).toEqual([4, 3]);
      expect([...(found['list.0'].data as Float32Array)].slice(0, 3)).toEqual([expected[0], expected[4], expected[8]]);
      expect([found['list.1'].shape, [...toFloat64(found['list.1'])]]).toEqual([[], [2.5]]);
      expect(toFloat64(found.half)[1]).toBeCloseTo(13 / 7, 2);
      expect(found.long.data).toEqual(BigInt64Array.of(2n ** 40n));
    },
  );

  it('.npy, .npz and .pt of both formats are read', async () => {
    expect([...((await loadArray(at('plain.npy'))).data as Float32Array)]).toEqual([0, 1, 2, 3, 4, 5]);
    await expect(loadArray(at('two.npz'))).rejects.toThrow(/holds 2 arrays: a I64 \[3\], b F16 \[2, 2\]; say which/);
    expect([...toFloat64(await loadArray(at('two.npz'), 'b'))]).toEqual([1, 1, 1, 1]);
    for (const name of ['new.pt', 'old.pt'])
      expect([...((await loadArray(at(name))).data as Float32Array)]).toEqual(expected);
  });

  it('executes nothing and refuses objects by name', async () => {
    for (const name of ['evil.pkl', 'evil-list.pkl'])
      await expect(loadArrays(at(name))).rejects.toThrow(
        /asks for the Python object \w+\.system.*nothing was executed/,
      );
    expect(existsSync(at('owned'))).toBe(false);
    await expect(loadArray(at('objects.pkl'))).rejects.toThrow(/holds Python objects/);
    await expect(loadArray(at('fields.pkl'))).rejects.toThrow(/a type without a number per element/);
  });

  it('notices every cut, and survives any changed byte with a value or an error', async () => {
    for (const name of ['tensor-4.pkl', 'dict-5.pkl']) {
      const good = readFileSync(at(name));
      for (let cut = 0; cut < good.length; cut += 7) {
        writeFileSync(at('cut.pkl'), good.subarray(0, cut));
        await expect(loadArrays(at('cut.pkl')), `${name} cut at ${cut}`).rejects.toThrow();
      }
      for (let i = 0; i < good.length; i += 5) {
        const bad = Buffer.from(good);
        bad[i] ^= 0xff;
        writeFileSync(at('bad.pkl'), bad);
        const result = await loadArrays(at('bad.pkl')).catch((error: unknown) => error);
        expect(result, `${name}, byte ${i}`).toBeDefined();
        if (result instanceof Error) expect(result.message).toContain('bad.pkl');
      }
    }
  });

  it('one blob named ten thousand times costs no more than the file allows', async () => {
    // A dict whose every value is _load_from_bytes or an array over the same pickled megabyte.
    python(
      folder,
      `
import pickle, io, torch
b = io.BytesIO(); torch.save(torch.zeros(1 << 18).storage(), b, _use_new_zipfile_serialization=False)
out = b'\\x80\\x04' + b'ctorch.storage\\n_load_from_bytes\\n' + b'q\\x000' + b'B' + len(b.getvalue()).to_bytes(4, 'little') + b.getvalue() + b'q\\x010' + b']'
out += b'h\\x00h\\x01\\x85Ra' * 10000 + b'.'
open('bomb.pkl', 'wb').write(out)
`,
    );
    await expect(loadArrays(at('bomb.pkl'))).rejects.toThrow(/far more work than a file of its size needs/);
  });
});

describe('arrays in files', () => {
  it('of the safetensors format are read', async () => {
    await writeSafetensors(at('one.safetensors'), { x: ndarray('F32', [2], Float32Array.of(1, 2)) });
    expect((await loadArray(at('one.safetensors'))).data).toEqual(Float32Array.of(1, 2));
    await expect(loadArray(at('one.safetensors'), 'y')).rejects.toThrow(/no tensor "y"/);
  });

  it('what is none says so', async () => {
    await expect(loadArray(at('nothing.npy'))).rejects.toThrow(/there is no such file/);
    writeFileSync(at('text.pkl'), 'hello there, this is no pickle');
    await expect(loadArray(at('text.pkl'))).rejects.toThrow(/text\.pkl/);
    writeFileSync(at('short.npy'), Buffer.from('\x93NUMPY\x01\x00', 'latin1'));
    await expect(loadArray(at('short.npy'))).rejects.toThrow(/short\.npy/);
  });
});
