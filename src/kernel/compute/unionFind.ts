/** Disjoint sets as an array of parents; the root of a set is its smallest element. */

/** Union-find with path halving; returns whether the two were apart. */
export function unite(parent: Int32Array, a: number, b: number): boolean {
  const x = find(parent, a);
  const y = find(parent, b);
  if (x === y) return false;
  if (x < y) parent[y] = x;
  else parent[x] = y;
  return true;
}

/** The root of an element; halves the path to it. */
export function find(parent: Int32Array, a: number): number {
  while (parent[a] !== a) {
    parent[a] = parent[parent[a]];
    a = parent[a];
  }
  return a;
}

/** [n] every element its own set. */
export const singletons = (n: number): Int32Array => Int32Array.from({ length: n }, (_, i) => i);
