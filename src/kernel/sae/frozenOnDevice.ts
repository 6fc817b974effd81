/** keepNear of frozen.ts as a graph. */
import type { Graph, Value } from '../compute/graphs/graph.js';
import { SOFT_COSINE } from './frozen.js';

/** Rows [F, d], those whose cosine with their start is below SOFT_COSINE turned back to it. */
export function heldNear(g: Graph, rows: Value, start: Value): Value {
  const zero = g.number(0);
  const dot = g.sum(g.mul(rows, start));
  const square = g.sum(g.mul(rows, rows));
  const startSquare = g.sum(g.mul(start, start));
  const norm = g.sqrt(g.mul(square, startSquare));
  const isFar = g.op('Less', [dot, g.mul(norm, g.number(SOFT_COSINE))]);
  // The part of the row across its start. Of a norm of 0 no row is far.
  const other = g.sub(rows, g.mul(g.div(dot, startSquare), start));
  const across = g.sqrt(g.sum(g.mul(other, other)));
  const isAcross = g.op('Greater', [across, zero]);
  const length = g.sqrt(square);
  const along = g.mul(g.where(isAcross, g.number(SOFT_COSINE), g.number(1)), g.div(length, g.sqrt(startSquare)));
  const beside = g.mul(length, g.number(Math.sqrt(1 - SOFT_COSINE ** 2)));
  const by = g.where(isAcross, g.div(beside, g.where(isAcross, across, g.number(1))), zero);
  return g.where(isFar, g.add(g.mul(along, start), g.mul(by, other)), rows);
}
