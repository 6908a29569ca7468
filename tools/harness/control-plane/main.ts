// Builds what the tests on a real API server need, unless it is there already: kube-apiserver, etcd, the
// certificate maker, and client-go's elector. Prints its progress. `npm run control-plane`
import { findClientGo } from '../client-go/find.js';
import { findBinaries } from './binaries.js';
import { isClusterNamed } from './index.js';

if (isClusterNamed()) {
  console.log('real API server: the one of SYNC_TEST_KUBECONFIG');
} else {
  const binaries = await findBinaries();
  console.log(
    binaries === undefined
      ? 'real API server: not built, since Go is not installed'
      : `real API server: ${binaries.apiserver}`,
  );
}
const clientGo = await findClientGo();
console.log(clientGo.kind === 'built' ? `client-go: ${clientGo.file}` : clientGo.reason);
