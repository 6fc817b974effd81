/** fg.arrays: arrays of other programs. */
import type { NdArray } from '../io/ndarray.js';
import { loadArray, loadArrays, type NamedArrays } from '../io/arrays.js';
import { textItem } from '../present/items.js';
import { CALL, words } from '../verb/common.js';
import { namespace } from '../verb/namespace.js';
import { text } from '../verb/option.js';
import { verb } from '../verb/verb.js';

const FILE = words('file', 'A .npy, .npz, .safetensors, .pt or pickle file, relative to the notebook.');
const REFUSED =
  'A pickle of anything but tensors, numpy arrays and plain data is refused by the name of what it asks for; nothing in it is executed.';

const said = (name: string, { dtype, shape }: NdArray): string => `${name}: ${dtype} [${shape.join(', ')}]`;

const load = verb({
  doc: 'One array of a file as { dtype, shape, data }, row-major: the one that it holds, or the one of a name. Every verb that takes rows takes it as it is.',
  args: [FILE],
  options: {
    name: text({
      doc: 'Which array of a file with several; names of nested dicts and lists are joined by ".".',
      fallback: 'the only one',
    }),
    ...CALL,
  },
  errors: [REFUSED, 'A file with several arrays needs `name`; the error lists them with their shapes.'],
  run: ({ env, options }, file) => loadArray(env.resolve(file), options.name),
  show: (array, { options }, file) => [textItem(said(options.name ?? file, array))],
});

const loadAll = verb({
  doc: 'All arrays of a file by their names, as { name: { dtype, shape, data } }.',
  args: [FILE],
  options: { ...CALL },
  errors: [REFUSED, 'Arrays that together pass the memory budget are refused with the numbers.'],
  run: ({ env }, file): Promise<NamedArrays> => loadArrays(env.resolve(file)),
  show: (arrays) => [
    textItem(
      Object.entries(arrays)
        .map(([name, array]) => said(name, array))
        .join('\n'),
    ),
  ],
});

export const arrays = namespace({
  name: 'arrays',
  doc: 'Arrays that other programs wrote: NumPy, PyTorch, safetensors, and pickles of plain tensors and arrays, read as data.',
  example: `// Three tokens, two features, as another program would write them.
const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }".padEnd(117) + '\\n'
const start = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0])
const fs = process.getBuiltinModule('node:fs')
const file = fg.artifacts.folder() + '-codes.npy'
fs.writeFileSync(file, Buffer.concat([start, Buffer.from(header), Buffer.from(new Float32Array([1, 0, 0, 2, 3, 0]).buffer)]))
const codes = await fg.arrays.load(file)
const store = await fg.activations.from(codes, { name: 'mine' })
store.statistics.firings`,
  verbs: { load, loadAll },
});
