import { describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { matrix } from '#kernel/compute/matrix.js';
import { asMatrix, type MatrixInput } from '#kernel/io/matrixInput.js';
import { tf } from '#kernel/compute/tf.js';
import { ndarray } from '#kernel/io/ndarray.js';

await initDevice({ device: 'cpu' });
const expected = matrix(2, 3, Float32Array.of(1, 2.5, NaN, -4, 0, Infinity));
const numbers = Array.from(expected.data);
const taken = (given: unknown) => asMatrix(given as MatrixInput, 'x');

describe('rows of numbers', () => {
  it('are taken in every form in which a cell has them', async () => {
    const tensor = tf.tensor2d(numbers, [2, 3]);
    const forms: Record<string, unknown> = {
      'a matrix': expected,
      'a matrix of numbers': { rows: 2, cols: 3, data: numbers },
      'a matrix of float64': { rows: 2, cols: 3, data: Float64Array.from(numbers) },
      'rows of numbers': [numbers.slice(0, 3), numbers.slice(3)],
      'rows of typed arrays': [Float32Array.from(numbers.slice(0, 3)), Float64Array.from(numbers.slice(3))],
      'numbers with a shape': { shape: [2, 3], data: numbers },
      'typed numbers with a shape': { shape: [2, 3], data: Float32Array.from(numbers) },
      'a tensor': tensor,
      'an array of a file': ndarray('F64', [2, 3], Float64Array.from(numbers)),
      'an SAE': { decoder: expected },
    };
    for (const [name, form] of Object.entries(forms)) {
      const x = await taken(form);
      expect(x.data, name).toBeInstanceOf(Float32Array);
      expect(x, name).toEqual(expected);
    }
    expect((await taken(expected)).data).toBe(expected.data);
    tensor.dispose();
    await expect(taken(tensor)).rejects.toThrow('x is a tensor that was disposed');
    expect(await taken(ndarray('I64', [1, 2], BigInt64Array.of(3n, -2n)))).toEqual(
      matrix(1, 2, Float32Array.of(3, -2)),
    );
    expect(await taken(ndarray('F16', [1, 2], Uint16Array.of(0x3c00, 0xc000)))).toEqual(
      matrix(1, 2, Float32Array.of(1, -2)),
    );
    expect(await taken(tf.tensor2d([1, 0], [1, 2], 'int32'))).toEqual(matrix(1, 2, Float32Array.of(1, 0)));
    expect(await taken({ rows: 0, cols: 3, data: new Float32Array(0) })).toEqual(matrix(0, 3));
  });

  const refused: Array<[string, unknown, string]> = [
    ['a promise', Promise.resolve(expected), 'x is a promise: write "await" before the call that made it'],
    ['nothing', undefined, 'x is undefined; expected a matrix { rows, cols, data } such as sae.decoder, an array of rows'],
    ['a number', 7, 'x is 7; expected a matrix'],
    ['a text', 'rows.npy', 'x is "rows.npy"; expected a matrix'],
    ['10 numbers for 20 × 3', { rows: 20, cols: 3, data: new Float32Array(10) }, 'x is of 20 rows and 3 columns but has 10 values; expected 60'],
    ['10 numbers of a shape of 60', { shape: [20, 3], data: new Array(10).fill(0) }, 'x is of 20 rows and 3 columns but has 10 values; expected 60'],
    ['numbers without a shape', new Float32Array(60), 'x is a Float32Array of 60 values; expected a matrix'],
    ['a flat array', [1, 2, 3], 'x is an array of 3 numbers, which do not say their shape; give { rows, cols, data } or an array of rows'],
    ['ragged rows', [[1, 2], [3, 4], [5]], 'row 2 of x has 1 numbers but row 0 has 2; all rows need the same length'],
    ['a row that is none', [[1, 2], null], 'row 1 of x is null; expected an array of numbers'],
    ['a row that was not awaited', [[1, 2], Promise.resolve([1, 2])], 'row 1 of x is a promise: write "await"'],
    ['no rows', [], 'x is an empty array: it has no rows'],
    ['a text among numbers', [[1, 2], [3, '4']], 'row 1, column 1 of x is "4"; expected a number (NaN for a missing one)'],
    ['a hole', { rows: 1, cols: 2, data: [1, undefined] }, 'row 0, column 1 of x is undefined; expected a number'],
    ['what float32 cannot hold', [[1, 1e300]], 'row 0, column 1 of x is 1e+300, beyond float32'],
    ['half a row', { rows: 1.5, cols: 2, data: new Float32Array(3) }, 'x has rows 1.5; expected a whole number of at least 0'],
    ['no data', { rows: 1, cols: 2, data: undefined }, 'x has the data undefined; expected a Float32Array or an array of numbers'],
    ['wide integers', { rows: 1, cols: 1, data: BigInt64Array.of(1n) }, 'x has the data a BigInt64Array of 1 values'],
    ['three axes', { shape: [2, 3, 1], data: new Float32Array(6) }, 'x has the shape [2, 3, 1]; expected two numbers, [rows, columns]: reshape it first'],
    ['sparse rows', { rows: 2, cols: 2, indptr: [0, 1, 2] }, 'x is an object with rows, cols, indptr; expected a matrix'],
    ['an SAE of wrong size', { decoder: { rows: 2, cols: 2, data: new Float32Array(3) } }, 'the decoder of x is of 2 rows and 2 columns but has 3 values'],
  ]; // prettier-ignore
  for (const [name, given, message] of refused)
    it(`are refused with what to do: ${name}`, async () => {
      await expect(taken(given)).rejects.toThrow(message);
    });

  it('of a tensor of another rank are refused', async () => {
    await expect(taken(tf.zeros([4]))).rejects.toThrow('x has the shape [4]; expected two numbers');
  });
});
