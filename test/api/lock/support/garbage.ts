// A process that loses handles and iterators, and collects its garbage. Prints what came of it, as JSON. On virtual time.
import { Election, LeaseClient, Lock } from '@metaparticle/sync';
import type { Leader, LockHandle } from '@metaparticle/sync';
import { startLeaseServer } from '@metaparticle/sync/testing';

/** What became of it all. */
export interface Garbage {
  /** Code and message of each warning, by the name of the lock that it is about. */
  readonly warnings: Readonly<Record<string, readonly string[]>>;
  /** Locks that are held a minute after the garbage was collected. */
  readonly held: readonly string[];
  /** What the signals that were kept told of a loss. */
  readonly losses: readonly string[];
  /** Requests within a minute for the observed leases, by name. */
  readonly looks: Readonly<Record<string, number>>;
}

const { gc } = globalThis;
if (gc === undefined) throw new Error('run it with --expose-gc');

const api = await startLeaseServer({ clock: 'manual' });
const warnings: Record<string, string[]> = {};
const client = new LeaseClient({
  kubeConfig: api.kubeConfig,
  onWarning: ({ code, message }) => {
    const [, name = ''] = /lock default\/([\w-]+):/.exec(message) ?? [];
    (warnings[name] ??= []).push(`${code} ${message}`);
  },
});
const lock = (name: string): Lock => new Lock(name, { client });
const election = (name: string): Election =>
  new Election(name, { client, onStartedLeading: () => undefined });
const kept: unknown[] = [];
const losses: string[] = [];

async function forgetHandle(): Promise<void> {
  await lock('forgotten').acquire();
}

async function forgetTry(): Promise<void> {
  await lock('forgotten-try').tryAcquire();
}

async function keepToken(): Promise<void> {
  const { fencingToken } = await lock('token-kept').acquire();
  kept.push(fencingToken);
}

async function keepHandle(): Promise<void> {
  kept.push(await lock('handle-kept').acquire());
}

async function keepSignal(): Promise<void> {
  const { signal } = await lock('signal-kept').acquire();
  kept.push(signal);
}

async function listen(): Promise<void> {
  const handle = await lock('listened-to').acquire();
  handle.signal.addEventListener('abort', () => losses.push('listened-to'));
}

async function release(): Promise<void> {
  await using handle = await lock('released').acquire();
  kept.push(handle.fencingToken);
}

async function lose(): Promise<void> {
  const lost: LockHandle = await lock('lost').acquire();
  api.leases.delete('default', 'lost');
  await api.advance(0);
  losses.push(...(lost.isHeld() ? [] : ['lost']));
}

async function abandonIterator(name: string): Promise<void> {
  await election(name).observe().next();
}

async function keepIterator(name: string): Promise<void> {
  const iterator: AsyncGenerator<Leader | null> = election(name).observe();
  await iterator.next();
  kept.push(iterator);
}

async function loop(name: string): Promise<void> {
  for await (const leader of election(name).observe()) {
    losses.push(`${name}: ${leader?.identity ?? 'none'}`);
  }
}

async function collectGarbage(): Promise<void> {
  for (let round = 0; round < 10; round++) {
    await new Promise((resolve) => setImmediate(resolve));
    gc?.();
    await api.advance(0);
  }
}

await forgetHandle();
await forgetTry();
await keepToken();
await keepHandle();
await keepSignal();
await listen();
await release();
await lose();
await lock('with-lock').withLock(() => undefined);
const running = lock('running').withLock(() => api.sleep(3_600_000));
running.catch(() => undefined);
await abandonIterator('abandoned');
await keepIterator('iterator-kept');
loop('looped').catch(() => undefined);
election('not-begun').observe();
await collectGarbage();
// Beyond the time for which a watch is kept after its last use.
await api.advance(60_000);
api.requests.reset();
await api.advance(60_000);
const held = api.leases
  .list('default')
  .filter(({ spec }) => (spec.holderIdentity ?? '') !== '')
  .map(({ metadata }) => metadata.name);
const looks: Record<string, number> = {};
for (const name of ['abandoned', 'iterator-kept', 'looped', 'not-begun']) {
  looks[name] = api.requests.count({ name });
}
api.leases.delete('default', 'listened-to');
await api.advance(0);
process.stdout.write(JSON.stringify({ warnings, held, losses, looks } satisfies Garbage));
process.exit(kept.length > 0 ? 0 : 1);
