import { KubeConfig } from '@kubernetes/client-node';
import https from 'node:https';
import { spawnSync, execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { readFileSync, writeFileSync } from 'node:fs';
import { startControlPlane } from '../../integration/control-plane.js';
import { systemClock } from '../../../src/lease/clock.js';
import { connect } from '../../../src/lease/kube/connect.js';
import { encodeReplacement, decodeLease } from '../../../src/lease/kube/wire.js';
import { Recorder } from './listener.js';
import { until } from './until.js';
import { ConnectProxy } from './connect-proxy.js';

const alive = setInterval(() => {}, 1000);
import { spawn } from 'node:child_process';
const child = spawn(process.execPath, ['/tmp/scratch/server.mjs', '/tmp/scratch/tls'], { stdio: ['ignore', 'pipe', 'inherit'] });
const port = await new Promise((r) => child.stdout.once('data', (d) => r(Number(d))));
writeFileSync('/tmp/scratch/kcfile', JSON.stringify({ clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:' + port, 'certificate-authority': '/tmp/scratch/tls/apiserver.crt' } }], users: [{ name: 'u', user: { token: 'abcdefgh' } }], contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }], 'current-context': 'x' }));
const plane: any = { server: 'https://127.0.0.1:' + port, kubeConfigFile: '/tmp/scratch/kcfile', stop: () => child.kill() };
try {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(plane.kubeConfigFile);
  const { store, watch, close } = await connect({ kubeConfig, clock: systemClock, warn: console.log });
  const o = () => ({ deadline: performance.now() + 10000, limitMs: 5000 });
  const key = { namespace: 'default', name: 'a' };
  const deco = { labels: {}, annotations: {}, ownerReferences: [] };
  const rec = (n: number) => ({ holder: 'h' + n, durationMs: 15000, acquireTime: 1e12, renewTime: 1.7e12 + n * 1000, transitions: n });
  // bench
  const key2 = { namespace: 'default', name: 'bench' };
  let lease: any = ((await store.create(key2, { record: rec(0), mark: null }, deco, o())) as any).lease;
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
  const { Session } = await import('node:inspector/promises'); const session = new Session(); session.connect();
  const ours = async () => { const w: any = await store.write(lease, { record: { ...rec(++n) }, mark: { nonce: 'n', token: 5n } }, deco, o()); lease = w.lease; };
  const rawf = async () => { const b = { ...lease.raw, spec: { ...lease.raw.spec, renewTime: new Date(1.7e12 + ++n * 1000).toISOString().replace('Z', '000Z') } }; const x = await raw(b); lease = { ...lease, raw: x, version: BigInt(x.metadata.resourceVersion) }; };
  const cpu: any = { raw: 0, ours: 0 }; const N = 25;
  for (let r = 0; r < 90; r++) for (const [name, f] of (r % 2 ? [['raw', rawf], ['ours', ours]] : [['ours', ours], ['raw', rawf]]) as any) {
    const c0 = process.cpuUsage(); for (let i = 0; i < N; i++) await f(); const c = process.cpuUsage(c0);
    if (r >= 30) { cpu[name] += c.user + c.system; cpu[name + 'u'] = (cpu[name + 'u'] ?? 0) + c.user; }
  }
  console.log('user', (cpu.rawu/60/N).toFixed(0), (cpu.oursu/60/N).toFixed(0), 'raw', (cpu.raw / 60 / N).toFixed(0), 'ours', (cpu.ours / 60 / N).toFixed(0), 'ratio', (cpu.ours / cpu.raw).toFixed(2));

  for (let i = 0; i < 3; i++) { await measure('raw', rawf); await measure('ours', ours); }

  await session.post('Profiler.enable'); await session.post('Profiler.setSamplingInterval', { interval: 50 });
  for (const [name, f] of [['raw', rawf], ['ours', ours]] as const) {
    await session.post('Profiler.start'); for (let i = 0; i < 4000; i++) await f(); const { profile } = await session.post('Profiler.stop'); writeFileSync('/tmp/scratch/' + name + '.cpuprofile', JSON.stringify(profile));
  }
  agent.destroy();
  close();
} finally { await plane.stop(); clearInterval(alive); }
