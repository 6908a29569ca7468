// A process that adds to a number in a file, as often as it is told to: it reads, thinks, and writes. Nothing
// but the lock keeps two of them from reading the same number.
import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Lock } from '@metaparticle/sync';
import { now, timings } from '../messages.js';
import { connect, fail, obey, settings, tell } from './child.js';

const THINKING_MS = 5;
const LONGEST_WAIT_MS = 30_000;

const client = await connect();
const lock = new Lock(settings.lease, { client, ...timings });

async function addOne(token: bigint | null): Promise<void> {
  const count = Number(await readFile(settings.counterFile, 'utf8'));
  await sleep(THINKING_MS);
  await writeFile(settings.counterFile, String(count + 1));
  tell({ type: 'added', at: now(), token });
}

async function work(rounds: number, isLocked: boolean): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    if (!isLocked) await addOne(null);
    else {
      await lock.withLock(({ fencingToken }) => addOne(fencingToken), {
        timeoutMs: LONGEST_WAIT_MS,
      });
    }
  }
  tell({ type: 'done', at: now() });
}

// Connected before the race begins; who gets the lock here does not matter.
await (await lock.tryAcquire())?.release();

obey((command) => {
  if (command.type === 'work') work(command.rounds, command.isLocked).catch(fail);
  if (command.type === 'stop') void client.close().then(() => process.disconnect());
});
