import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeEachCluster } from '../../support/each-cluster.js';
import { WorkerPool } from '../../../tools/harness/processes/pool.js';
import type { Worker } from '../../../tools/harness/processes/pool.js';
import { isFull, print } from '../../../tools/harness/processes/figures.js';
import type { SectionCalls, Work } from '../../../tools/harness/processes/section.js';
import { now } from '../../../tools/harness/processes/time.js';

const [PROCESSES, ROUNDS] = isFull ? [10, 50] : [4, 15];
const LIMIT_MS = 300_000;

interface Outcome {
  /** The number in the file. */
  readonly count: number;
  /** In the order of the sections. */
  readonly tokens: readonly bigint[];
}

describeEachCluster('Contention', (getCluster) => {
  const pool = new WorkerPool();
  let workers: Worker<SectionCalls>[] = [];
  let folder = '';

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'contention-'));
    const starts = Array.from({ length: PROCESSES }, () =>
      pool.spawn<SectionCalls>('section', getCluster()),
    );
    workers = await Promise.all(starts);
    await run('warm-up', 1);
  }, 300_000);

  afterAll(async () => {
    await pool.killAll();
    await rm(folder, { recursive: true, force: true });
  });

  /** All processes at once, on a number of their own that begins with 0; resolves with its end. */
  async function run(lock: string | null, rounds: number): Promise<Outcome> {
    const [counter, log] = [join(folder, `counter-${lock}`), join(folder, `log-${lock}`)];
    await Promise.all([writeFile(counter, '0'), writeFile(log, '')]);
    const work: Work = { lock, rounds, counter, log };
    await Promise.all(workers.map((worker) => worker.call('run', work, LIMIT_MS)));
    const tokens = (await readFile(log, 'utf8')).split('\n').filter((line) => line !== '');
    return { count: Number(await readFile(counter, 'utf8')), tokens: tokens.map(BigInt) };
  }

  it(
    `${PROCESSES} processes × ${ROUNDS} sections: no update is lost, tokens strictly increase`,
    async () => {
      const startedAt = now();
      const { count, tokens } = await run('counter', ROUNDS);
      const seconds = (now() - startedAt) / 1000;
      const perSecond = `${(count / seconds).toFixed(0)} sections/s`;
      print(
        'contention',
        getCluster(),
        `${PROCESSES} × ${ROUNDS} in ${seconds.toFixed(1)} s, ${perSecond}`,
      );
      expect(count).toBe(PROCESSES * ROUNDS);
      expect(tokens).toHaveLength(PROCESSES * ROUNDS);
      const notGreater = tokens.filter((token, n) => n > 0 && token <= (tokens[n - 1] ?? 0n));
      expect(notGreater).toEqual([]);
    },
    LIMIT_MS,
  );

  it('the same work without the lock does lose updates', async () => {
    const { count } = await run(null, ROUNDS);
    expect(count).toBeLessThan(PROCESSES * ROUNDS);
  });
});
