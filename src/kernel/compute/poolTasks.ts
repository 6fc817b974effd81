/**
 * What pool workers can do, by name. A task takes a structured-cloneable payload, returns one, and keeps no state.
 * `transfer` names buffers of the result that are handed over instead of copied.
 */
export interface TaskResult {
  value: unknown;
  transfer?: ArrayBuffer[];
}
export type PoolTask = (payload: unknown) => TaskResult | Promise<TaskResult>;

export const poolTasks: Readonly<Record<string, PoolTask>> = {
  /** Gives its payload back: for tests and for warming workers up. */
  echo: (payload) => ({ value: payload }),
};
