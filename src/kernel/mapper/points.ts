/** The points of a Mapper graph, as cells pass them. */
import { isMatrix, type Matrix } from '../compute/matrix.js';
import { thing, type Arg } from '../verb/common.js';
import type { MapperGraph } from './types.js';

/** Points, or an SAE, whose decoder rows are the points. */
export type MapperPoints = Matrix | { readonly decoder: Matrix };

/** @throws TypeError for what is neither a matrix nor an SAE. */
export const points: Arg<MapperPoints, Matrix> = thing(
  'points',
  'n × d points, or an SAE: its decoder rows.',
  (given, at) => {
    const x = 'decoder' in given ? given.decoder : given;
    if (!isMatrix(x))
      throw new TypeError(`${at} must be a matrix { rows, cols, data: Float32Array } such as sae.decoder, or an SAE`);
    return x;
  },
);

/** A graph that fg.mapper.graph returned. */
export const graphArg = (name: string): Arg<MapperGraph> => thing(name, 'A graph that fg.mapper.graph returned.');
