/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^@metaparticle/sync$': '<rootDir>/src/index.ts',
    '^@metaparticle/sync/opentelemetry$': '<rootDir>/src/opentelemetry/index.ts',
    '^@metaparticle/sync/prometheus$': '<rootDir>/src/prometheus/index.ts',
    '^@metaparticle/sync/testing$': '<rootDir>/src/testing/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  // Types are removed, not checked (`isolatedModules` of tsconfig.json): `npm run types` checks them once.
  transform: { '^.+\\.ts$': ['ts-jest', { useESM: true, tsconfig: 'tsconfig.json' }] },
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/', '/test/node24/'],
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
  testSequencer: '<rootDir>/tools/test-runner/sequencer.js',
  // Finds or starts the real API server when SYNC_TEST_REAL asks for one.
  globalSetup: '<rootDir>/test/integration/global-setup.js',
  globalTeardown: '<rootDir>/test/integration/global-teardown.js',
  maxWorkers: 2,
  maxConcurrency: 4,
  // Ends what hangs. No test takes seconds on an idle machine, but many of them do on half a core.
  testTimeout: 300_000,
};
