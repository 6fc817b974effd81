/** Opens whatever may hold an SAE's tensors: weight files, and arrays by themselves. */
import { basename, extname } from 'node:path';
import { openData, readExactly } from '../../io/files.js';
import { openNumpyPickle } from './numpyPickle.js';
import { decodeNpy, NPY_HEADER_BYTES, parseNpyHeader } from '../../io/npy.js';
import { openWeights, type WeightSource } from '../../io/weights.js';

/** A weights file, a .pkl of NumPy arrays, or a .npy array, whose name is then that of the file without its ending. */
export async function openTensors(path: string): Promise<WeightSource> {
  if (/\.(pkl|pickle)$/i.test(path)) return openNumpyPickle(path);
  const handle = await openData(path);
  try {
    const { size } = await handle.stat();
    const head = await readExactly(handle, 0, Math.min(size, NPY_HEADER_BYTES), path);
    if (head[0] !== 0x93 || head[1] !== 0x4e) return await openWeights(path);
    const { dtype, shape } = parseNpyHeader(head, path);
    const name = basename(path, extname(path));
    const require = (wanted: string): void => {
      if (wanted !== name) throw new Error(`${path}: no array "${wanted}"; it has ${name}`);
    };
    return {
      names: () => [name],
      info(wanted) {
        require(wanted);
        return { dtype, shape: [...shape] };
      },
      async read(wanted) {
        require(wanted);
        const file = await openData(path);
        try {
          return decodeNpy(await readExactly(file, 0, (await file.stat()).size, path), path);
        } finally {
          await file.close();
        }
      },
      close: () => Promise.resolve(),
    };
  } finally {
    await handle.close();
  }
}
