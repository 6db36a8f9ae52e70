import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'extensions/**/*.test.ts', 'conformance/**/*.test.ts', 'bench/**/*.test.ts'],
    reporters: ['default', './src/testing/closing-line.ts'],
    globalSetup: ['src/testing/global-setup.ts'],
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
})
