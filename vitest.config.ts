import { defineConfig } from 'vitest/config';

// Three projects, each can be run alone: `npx vitest run --project unit|contract|lab`.
// The lab project boots real servers: one worker, no time limit worth having below ten minutes.
export default defineConfig({
  test: {
    projects: [
      // Tests of memory collect garbage before they measure.
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          pool: 'forks',
          execArgv: ['--expose-gc'],
          testTimeout: 30_000,
        },
      },
      { test: { name: 'contract', include: ['test/contract/**/*.test.ts'], pool: 'forks', testTimeout: 60_000 } },
      {
        test: {
          name: 'lab',
          include: ['test/lab/**/*.test.ts'],
          globalSetup: ['test/lab/support/global-setup.ts'],
          setupFiles: ['test/lab/support/tell-services.ts'],
          pool: 'forks',
          maxWorkers: 1,
          fileParallelism: false,
          isolate: false,
          testTimeout: 900_000,
          hookTimeout: 900_000,
        },
      },
    ],
  },
});
