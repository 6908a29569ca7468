// Finds or starts the real API server that all test files of one Jest run share. SYNC_TEST_REAL says which:
//   1        one that is named or that can be built, and beside it client-go's elector
//   at hand  one that is named or built already
// The workers inherit its description by the environment.
import '../../tools/loader.js';

let found;

export default async function setUp() {
  const wanted = process.env.SYNC_TEST_REAL;
  if (wanted !== '1' && wanted !== 'at hand') return;
  const { findCluster, SHARED_CLUSTER } =
    await import('../../tools/harness/control-plane/index.ts');
  found = await findCluster(wanted === '1');
  process.env[SHARED_CLUSTER] = JSON.stringify(found);
  if (found.kind === 'none') {
    say(found.reason);
    return;
  }
  say(`real API server: ${found.version} at ${found.server} (${found.source ?? 'named'})`);
  if (wanted !== '1') return;
  const { findClientGo, SHARED_CLIENT_GO } = await import('../../tools/harness/client-go/find.ts');
  const clientGo = await findClientGo();
  process.env[SHARED_CLIENT_GO] = JSON.stringify(clientGo);
  say(clientGo.kind === 'none' ? clientGo.reason : `client-go: ${clientGo.version}`);
}

export async function stopFound() {
  if (found?.kind === 'local') await found.stop();
}

function say(line) {
  process.stderr.write(`${line}\n`);
}
