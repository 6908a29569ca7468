// `status --watch` on virtual time: it goes on whatever the API server does, and does not flood it.
import { describe, expect, it } from '@jest/globals';
import { statusOn } from '../../../src/cli/status.js';
import { Terminal } from '../../../src/cli/terminal.js';
import { Cluster } from '../../support/cluster.js';

interface Watching {
  readonly stdout: string;
  readonly stderr: string;
  readonly states: readonly string[];
  /** @returns the exit code */
  end(): Promise<number>;
}

function begin({ api }: Cluster, name?: string): Watching {
  const said = { stdout: '', stderr: '' };
  const out = (to: keyof typeof said) => ({ write: (text: string) => (said[to] += text) });
  const terminal = new Terminal(out('stdout'), out('stderr'));
  const interrupt = new AbortController();
  const where = { kubeConfig: api.kubeConfig, namespace: 'default' };
  const options = { watch: true, output: 'json' } as const;
  const code = statusOn(where, name, options, terminal, interrupt.signal);
  return {
    get stdout() {
      return said.stdout;
    },
    get stderr() {
      return said.stderr;
    },
    get states() {
      const lines = said.stdout.split('\n').filter((line) => line !== '');
      return lines
        .map((line) => JSON.parse(line) as { readonly name: string; readonly state: string })
        .map((one) => `${one.name} ${one.state}`);
    },
    end() {
      interrupt.abort();
      return code;
    },
  };
}

describe.each([
  ['a namespace', undefined],
  ['one lease', 'job'],
])('status --watch of %s', (_, name) => {
  it('prints each change once, renewals left out, until it is interrupted', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('job', { leaseDurationSeconds: 60 });
    const watching = begin(cluster, name);
    await cluster.advance(100);
    cluster.vacate('job');
    await cluster.advance(100);
    const held = await cluster.lock('job').acquire();
    await cluster.advance(3_000);
    await held.release();
    await cluster.advance(100);
    cluster.api.leases.delete('default', 'job');
    await cluster.advance(100);
    const states = ['job held', 'job vacant', 'job held', 'job vacant', 'job deleted'];
    expect(watching.states).toEqual(states);
    expect(await watching.end()).toBe(0);
    expect(watching.stderr).toBe('');
  });

  it('goes on, with pauses, while watches end at once and lists fail', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('job', { leaseDurationSeconds: 60 });
    const watching = begin(cluster, name);
    await cluster.advance(100);
    const failing = cluster.api.faults.status({
      code: 503,
      match: { verb: ['list', 'get', 'watch'] },
    });
    cluster.api.faults.closeWatches();
    await cluster.advance(10_000);
    expect(watching.stderr.match(/warning: .*503/g)).toHaveLength(1);
    expect(failing.hits).toBeLessThan(20);
    failing.remove();
    const counted = cluster.api.faults.delay({});
    for (let n = 0; n < 200; n++) {
      await cluster.advance(50);
      cluster.api.faults.closeWatches();
    }
    expect(counted.hits).toBeGreaterThan(0);
    expect(counted.hits).toBeLessThan(20);
    cluster.vacate('job');
    await cluster.advance(10_000);
    expect(watching.states).toEqual(['job held', 'job vacant']);
    expect(await watching.end()).toBe(0);
  });

  it('lists where watching is forbidden, or where history was lost', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.forbid({ verb: 'watch' }, { times: 1 });
    cluster.occupy('job', { leaseDurationSeconds: 60 });
    const watching = begin(cluster, name);
    await cluster.advance(100);
    cluster.vacate('job');
    await cluster.advance(2_100);
    expect(watching.states).toEqual(['job held', 'job vacant']);
    cluster.api.leases.delete('default', 'job');
    cluster.api.faults.expireWatches();
    await cluster.advance(10_000);
    expect(watching.states.at(-1)).toBe('job deleted');
    expect(await watching.end()).toBe(0);
  });

  it('says what became overdue, although nothing happened to it', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('job', { leaseDurationSeconds: 4 });
    const watching = begin(cluster, name);
    await cluster.advance(6_000);
    expect(watching.states).toEqual(['job held', 'job overdue']);
    expect(await watching.end()).toBe(0);
  });
});
