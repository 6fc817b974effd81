/** What the verbs of fg.mapper take. */
import type { Matrix } from '../compute/matrix.js';
import type { MatrixInput } from '../compute/matrixInput.js';
import { rowsArg, thing, type Arg } from '../verb/common.js';
import type { MapperGraph } from './types.js';

/** Points: a matrix, an array of rows, a tensor, or an SAE, whose decoder rows are the points. */
export type MapperPoints = MatrixInput;

export const points: Arg<MapperPoints, Matrix> = rowsArg('points', 'n × d points, or an SAE: its decoder rows.');

/** A graph that fg.mapper.graph returned. */
export const graphArg = (name: string): Arg<MapperGraph> => thing(name, 'A graph that fg.mapper.graph returned.');
