// A process with critical sections: each adds one to a number in a file, by reading and writing it.
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { LeaseClient, Lock } from '../../../src/index.js';
import { serve } from './serve.js';

export interface Work {
  /** `null`: without a lock, to see that updates are then lost. */
  readonly lock: string | null;
  readonly rounds: number;
  /** File with the number. */
  readonly counter: string;
  /** File to which each section appends its token. */
  readonly log: string;
}

export type SectionCalls = typeof calls;

const LONGEST_WAIT_MS = 60_000;

const client = new LeaseClient();

const calls = {
  run: async ({ lock, rounds, counter, log }: Work): Promise<void> => {
    for (let round = 0; round < rounds; round++) {
      if (lock === null) {
        await addOne(counter);
        continue;
      }
      await new Lock(lock, { client }).withLock(
        async ({ fencingToken }) => {
          await addOne(counter);
          await appendFile(log, `${fencingToken}\n`);
        },
        { timeoutMs: LONGEST_WAIT_MS },
      );
    }
  },
};

serve(calls);

async function addOne(file: string): Promise<void> {
  const count = Number(await readFile(file, 'utf8'));
  await sleep(1);
  await writeFile(file, String(count + 1));
}
