import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    allowOnly: false, // an `only` left behind would skip the rest in CI
    projects: [
      { test: { name: 'unit', include: ['client/test/**/*.test.ts', 'ui/test/**/*.test.ts'] } },
      { test: { name: 'e2e', include: ['e2e/**/*.test.ts'], testTimeout: 60_000, hookTimeout: 120_000 } },
    ],
  },
})
