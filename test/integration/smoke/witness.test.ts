// A stall that is planted: the witness itself is stopped for a while, as all processes of a stalled machine are.
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { WorkerPool } from '../../../tools/harness/processes/pool.js';
import { now } from '../../../tools/harness/processes/time.js';
import { Witness } from '../../../tools/harness/witness.js';
import { rejection } from '../../support/promises.js';

const STOPPED_MS = 300;
const pool = new WorkerPool();
let witness: Witness;
let printed: string[];

beforeAll(async () => {
  printed = [];
  witness = await Witness.ofMachine(pool);
});

afterAll(() => pool.killAll());

it('voids a bound that was exceeded while the machine stalled, and says so', async () => {
  const from = now();
  process.kill(witness.pid, 'SIGSTOP');
  await sleep(STOPPED_MS);
  process.kill(witness.pid, 'SIGCONT');
  const until = from + 2_000;
  const print = jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
    printed.push(String(text));
    return true;
  });
  await witness.boundedBy({ what: 'a hand-off', from, until, limitMs: 1_500 });
  await witness.boundedBy({ what: 'a hand-off', from, until, limitMs: 2_500 });
  // More than any stall here explains.
  const late = { what: 'a takeover', from, until: from + 3_600_000, limitMs: 1_500 };
  expect(await rejection(witness.boundedBy(late))).toMatchObject({
    message: expect.stringMatching(/^a takeover took 3600000 ms, at most 1500 ms expected, and /),
  });
  witness.close();
  print.mockRestore();
  expect(printed).toEqual([
    expect.stringMatching(
      /^bound void: a hand-off took 2000 ms, at most 1500 ms expected; the machine stalled for \d+ ms\n$/,
    ),
    'bounds: 1 held, 1 void: the machine stalled\n',
  ]);
});
