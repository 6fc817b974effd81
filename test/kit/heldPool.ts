/** Worker threads of the kernel's pool for the tests of a file or of a describe. */
import { afterAll, beforeAll } from 'vitest';
import { Pool } from '#kernel/compute/pool.js';
import { poolBundle } from './poolBundle.js';

/** Three workers, from before the tests to behind them. */
export function heldPool(): { readonly pool: Pool } {
  let built: Awaited<ReturnType<typeof poolBundle>>;
  let pool: Pool;
  beforeAll(async () => {
    built = await poolBundle();
    pool = new Pool({ bundle: built.bundle, size: 3 });
  });
  afterAll(async () => {
    await pool.dispose();
    built.remove();
  });
  return {
    get pool() {
      return pool;
    },
  };
}
