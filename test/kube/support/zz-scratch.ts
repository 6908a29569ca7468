import { KubeConfig } from '@kubernetes/client-node';
import https from 'node:https';
import { spawnSync, execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { readFileSync, writeFileSync } from 'node:fs';
import { startControlPlane } from '../../integration/control-plane.js';
import { systemClock } from '../../../src/lease/clock.js';
import { connect } from '../../../src/lease/kube/connect.js';
import { Recorder } from './listener.js';
import { until } from './until.js';
import { ConnectProxy } from './connect-proxy.js';

const alive = setInterval(() => {}, 1000);
const plane: any = await startControlPlane();
try {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(plane.kubeConfigFile);
  const { store, watch, close } = await connect({ kubeConfig, clock: systemClock, warn: console.log });
  const o = () => ({ deadline: performance.now() + 10000, limitMs: 5000 });
  const key = { namespace: 'default', name: 'a' };
  const deco = { labels: {}, annotations: {}, ownerReferences: [] };
  const rec = (n: number) => ({ holder: 'h' + n, durationMs: 15000, acquireTime: 1e12, renewTime: 1.7e12 + n * 1000, transitions: n });
  // watch
  const l = new Recorder();
  const sub = watch.subscribe(key, null, l);
  await until('live', () => l.isLive);
  const made: any = await store.create(key, { record: rec(0), mark: null }, deco, o());
  let lease = made.lease;
  const lat: number[] = [], ev: number[] = [];
  for (let i = 1; i <= 50; i++) {
    const t = performance.now();
    const w: any = await store.write(lease, { record: rec(i), mark: { nonce: 'n', token: lease.version } }, deco, o());
    lat.push(performance.now() - t);
    lease = w.lease;
    await until('ev', () => l.has('h' + i));
  }
  await store.delete(lease, o());
  await until('absent', () => l.has('absent'));
  console.log('watch words', l.words.length, l.words.slice(-2), l.gaps);
  // old version
  const l2 = new Recorder();
  watch.subscribe({ namespace: 'default', name: 'b' }, 1n, l2);
  await until('gap', () => l2.gaps > 0);
  console.log('old rv', l2.words);
  // many names
  const many = Array.from({ length: 100 }, () => new Recorder());
  many.forEach((m, i) => watch.subscribe({ namespace: 'default', name: 'm' + i }, null, m));
  await until('all live', () => many.every((m) => m.isLive));
  await Promise.all(many.map((_, i) => store.create({ namespace: 'default', name: 'm' + i }, { record: rec(i), mark: null }, deco, o())));
  await until('all heard', () => many.every((m, i) => m.has('h' + i)));
  console.log('many ok', many[50]!.words, many[0]!.words);
  // bench
  const key2 = { namespace: 'default', name: 'bench' };
  lease = ((await store.create(key2, { record: rec(0), mark: null }, deco, o())) as any).lease;
  const opts: any = {}; await kubeConfig.applyToHTTPSOptions(opts);
  const agent = new https.Agent({ keepAlive: true });
  const raw = (body: any): Promise<any> => new Promise((res, rej) => {
    const u = new URL(plane.server);
    const r = https.request({ ...opts, agent, hostname: u.hostname, port: u.port, method: 'PUT', path: '/apis/coordination.k8s.io/v1/namespaces/default/leases/bench', headers: { ...opts.headers, 'content-type': 'application/json' } }, (resp) => {
      const c: any[] = []; resp.on('data', (d) => c.push(d)); resp.on('end', () => res(JSON.parse(Buffer.concat(c).toString())));
    }); r.on('error', rej); r.end(JSON.stringify(body));
  });
  let n = 0;
  const measure = async (name: string, f: () => Promise<void>) => {
    const c0 = process.cpuUsage(), t0 = performance.now(); const ls: number[] = [];
    for (let i = 0; i < 400; i++) { const t = performance.now(); await f(); ls.push(performance.now() - t); }
    const c = process.cpuUsage(c0); ls.sort((a, b) => a - b);
    console.log(name, 'p50', ls[200]!.toFixed(2), 'cpu us/req', ((c.user + c.system) / 400).toFixed(0));
  };
  for (let r = 0; r < 3; r++) {
    await measure('raw', async () => { const b = structuredClone(lease.raw); b.spec.renewTime = new Date(1.7e12 + ++n * 1000).toISOString().replace('Z', '000Z'); const x = await raw(b); lease = { ...lease, raw: x, version: BigInt(x.metadata.resourceVersion) }; });
    await measure('ours', async () => { const w: any = await store.write(lease, { record: { ...rec(++n) }, mark: { nonce: 'n', token: 5n } }, deco, o()); lease = w.lease; });
  }
  agent.destroy();
  // exit over TLS, direct and proxied
  const proxy = await ConnectProxy.start();
  const kc = JSON.parse(readFileSync(plane.kubeConfigFile, 'utf8'));
  kc.clusters[0].cluster['proxy-url'] = proxy.url;
  writeFileSync('/tmp/scratch/kc', JSON.stringify(kc));
  for (const f of [plane.kubeConfigFile, '/tmp/scratch/kc']) {
    const t = performance.now();
    const r = await promisify(execFile)(process.execPath, ['--import', './test/integration/loader.js', 'test/kube/support/idle.ts', f], { timeout: 20000 }).catch((e) => e);
    console.log('exit', (performance.now() - t).toFixed(0), JSON.stringify(r.stdout), r.killed, proxy.targets);
  }
  close(); await proxy.close();
} finally { await plane.stop(); clearInterval(alive); }
