/** What the verbs of fg.mapper take. */
import type { Matrix } from '../compute/matrix.js';
import type { MatrixInput } from '../io/matrixInput.js';
import { rowsArg, thing, type Arg } from '../verb/common.js';
import type { MapperGraph } from './types.js';

export const points: Arg<MatrixInput, Matrix> = rowsArg('points', 'n × d points, or an SAE: its decoder rows.');

/** A graph that fg.mapper.graph returned. */
export const graphArg = (name: string): Arg<MapperGraph> => thing(name, 'A graph that fg.mapper.graph returned.');
