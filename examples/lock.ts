// A job that one process in the whole cluster does at a time. It waits for its turn, stops when the
// lock is lost or the process is asked to end, and exits with a code that tells which it was.
import { setTimeout as sleep } from 'node:timers/promises';
import { LeaseClient, Lock, isSyncError } from '@metaparticle/sync';
import type { Held } from '@metaparticle/sync';

const { PAGES = '3', PAGE_MS = '100', WAIT_MS = '60000' } = process.env;

// `once`: a second signal ends the process at once, as it does by default.
const stop = new AbortController();
for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());

const client = new LeaseClient();
const lock = new Lock('stock-report', { client });

/** The work. It looks at the signal between its steps, and hands the token to what it writes to. */
async function report({ fencingToken, handle }: Held, signal: AbortSignal): Promise<void> {
  for (let page = 1; page <= Number(PAGES); page++) {
    await sleep(Number(PAGE_MS), undefined, { signal });
    // The clock is asked right before what matters: a signal needs a turn of the event loop.
    handle.assertHeld();
    console.log(`page ${page} with token ${fencingToken}`);
  }
}

/** Exit codes for a Job: 0 only when the work is done, or it would count as completed. */
async function main(): Promise<number> {
  try {
    await lock.withLock(
      // Either ends the work: the lock is lost, or the process is to stop.
      (held) => report(held, AbortSignal.any([held.signal, stop.signal])),
      { timeoutMs: Number(WAIT_MS), signal: stop.signal },
    );
    console.log('done');
    return 0;
  } catch (error) {
    if (stop.signal.aborted) {
      console.error('stopped before the end');
      return 143;
    }
    // Somebody else is at it: nothing is wrong, another try may do.
    if (isSyncError(error, 'ERR_ACQUIRE_TIMEOUT')) {
      console.error(error.message);
      return 75;
    }
    console.error(error);
    return 1;
  } finally {
    await client.close();
  }
}

process.exitCode = await main();
