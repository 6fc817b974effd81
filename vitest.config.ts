import { defineConfig } from 'vitest/config';

const tier = (name: string, timeout: number) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: timeout,
    hookTimeout: timeout,
    pool: 'forks' as const,
  },
});

export default defineConfig({
  test: {
    poolOptions: { forks: { maxForks: 2 } },
    projects: [tier('unit', 180_000), tier('kernel', 400_000), tier('e2e', 180_000)],
  },
});
