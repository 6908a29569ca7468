// What the tiers of the tests consist of. Each is a script of package.json: `npm test`, `npm run test:cluster`,
// `npm run test:verification`. A file belongs to a tier by its path alone.
import { availableParallelism } from 'node:os';
import '../loader.js';

/** @typedef {import('./stage.js').Stage} Stage */

/**
 * One worker for each core and one more: some files wait for the processes that they start. Further workers would
 * wait for the longest file.
 */
const WORKERS = Math.min(availableParallelism() + 1, 4);
/** Tests that take minutes, for `npm run test:verification` and `npm run test:cluster`. */
const VERIFICATION = '\\.verification\\.test\\.ts$';
const LONG = '\\.long\\.test\\.ts$';
const ALWAYS_IGNORED = ['/node_modules/', '/dist/', '/test/node24/'];

const MINUTES = 60;
/** No stage comes near these limits, not even on half a core: they end what hangs. */
const CHECK_LIMIT = 30 * MINUTES;
const TEST_LIMIT = 60 * MINUTES;
const BUILD_LIMIT = 60 * MINUTES;

const NO_SERVER = { SYNC_TEST_REAL: '' };
/** Uses a real API server that is named or built already, and never builds one. */
const SERVER_AT_HAND = { SYNC_TEST_REAL: 'at hand' };
/** Uses a real API server and client-go, and builds what is not built yet. */
const SERVER = { SYNC_TEST_REAL: '1' };

/** @returns {Stage} */
function script(name, limitSeconds, command = name) {
  return { name, limitSeconds, command: ['npm', 'run', '--silent', command] };
}

/** @returns {Stage} */
function jest(name, { workers = WORKERS, paths, ignored = [], ...rest }) {
  const how = workers === 1 ? ['--runInBand'] : [`--maxWorkers=${workers}`];
  const without = [...ALWAYS_IGNORED, ...ignored].map((one) => `--testPathIgnorePatterns=${one}`);
  // The paths come first: an option that takes a list would take them, too.
  const command = ['npm', 'run', '--silent', 'jest', '--', '--ci', ...how, ...paths, ...without];
  return { name, limitSeconds: TEST_LIMIT, command, jest: true, ...rest };
}

/** One line when the stage cannot take part because no real API server is there. */
async function missingServer() {
  const { isClusterAtHand } = await import('../harness/control-plane/index.ts');
  if (isClusterAtHand()) return undefined;
  return 'no real API server is named or built on this machine (npm run control-plane builds one)';
}

/** The same, where one would have been built. */
async function missingGo() {
  if ((await missingServer()) === undefined) return undefined;
  return 'no real API server is named or built, and there is no Go to build one';
}

const checks = [
  script('lint', CHECK_LIMIT),
  script('types', CHECK_LIMIT),
  script('types of pages', CHECK_LIMIT, 'types:pages'),
  script('public API', CHECK_LIMIT, 'api:check'),
  script('format', CHECK_LIMIT, 'format:check'),
];

/** They compute without a pause, so more workers than cores would only make each of them slower. */
const proofs = jest('proofs', {
  workers: Math.min(availableParallelism(), 2),
  paths: ['test/proof/'],
  ignored: [VERIFICATION],
  env: NO_SERVER,
});
const withoutCluster = jest('tests', {
  paths: ['test/(unit|api|repo|examples)/', 'test/integration/smoke/'],
  ignored: [VERIFICATION, LONG],
  env: NO_SERVER,
});
const conformance = jest('API server', {
  workers: 1,
  paths: ['test/integration/smoke/(conformance|contention)'],
  env: SERVER_AT_HAND,
  missing: missingServer,
});

const controlPlane = script('control plane', BUILD_LIMIT, 'control-plane');
const integration = jest('integration', {
  paths: ['test/integration/(smoke|cluster|mixed)/'],
  env: SERVER,
  missing: missingGo,
});
const faults = jest('live faults', {
  workers: 1,
  paths: ['test/integration/faults/'],
  env: SERVER,
  missing: missingGo,
});
const programs = jest('examples', { paths: [`test/(examples|repo)/.*${LONG}`], env: NO_SERVER });
/** On Node.js 24 with client-node 2.x, which the package itself cannot have on Node.js 20. */
const secondLeg = {
  name: 'second leg',
  limitSeconds: TEST_LIMIT,
  command: ['node', 'test/node24/run.js', '--ci', '--runInBand'],
  jest: true,
  env: SERVER,
};

const verification = jest('verification', {
  paths: ['test/proof/', `test/.*${VERIFICATION}`],
  env: NO_SERVER,
});

/**
 * The steps of a tier, one after the other. The stages of one step run side by side, as many as there are cores: each
 * keeps one core busy, or waits most of its time, as the tests of the API server do.
 */
export const tiers = {
  test: { steps: [checks, [proofs], [withoutCluster, conformance]] },
  cluster: { steps: [[controlPlane], [integration], [faults], [programs], [secondLeg]] },
  verification: { steps: [[verification]] },
};
