// A gateway that sends writes to the leader of a service, without taking part in its election. The
// leader's identity must lead to it: here it is a pod of a StatefulSet, found by its headless service.
// Pods of a Deployment have no such names: give their election `identity: POD_IP`.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Election, LeaseClient } from '@metaparticle/sync';
import type { Leader } from '@metaparticle/sync';

const { PORT = '8081', LEADER_URL = 'http://{identity}.payments:8080' } = process.env;

const stop = new AbortController();
for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());

const client = new LeaseClient();
// Never run, so it never leads.
const election = new Election('payments', { client, onStartedLeading: () => undefined });

let leader: Leader | null = null;

const server = createServer((request, response) => {
  if (leader === null) {
    // Hand-overs take milliseconds, take-overs from the dead a lease duration.
    response.writeHead(503, { 'retry-after': '1' }).end('there is no leader now\n');
    return;
  }
  // 307 keeps method and body. What is known here may be old, so that the leader must look for
  // itself: it answers 421 (Misdirected Request) unless its `election.isLeader()` is true.
  const base = LEADER_URL.replace('{identity}', encodeURIComponent(leader.identity));
  response.writeHead(307, { location: `${base}${request.url ?? '/'}` }).end();
});
server.once('error', (error) => {
  console.error(`exits: ${error.message}`);
  process.exit(70);
});
server.listen(Number(PORT), () => {
  console.log(`listening on ${(server.address() as AddressInfo).port}`);
});

try {
  // The current state first, then the newest whenever it changed. Ends when the signal aborts.
  for await (leader of election.observe({ signal: stop.signal })) {
    const { identity, fencingToken } = leader ?? {};
    // No token: the leader uses another library, such as client-go.
    console.log(`leader: ${identity ?? 'nobody'}, token ${fencingToken ?? 'none'}`);
  }
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
server.close();
server.closeAllConnections();
await client.close();
