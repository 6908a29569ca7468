// The integration tests once more, with the other client-node. Not repeated are those that load no line of
// the package (the API server, the control plane, pure judges), those about programs that are not ours
// (client-go, manifests), and the demo, whose processes would find the main package's client-node.
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
    '/integration/mixed/',
    '/integration/(smoke|cluster)/(conformance|control-plane|demo|deploy)\\.test\\.ts$',
  ],
};
