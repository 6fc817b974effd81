import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ndarray } from '#kernel/io/ndarray.js';
import { writeSafetensors } from '#kernel/io/safetensors.js';
import { openWeights } from '#kernel/io/weights.js';
import { testFolder } from '#test/kit/folder.js';
import { fromBase64, goldens } from '#test/kit/ioGoldens.js';

const folder = testFolder();
const one = (value: number) => ndarray('F32', [1], Float32Array.of(value));
const make = (name: string): string => {
  const path = join(folder, name);
  mkdirSync(path);
  return path;
};
const index = (map: unknown) => JSON.stringify({ metadata: { total_size: 8 }, weight_map: map });

describe('openWeights', () => {
  it('tells files apart by content, whatever their name', async () => {
    const files: Array<[string, string]> = [
      [goldens.torch[3].bytes, 'tensor'],
      [goldens.torch[9].bytes, 'tensor'],
      [goldens.npz[1].bytes, 'W_enc'],
    ];
    for (const [bytes, name] of files) {
      const path = join(folder, 'weights.bin');
      writeFileSync(path, fromBase64(bytes));
      const source = await openWeights(path);
      expect(source.names()).toContain(name);
      expect((await source.read(name)).shape).toEqual(source.info(name).shape);
      await source.close();
    }
    const path = join(folder, 'tensors.bin');
    await writeSafetensors(path, { a: one(1) });
    const source = await openWeights(path);
    expect(source.names()).toEqual(['a']);
    await source.close();
  });

  it('reads a model folder with one file, safetensors before PyTorch', async () => {
    const at = make('single');
    writeFileSync(join(at, 'pytorch_model.bin'), fromBase64(goldens.torch[3].bytes));
    let source = await openWeights(at);
    expect(source.names()).toEqual(['tensor']);
    await source.close();
    await writeSafetensors(join(at, 'model.safetensors'), { a: one(5) });
    source = await openWeights(at);
    expect([...(await source.read('a')).data]).toEqual([5]);
    await source.close();
  });

  it('reads sharded models as one', async () => {
    const at = make('sharded');
    await writeSafetensors(join(at, 'm-1.safetensors'), { a: one(1), b: one(2) });
    writeFileSync(join(at, 'm-2.bin'), fromBase64(goldens.torch[3].bytes));
    writeFileSync(
      join(at, 'model.safetensors.index.json'),
      index({ a: 'm-1.safetensors', b: 'm-1.safetensors', tensor: 'm-2.bin' }),
    );
    const source = await openWeights(at);
    expect(source.names()).toEqual(['a', 'b', 'tensor']);
    expect([...(await source.read('b')).data]).toEqual([2]);
    expect(source.info('tensor').shape).toEqual([4, 6]);
    expect(() => source.info('none')).toThrow('no tensor "none"');
    await source.close();
  });

  it('refuses an index that is wrong about its shards', async () => {
    const at = make('wrong');
    const path = join(at, 'model.safetensors.index.json');
    await writeSafetensors(join(at, 'm.safetensors'), { a: one(1) });
    const refused = async (text: string, message: RegExp) => {
      writeFileSync(path, text);
      await expect(openWeights(path)).rejects.toThrow(message);
    };
    await refused(index({ a: 'gone.safetensors' }), /names the shard gone.safetensors, which is not beside it/);
    await refused(index({ b: 'm.safetensors' }), /no tensor "b"; it has a/);
    await refused(index({ a: '../single/model.safetensors' }), /leaves its folder/);
    await refused(index({ a: '/etc/passwd' }), /leaves its folder/);
    await refused(index({}), /weight_map must map/);
    await refused('{}', /no weight_map/);
    await refused('{"weight', /is no weight index/);
  });

  it('says what it looked for and what it found', async () => {
    await expect(openWeights(join(folder, 'none'))).rejects.toThrow(/no such file or folder/);
    await expect(openWeights(make('empty'))).rejects.toThrow(/expected one of model.safetensors, .*pytorch_model.bin/);
    const path = join(folder, 'text.pt');
    writeFileSync(path, 'version https://git-lfs.github.com/spec/v1\n');
    await expect(openWeights(path)).rejects.toThrow(/is a Git LFS pointer.*git lfs pull/);
    writeFileSync(path, 'hello');
    await expect(openWeights(path)).rejects.toThrow(/68 65 6c 6c 6f: no safetensors/);
    writeFileSync(path, '');
    await expect(openWeights(path)).rejects.toThrow(/no safetensors, PyTorch or .npz/);
  });
});
