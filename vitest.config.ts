import { defineConfig } from 'vitest/config';

const tier = (name: string, timeout: number) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: timeout,
    hookTimeout: timeout,
    pool: 'forks' as const,
    poolOptions: { forks: { maxForks: 2 } },
  },
});

export default defineConfig({
  test: { projects: [tier('unit', 60_000), tier('kernel', 180_000), tier('e2e', 180_000)] },
});
