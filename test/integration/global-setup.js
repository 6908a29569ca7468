// Finds or starts the real API server that all test files of one Jest run share, when
// SYNC_TEST_REAL=1 asks for one, and beside it client-go's elector. The workers inherit its description by the environment.
import '../../tools/loader.js';

let found;

export default async function setUp() {
  if (process.env.SYNC_TEST_REAL !== '1') {
    say('real API server: not asked for (SYNC_TEST_REAL=1 runs the integration tests on one too)');
    return;
  }
  const { findCluster, SHARED_CLUSTER } =
    await import('../../tools/harness/control-plane/index.ts');
  found = await findCluster();
  process.env[SHARED_CLUSTER] = JSON.stringify(found);
  if (found.kind === 'none') {
    say(found.reason);
    return;
  }
  say(`real API server: ${found.version} at ${found.server} (${found.source ?? 'named'})`);
  const { findClientGo, SHARED_CLIENT_GO } = await import('../../tools/harness/client-go/find.ts');
  const rival = await findClientGo();
  process.env[SHARED_CLIENT_GO] = JSON.stringify(rival);
  say(rival.kind === 'none' ? rival.reason : `rival: client-go ${rival.version}`);
}

export async function stopFound() {
  if (found?.kind === 'local') await found.stop();
}

function say(line) {
  process.stderr.write(`${line}\n`);
}
