// A Lease API in memory instead of a cluster, for several examples in several terminals:
//   node --import ./tools/loader.js examples/server.ts /tmp/kubeconfig
// and then, in each other terminal, `export KUBECONFIG=/tmp/kubeconfig`.
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { startLeaseServer } from '@metaparticle/sync/testing';

const [, , file] = process.argv;
if (file === undefined) {
  console.error('say where to write the kubeconfig');
  process.exit(64);
}
const stop = new AbortController();
for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());

const api = await startLeaseServer();
// It has a token: for nobody else's eyes. Not over a file that is there, which may be your own.
await writeFile(file, api.kubeConfigYaml(), { mode: 0o600, flag: 'wx' });
console.log(`export KUBECONFIG=${file}`);

if (!stop.signal.aborted) await once(stop.signal, 'abort');
await rm(file, { force: true });
await api.close();
