// The demo interrupted, with a planted fault, and on clusters that are named for it.
import { describe, expect, it } from '@jest/globals';
import { EXPECTED, LIMIT_MS, demo, expectTable, tableOf } from '../demo-process.js';
import { testOnCluster } from '../test-bed.js';

const LATE_WRITE = 'pause: its late write';

describe('npm start', () => {
  it(
    'shows with a store that ignores tokens what they are for, and fails',
    async () => {
      const met = EXPECTED.map((what) => [what, what !== LATE_WRITE] as const);
      const { stdout } = await expectTable(demo('--unguarded'), met);
      expect(stdout).toMatch(/\d of 11 expectations were NOT met/);
    },
    LIMIT_MS,
  );

  it.each([
    ['Ctrl-C, a paused one too', 'SIGINT', 'PAUSED', '2', 130],
    // One that does not listen yet is ended by the signal itself.
    ['SIGTERM, as it starts', 'SIGTERM', 'starts', '[0-3]', 143],
  ] as const)(
    'ends all its processes on %s',
    async (_, signal, moment, left, code) => {
      const { child, group, exited } = await demo();
      await child.said(moment);
      // To all of them, as a terminal does it.
      process.kill(-group, signal);
      const exit = await exited;
      expect(exit.stdout).toMatch(
        new RegExp(`interrupted \\(${signal}\\): ending ${left} process`, 'u'),
      );
      expect(exit).toMatchObject({ code, stderr: '' });
    },
    LIMIT_MS,
  );

  it(
    'ends all its processes when one of them fails, and says so',
    async () => {
      const { child, exited } = await demo();
      await child.said('waits: it sees');
      process.kill(child.findPid(/processes (\d+),/), 'SIGKILL');
      const { code, stdout } = await exited;
      expect(stdout).toContain('The demo cannot go on: pod-a ended by itself (SIGKILL)');
      const table = tableOf(stdout);
      expect(table.get('the demo gets to its end')).toBe(false);
      expect(table.get('afterwards: processes left behind')).toBe(true);
      expect(code).toBe(1);
    },
    LIMIT_MS,
  );
});

testOnCluster(
  'The demo meets every expectation on a cluster that was named for it, and leaves nothing there',
  LIMIT_MS,
  async ({ cluster }) => {
    const { name: namespace, leases } = await cluster.newNamespace();
    const context = cluster.kubeConfig.getCurrentContext();
    const where = ['--kubeconfig', cluster.kubeConfigFile, '--context', context];
    const expected = [...EXPECTED, 'afterwards: Leases left behind'];
    const met = expected.map((what) => [what, true] as const);
    const { stdout } = await expectTable(demo(...where, '--namespace', namespace), met);
    expect(stdout).toContain(`${cluster.server}, context ${context}, namespace ${namespace}`);
    for (const path of [leases, cluster.leases]) {
      expect((await cluster.request('GET', path)).body.items).toEqual([]);
    }
  },
  { puts: false },
);
