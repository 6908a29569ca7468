// A service with one leader among its replicas. All of them answer HTTP; the leader settles batches.
// On SIGTERM the leader ends its batch, hands over, and the process exits.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Election, LeaseClient } from '@metaparticle/sync';
import type { Leading } from '@metaparticle/sync';

const { PORT = '8080', BATCH_MS = '200', DRAIN_MS = '20000', GRACE_MS = '5000' } = process.env;

// `once`: a second signal ends the process at once, as it does by default.
const stop = new AbortController();
for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());

const client = new LeaseClient();
const election = new Election('payments', {
  client,
  // Less than the pod's terminationGracePeriodSeconds, with room for the release: 5 s at most.
  drainTimeoutMs: Number(DRAIN_MS),
  onStartedLeading: (leading) => lead(leading),
  onStoppedLeading: (reason) => console.log(`stopped: ${reason}`),
  onNewLeader: (identity) => console.log(`leader: ${identity ?? 'nobody'}`),
});

/** One term. `signal` asks to come to an end, `lostSignal` tells to drop everything. */
async function lead({ signal, lostSignal, fencingToken }: Leading): Promise<void> {
  // Work that goes on when its authority is gone is worse than a restart.
  let timer: NodeJS.Timeout | undefined;
  const watch = (): void => {
    timer = setTimeout(() => giveUp('the work goes on without authority'), Number(GRACE_MS));
  };
  lostSignal.addEventListener('abort', watch, { once: true });
  try {
    while (!signal.aborted) await settleBatch(lostSignal, fencingToken);
  } finally {
    lostSignal.removeEventListener('abort', watch);
    clearTimeout(timer);
  }
}

/** A batch that was begun is settled to its end, unless the leadership is lost. */
async function settleBatch(lostSignal: AbortSignal, fencingToken: bigint): Promise<void> {
  console.log(`batch with token ${fencingToken}`);
  await sleep(Number(BATCH_MS), undefined, { signal: lostSignal });
  console.log('settled');
}

function giveUp(why: string): never {
  console.error(`exits: ${why}`);
  process.exit(70);
}

const server = createServer((request, response) => {
  const send = (status: number, body: object): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  // Followers are as alive and as ready as the leader: neither probe asks for leadership.
  if (request.url === '/healthz') send(200, { ok: true });
  else if (request.url === '/readyz') send(stop.signal.aborted ? 503 : 200, {});
  else if (request.url === '/leader') {
    // A bigint is no JSON: as a string.
    const token = election.fencingToken?.toString() ?? null;
    const { leader } = election;
    send(200, { leader, isLeader: election.isLeader(), fencingToken: token });
  } else send(404, {});
});
server.once('error', (error) => giveUp(error.message));
server.listen(Number(PORT), () => {
  console.log(`listening on ${(server.address() as AddressInfo).port}`);
});

try {
  // Ends when the signal aborts; campaigns again after a lost term.
  await election.run({ signal: stop.signal });
} catch (error) {
  // A batch failed, or the cluster refuses us for good: let Kubernetes start the pod again, with its
  // growing pauses, and let another one lead meanwhile.
  console.error(error);
  process.exitCode = 1;
}
server.close();
server.closeAllConnections();
await client.close();
// What is still running now was to have ended: a batch, a connection of some library.
setTimeout(() => giveUp('something is still running'), Number(GRACE_MS)).unref();
