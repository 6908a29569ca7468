// The examples that are programs: what they print, how they end, and what they leave behind.
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { until } from '../support/promises.js';
import { ExampleServer, portOf } from './example-server.js';

jest.setTimeout(60_000);

let server: ExampleServer;

beforeAll(async () => {
  server = await ExampleServer.open();
});

afterEach(() => server.clear());

afterAll(() => server[Symbol.asyncDispose]());

/** A lease that another process has just taken. */
function occupy(name: string, holderIdentity: string): void {
  const now = new Date().toISOString().replace('Z', '000Z');
  const times = { acquireTime: now, renewTime: now };
  const spec = { holderIdentity, leaseDurationSeconds: 15, leaseTransitions: 1, ...times };
  if (server.api.leases.get('default', name) === undefined) {
    server.api.leases.create({ metadata: { name }, spec });
  } else {
    server.api.leases.edit('default', name, (lease) => Object.assign(lease.spec, spec));
  }
}

// These share one lock: one after the other.
describe('lock.ts', () => {
  it('does the job in two processes one after the other, with a greater token', async () => {
    const exits = await Promise.all([
      server.run('lock.ts', { PAGE_MS: '20' }).exited,
      server.run('lock.ts', { PAGE_MS: '20' }).exited,
    ]);
    expect(exits.map(({ code, stderr }) => [code, stderr])).toEqual([
      [0, ''],
      [0, ''],
    ]);
    const tokens = exits.map(({ stdout }) => new Set(stdout.match(/token \d+/g)));
    expect(tokens.map(({ size }) => size)).toEqual([1, 1]);
    expect(new Set(tokens.flatMap((own) => [...own])).size).toBe(2);
    expect(server.holder('stock-report')).toBe('');
  });

  it('stops in the middle on SIGTERM, releases, and does not count as completed', async () => {
    const child = server.run('lock.ts', { PAGES: '1000', PAGE_MS: '20' });
    await child.said('page 1');
    const { code, stdout, stderr } = await child.stop();
    expect([code, stderr.trim()]).toEqual([143, 'stopped before the end']);
    expect(stdout).not.toContain('done');
    expect(server.holder('stock-report')).toBe('');
  });

  it('fails when the lock is lost in the middle, and says so', async () => {
    const child = server.run('lock.ts', { PAGES: '1000', PAGE_MS: '20' });
    await child.said('page 1');
    occupy('stock-report', 'operator');
    const { code, stderr } = await child.exited;
    expect([code, stderr]).toEqual([1, expect.stringContaining('ERR_LOCK_LOST')]);
    expect(server.holder('stock-report')).toBe('operator');
  });

  it('gives up when its turn does not come, with a code for another try', async () => {
    occupy('stock-report', 'operator');
    const { code, stderr, stdout } = await server.run('lock.ts', { WAIT_MS: '500' }).exited;
    expect([code, stdout]).toEqual([75, '']);
    expect(stderr).toContain('lock default/stock-report not acquired within');
  });

  it('ends at once when it is stopped while it waits', async () => {
    const looks = (): number => server.api.requests.count({ verb: 'get', name: 'stock-report' });
    const before = looks();
    const child = server.run('lock.ts');
    await until('a waiter', () => looks() > before, 40_000);
    const { code, stdout } = await child.stop();
    expect([code, stdout, server.holder('stock-report')]).toEqual([143, '', 'operator']);
  });
});

async function ask(port: number, path: string): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { redirect: 'manual' });
  return [response.status, await response.text()];
}

describe('election.ts', () => {
  it('leads in one process; on SIGTERM it ends its batch and hands over', async () => {
    const a = server.run('election.ts', { POD_NAME: 'a', BATCH_MS: '300' });
    await a.said('batch with token');
    const b = server.run('election.ts', { POD_NAME: 'b', BATCH_MS: '300' });
    await b.said('leader: a');
    const tokenOf = (text: string): string => /token (\d+)/.exec(text)?.[1] ?? '';
    const tokenOfA = tokenOf(a.stdout);
    const told = { leader: 'a', isLeader: true, fencingToken: tokenOfA };
    const [portOfA, portOfB] = [await portOf(a), await portOf(b)];
    expect(await ask(portOfA, '/leader')).toEqual([200, JSON.stringify(told)]);
    const follower = { leader: 'a', isLeader: false, fencingToken: null };
    expect(await ask(portOfB, '/leader')).toEqual([200, JSON.stringify(follower)]);
    for (const path of ['/healthz', '/readyz']) {
      expect(await ask(portOfB, path)).toEqual([200, expect.anything()]);
    }
    const ended = await a.stop();
    expect([ended.code, ended.stderr]).toEqual([0, '']);
    expect(ended.stdout.match(/batch/g)).toHaveLength(ended.stdout.match(/settled/g)?.length ?? 0);
    expect(ended.stdout).toContain('stopped: aborted');
    await b.said('batch with token');
    expect(BigInt(tokenOf(b.stdout))).toBeGreaterThan(BigInt(tokenOfA));
    expect((await b.stop()).code).toBe(0);
    expect(server.holder('payments')).toBe('');
  });

  it('drops a batch that takes too long to end, and lets the lease run out', async () => {
    const child = server.run('election.ts', {
      POD_NAME: 'slow',
      BATCH_MS: '60000',
      DRAIN_MS: '200',
    });
    await child.said('batch with token');
    const { code, stdout } = await child.stop();
    expect([code, stdout]).toEqual([0, expect.stringContaining('stopped: aborted')]);
    expect(stdout).not.toContain('settled');
    expect(server.holder('payments')).toBe('slow');
    server.api.leases.delete('default', 'payments');
  });

  it('ends a process whose work goes on without authority', async () => {
    // The same example with a batch that does not listen.
    const env = { POD_NAME: 'deaf', BATCH_MS: '60000', GRACE_MS: '200' };
    const child = await server.runChanged('election.ts', '{ signal: lostSignal }', '{}', env);
    await child.said('batch with token');
    server.api.leases.delete('default', 'payments');
    const { code, stdout, stderr } = await child.exited;
    expect([code, stdout]).toEqual([70, expect.stringContaining('stopped: lost')]);
    expect(stderr).toContain('the work goes on without authority');
  });

  it('fails with the rule that is missing', async () => {
    const refusal = server.api.faults.forbid({ verb: 'update' });
    const { code, stderr } = await server.run('election.ts').exited;
    refusal.remove();
    expect([code, stderr]).toEqual([1, expect.stringContaining('ForbiddenError')]);
    expect(stderr).toContain('update');
  });
});

describe('observe.ts', () => {
  it('sends writes to the leader, and elsewhere as soon as that changes', async () => {
    const child = server.run('observe.ts', { LEADER_URL: 'http://{identity}.test' });
    const port = await portOf(child);
    await child.said('leader: nobody');
    expect(await ask(port, '/pay')).toEqual([503, 'there is no leader now\n']);
    for (const identity of ['pod-1', 'pod-2']) {
      occupy('payments', identity);
      await child.said(`leader: ${identity}, token none`);
      const response = await fetch(`http://127.0.0.1:${port}/pay?a=b`, {
        ...{ method: 'POST', body: 'x', redirect: 'manual' as const },
      });
      expect(response.status).toBe(307);
      expect(response.headers.get('location')).toBe(`http://${identity}.test/pay?a=b`);
    }
    const { code, stderr } = await child.stop();
    expect([code, stderr, server.holder('payments')]).toEqual([0, '', 'pod-2']);
  });
});
