// The integration tests once more, with the other client-node. Those that try the API server or the
// control plane themselves load no line of the package, and the processes of the demo find the client-node
// of the main package: they are not repeated.
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
    '/integration/(conformance|control-plane|demo)\\.test\\.ts$',
  ],
};
