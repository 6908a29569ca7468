// A process that has used everything there is and is done, without having closed anything.
import { KubeConfig } from '@kubernetes/client-node';
import { systemClock } from '../../../../src/lease/clock.js';
import { connect } from '../../../../src/lease/kube/connect.js';
import { Recorder } from './listener.js';
import { until } from '../../../support/until.js';

const kubeConfig = new KubeConfig();
kubeConfig.loadFromFile(process.argv[2] ?? '');
const { store, watch } = await connect({
  kubeConfig,
  clock: systemClock,
  random: Math.random,
  warn: () => undefined,
});
const isBusy = setInterval(() => undefined, 1000);
const listener = new Recorder();
const key = { namespace: 'default', name: 'x' };
watch.subscribe(key, null, listener);
const options = () => ({ deadline: performance.now() + 60_000, limitMs: 60_000 });
console.log((await store.read(key, options())).kind);
await until('the watch is live', () => listener.isLive);
console.log('live');
void store.read({ ...key, name: 'never-answered' }, options());
clearInterval(isBusy);
