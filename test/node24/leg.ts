// The newest Node.js and client-node 2.x with our library: takes a lock through a KubeConfig of 2.x, lets
// it go, takes it again by a client of its own. Prints what it saw; the test compares.
import { KubeConfig } from '@kubernetes/client-node';
import { LeaseClient, Lock } from '@metaparticle/sync';

const kubeConfig = new KubeConfig();
kubeConfig.loadFromDefault();

const client = new LeaseClient({ kubeConfig });
const lock = new Lock('second-leg', { client });
const first = await lock.acquire({ timeoutMs: 10_000 });
const second = new Lock('second-leg', { client: new LeaseClient({ kubeConfig }) });
const whileHeld = await second.tryAcquire();
const waiting = second.acquire({ timeoutMs: 10_000 });
const released = await first.release();
const next = await waiting;

console.log(
  JSON.stringify({
    node: process.version,
    whileHeld,
    released,
    grew: next.fencingToken > first.fencingToken,
    held: next.isHeld(),
    again: await next.release(),
  }),
);
await client.close();
