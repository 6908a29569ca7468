import { startControlPlane } from '/work/main/test/integration/control-plane.ts';
import { openReal } from '/work/main/test/integration/open.ts';
for (const args of [[], ['--feature-gates=APIServerIdentity=false']]) {
const cp: any = await startControlPlane({ apiserverArgs: args });
try {
console.log(cp.kind, cp.version, args);
const c = await openReal(cp);
for (let i = 0; i < 3; i++) {
  const r = await c.request('GET', '/metrics');
  const t = (r.body as any).text as string;
  console.log(t.split('\n').filter(l => l.startsWith('apiserver_request_total') && l.includes('"leases"')).join('\n'), '\n', t.split('\n').filter(l => l.startsWith('apiserver_longrunning') && l.includes('"leases"')).join('\n'));
  await new Promise(r => setTimeout(r, 11000));
}
await c.close();
} finally { await cp.stop(); }
}
