// What the two test runs consist of. The commands themselves are the scripts of package.json.
import { spawnSync } from 'node:child_process';

/** @typedef {import('./stage.js').Stage} Stage */

/** What concerns what is published: it compiles, packs and installs, which takes its time. */
const PUBLISHED = ['api', 'docs', 'package', 'pages', 'readme'].map(
  (name) => `test/repo/${name}.test.ts`,
);
/** What the promises are held against: see docs/proof.md. */
const PROOF = 'test/proof/';
const APART = [
  '/test/integration/',
  `/${PROOF}`,
  '/test/repo/(api|docs|package|pages|readme)\\.test\\.ts$',
];
/** Tests that take as long as leases, outages and whole programs do: `npm run test:live`. */
const LIVE = '\\.long\\.test\\.ts$';
/** They tell how fast something is, or count the requests of an API server: nothing else beside them. */
const MEASURED = '/integration/cluster/(hand-off|requests|succession)\\.test\\.ts$';
/** Whole programs are started in them, each in seconds. */
const PROGRAMS = '/integration/(smoke|cluster)/(cli|cli-operations|demo)\\.test\\.ts$';
/** Real faults, by many processes on API servers of their own. */
const FAULTS = '/integration/faults/';
const ALWAYS_IGNORED = ['/node_modules/', '/dist/', '/test/node24/'];

/**
 * A worker that grows beyond this is replaced between two files: each file that loads the real
 * client of Kubernetes costs a worker memory that Jest cannot give back.
 */
const WORKER_MEMORY = '400MB';

/** @returns {Stage} */
function script(name, limitSeconds, command = name) {
  return { name, limitSeconds, command: ['npm', 'run', '--silent', command], background: true };
}

/** @returns {Stage} */
function jest(name, limitSeconds, args, rest) {
  const command = ['npm', 'run', '--silent', 'jest', '--', '--ci', ...args];
  return { name, limitSeconds, command, jest: true, ...rest };
}

function ignoring(...patterns) {
  return [...ALWAYS_IGNORED, ...patterns].map((one) => `--testPathIgnorePatterns=${one}`);
}

const types = script('types', 240);
const lint = script('lint', 480);
const format = script('format', 240, 'format:check');

const inBackground = { background: true };
/** More workers than a small machine has cores: most of these tests wait for real timers. */
const UNIT = ['--maxWorkers=5', `--workerIdleMemoryLimit=${WORKER_MEMORY}`];
const unit = jest('unit', 600, [...UNIT, ...ignoring(...APART, LIVE)]);
const proof = jest('proof', 900, ['--maxWorkers=2', PROOF], inBackground);
/** Few of its processes at a time, each of which compiles. */
const PACED = ['--maxWorkers=2', '--maxConcurrency=3'];
const published = jest('published', 900, [...PACED, ...PUBLISHED], inBackground);

const EMBEDDED = { env: { SYNC_TEST_REAL: '' } };
const REAL = { env: { SYNC_TEST_REAL: '1' } };
/** Leaves room to build the control plane on a machine that has never done so, and for measurements. */
const REAL_LIMIT = process.env.SYNC_TEST_FULL === '1' ? 5400 : 1800;
/** They wait, too, but start processes: more of them at a time, and bounds of time are for nothing. */
const WAITING = ['--maxWorkers=2', 'test/integration/', ...ignoring(LIVE, MEASURED, FAULTS)];
const embedded = jest(
  'integration',
  420,
  [...WAITING, `--testPathIgnorePatterns=${PROGRAMS}`],
  EMBEDDED,
);
const real = jest('integration', REAL_LIMIT, WAITING, REAL);
const faults = jest('faults', REAL_LIMIT, ['--runInBand', FAULTS, ...ignoring(LIVE)], REAL);
const measured = jest('measured', REAL_LIMIT, ['--runInBand', MEASURED], REAL);
const LIVE_FAULTS = `${FAULTS}.*${LIVE}`;
const allFaults = jest('all faults', REAL_LIMIT, ['--runInBand', LIVE_FAULTS], REAL);
const LONG = ['--maxWorkers=2', `/integration/.*${LIVE}`, ...ignoring(LIVE_FAULTS)];
const long = jest('long', REAL_LIMIT, LONG, REAL);
const EXAMPLES = ['--maxWorkers=2', `/examples/.*${LIVE}`];
const examples = jest('examples', 600, EXAMPLES, inBackground);

/** On Node.js 24 with client-node 2.x: what differs by them in the full run, what takes longer in the live one. */
function secondLeg(...tests) {
  const command = ['node', 'test/node24/run.js', '--ci', '--runInBand', ...tests];
  return { name: 'second leg', limitSeconds: 600, command, jest: true, ...REAL };
}

/** Lines in which the proofs tell how far they went. */
const FIGURES = /^(explorer|mutants killed|simulation|live faults survived)\b.*$/gm;

/** Says how far the proofs went, and which real API servers and rivals took part; none is a failure wherever one can be had. */
function closeFull(verdicts) {
  const { SYNC_TEST_KUBECONFIG, KUBEBUILDER_ASSETS } = process.env;
  const hasServer = Boolean(SYNC_TEST_KUBECONFIG || KUBEBUILDER_ASSETS) || hasGo();
  const figures = verdicts.flatMap(({ output }) => output.match(FIGURES) ?? []);
  const closings = [
    closing(verdicts, 'real API server', /kube-apiserver v[\w.+-]+/, hasServer),
    closing(verdicts, 'rival', /client-go v[\w.+-]+/, hasGo()),
  ];
  return {
    lines: [...figures, ...closings.flatMap(({ lines }) => lines)],
    verdicts: closings.flatMap(({ verdicts }) => verdicts),
  };
}

/** @param {RegExp} pattern finds its name and version in the titles of tests */
function closing(verdicts, what, pattern, canBeHad) {
  const found = new Map();
  for (const { results } of verdicts) {
    for (const { fullName, status } of (results?.testResults ?? []).flatMap(testsOf)) {
      const version = pattern.exec(fullName)?.[0];
      if (version === undefined || status !== 'passed') continue;
      found.set(version, (found.get(version) ?? 0) + 1);
    }
  }
  if (found.size > 0) {
    const lines = [...found].map(([version, count]) => {
      return `${what}: ${version} took part in ${count} tests`;
    });
    return { lines, verdicts: [] };
  }
  const line = `${what}: none took part`;
  if (!canBeHad) return { lines: [`${line}: there is no Go here to build one`], verdicts: [] };
  const verdict = { name: what, seconds: 0, passed: 0, failed: 1, skipped: 0, trouble: line };
  return { lines: [], verdicts: [verdict] };
}

function testsOf({ assertionResults }) {
  return assertionResults;
}

function hasGo() {
  return spawnSync('go', ['version'], { stdio: 'ignore' }).status === 0;
}

export const plans = {
  fast: { tracks: [[unit], [embedded], [types, lint, format]] },
  full: {
    tracks: [
      [real, faults, measured, secondLeg('versions', 'auth', 'contention')],
      [published, types, lint, format],
      [proof, { ...unit, ...inBackground }],
    ],
    close: closeFull,
  },
  live: { tracks: [[allFaults, long, secondLeg('conformance', 'crash')], [examples]] },
};
