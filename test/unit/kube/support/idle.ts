// A process that has used all there is of each kubeconfig and is done, without having closed anything.
import { KubeConfig } from '@kubernetes/client-node';
import { systemClock } from '../../../../src/lease/clock.js';
import { connect } from '../../../../src/lease/kube/connect.js';
import type { WatchListener } from '../../../../src/lease/store.js';

const key = { namespace: 'default', name: 'x' };
const letGo = systemClock.keepAlive();

async function use(file: string): Promise<void> {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(file);
  const { store, watch } = await connect({
    kubeConfig,
    clock: systemClock,
    random: Math.random,
    warn: () => undefined,
  });
  const isLive = new Promise<void>((resolve) => {
    const listener: WatchListener = {
      news: () => undefined,
      live: (on) => {
        if (on) resolve();
      },
      gap: () => undefined,
    };
    watch.subscribe(key, null, listener);
  });
  const options = () => ({ deadline: systemClock.monotonic() + 60_000, limitMs: 60_000 });
  console.log((await store.read(key, options())).kind);
  await isLive;
  console.log('live');
  void store.read({ ...key, name: 'never-answered' }, options());
}

for (const file of process.argv.slice(2)) await use(file);
letGo();
