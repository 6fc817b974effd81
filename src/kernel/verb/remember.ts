/**
 * Runs of a call, each made at most once for a result. Without Node, since pages bundle the code that asks for runs.
 */

/** Gives the value of a run and makes it at most once for a result; values are plain JSON. */
export interface Remember {
  <T>(run: string, make: () => Promise<T>): Promise<T>;
  /** True in a shard: some runs are made elsewhere, and the values given for them must not be read. */
  readonly partial?: boolean;
  /** True: every run is made now, in any order, and none is kept. */
  readonly plain?: boolean;
}

/** A number in JSON, which has no NaN, infinities or -0; Number() restores it. */
export const plainNumber = (value: number): number | string =>
  Object.is(value, -0) ? '-0' : Number.isFinite(value) ? value : String(value);
