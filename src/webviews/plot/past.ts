/** What was asked for before, to go back to step by step. */
const MOST = 50;

export class Past<T> {
  private readonly steps: string[] = [];

  /** Notes what is asked for now; the same again is no step. */
  note(now: T): void {
    const text = JSON.stringify(now, (_, v: unknown) => (v instanceof Uint32Array ? { u32: [...v] } : v));
    if (this.steps.at(-1) !== text) this.steps.push(text);
    if (this.steps.length > MOST) this.steps.shift();
  }

  get undoes(): boolean {
    return this.steps.length > 1;
  }

  /** What was asked for before; null: nothing was. It is the latest then. */
  back(): T | null {
    if (!this.undoes) return null;
    this.steps.pop();
    return JSON.parse(this.steps.at(-1)!, (_, v: unknown) => {
      const list = (v as { u32?: number[] } | null)?.u32;
      return list ? Uint32Array.from(list) : v;
    }) as T;
  }
}
