// A process that takes a lock once, as soon as it can. With a folder, by the service account below it; without, by the
// environment.
import { LeaseClient, Lock } from '../../src/index.js';

const [, , root = '', name = ''] = process.argv;

let kubeConfig;
if (root !== '') {
  // A pod's paths are fixed, and here is none: the same code, with a folder in front of them.
  const { loadKubeConfig } = await import('../../src/lease/kube/config.js');
  const { env, platform } = process;
  kubeConfig = await loadKubeConfig({}, { env, platform, root, now: () => performance.now() });
}
const lock = new Lock(name, { client: new LeaseClient({ kubeConfig }) });
const handle = await lock.tryAcquire().catch((error: unknown) => String(error));
const at = Date.now();
const isTaken = typeof handle === 'object';
console.log(JSON.stringify({ isTaken, at, rssKiB: process.resourceUsage().maxRSS, why: handle }));
if (typeof handle === 'object') await handle?.release();
