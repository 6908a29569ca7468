// The integration tests once more, with the other client-node: those of what differs by it (credentials, proxies,
// watches) and of real processes that hand over and take over. Not repeated are tests that load no line of the package,
// live faults, client-go, and the demo, whose processes would find the main package's client-node.
import base from '../../jest.config.js';

/** @type {import('jest').Config} */
export default {
  ...base,
  rootDir: '../..',
  moduleNameMapper: {
    '^@kubernetes/client-node$': '<rootDir>/test/node24/node_modules/@kubernetes/client-node',
    ...base.moduleNameMapper,
  },
  testMatch: ['<rootDir>/test/integration/**/*.test.ts', '<rootDir>/test/node24/*.test.ts'],
  testPathIgnorePatterns: [
    '/node_modules/',
    '/integration/(mixed|faults)/',
    '/integration/smoke/(cli-operations|conformance|demo)\\.test\\.ts$',
    '/integration/cluster/(?!crash|hand-off)',
  ],
};
