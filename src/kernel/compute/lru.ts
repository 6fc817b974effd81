/** A map of at most `size` entries: beyond, the least recently used one is dropped. */
export class LruMap<K, V> {
  readonly #map = new Map<K, V>();

  /** @param dropped is called with every value that is dropped, replaced or cleared, to free what it holds. */
  constructor(
    readonly size: number,
    private readonly dropped?: (value: V) => void,
  ) {
    if (!Number.isInteger(size) || size < 1) throw new RangeError(`a map keeps at least 1 entry but size is ${size}`);
  }

  /** The value, which becomes the most recently used one. */
  get(key: K): V | undefined {
    if (!this.#map.has(key)) return undefined;
    const value = this.#map.get(key) as V;
    this.#map.delete(key);
    this.#map.set(key, value);
    return value;
  }

  /** The value; where the key is unknown, `make` is awaited and its value kept. */
  async getOrMake(key: K, make: () => Promise<V>): Promise<V> {
    if (this.#map.has(key)) return this.get(key) as V;
    const value = await make();
    this.set(key, value);
    return value;
  }

  set(key: K, value: V): void {
    const before = this.#map.get(key);
    const had = this.#map.delete(key);
    this.#map.set(key, value);
    if (had && before !== value) this.dropped?.(before as V);
    for (const [oldest, old] of this.#map) {
      if (this.#map.size <= this.size) break;
      this.#map.delete(oldest);
      this.dropped?.(old);
    }
  }

  clear(): void {
    const values = [...this.#map.values()];
    this.#map.clear();
    for (const value of values) this.dropped?.(value);
  }
}
