/** The runs of a call that are made at most once for a result. Without Node: pages bundle what asks for runs. */

/** Gives the value of a run, made at most once for a result; values are plain JSON. */
export interface Remember {
  <T>(run: string, make: () => Promise<T>): Promise<T>;
  /** True in a shard: some runs are made elsewhere, and what it gives for them must not be looked at. */
  readonly partial?: boolean;
  /** True: every run is made here and now, in any order, and nothing is kept of it. */
  readonly plain?: boolean;
}

/** A number as JSON holds it, which has neither NaN nor infinities nor -0; Number() gives it back. */
export const plainNumber = (value: number): number | string =>
  Object.is(value, -0) ? '-0' : Number.isFinite(value) ? value : String(value);
