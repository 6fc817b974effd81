/** What a thread works with in phases: kept from step to step, since making it takes longer than filling it. */

const kept = new Map<string, { close?(): void }>();
const KEPT_MS = 10_000;
let timer: NodeJS.Timeout | undefined;

/** What is kept by a key, which says all that making it depends on; given back ten seconds after the last phase. */
export function lentOf<T extends object & { close?(): void }>(key: string, make: () => T): T {
  clearTimeout(timer);
  timer = setTimeout(giveBack, KEPT_MS).unref();
  let own = kept.get(key) as T | undefined;
  if (!own) kept.set(key, (own = make()));
  return own;
}

function giveBack(): void {
  for (const each of kept.values()) each.close?.();
  kept.clear();
}
