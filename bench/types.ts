/** What every benchmark gives: one line per size, ours and the peer's figure from one run. */
export interface BenchResult {
  name: string;
  /** Such as "32x128 tokens, d=1024". */
  size: string;
  ours: number;
  peer: number;
  unit: string;
  /** Greater than 1 where we are ahead, whatever the unit. */
  speedup: number;
  note?: string;
}
