// `break` on virtual time: what it does to the lease, and that it says what happened and nothing else.
import { describe, expect, it } from '@jest/globals';
import { LockLostError, UnsupportedLeaseError, isSyncError } from '@metaparticle/sync';
import { breakOn } from '../../../src/cli/break.js';
import { Terminal } from '../../../src/cli/terminal.js';
import type { Evicted } from '../../../src/lease/protocol/state.js';
import { Cluster, quick } from '../../support/cluster.js';
import { rejection } from '../../support/promises.js';

interface Breaking {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: Promise<number>;
  interrupt(): void;
}

interface How {
  readonly force?: true;
  readonly output?: 'table' | 'json';
}

function begin(cluster: Cluster, evicts: Evicted, { force, output = 'table' }: How = {}): Breaking {
  const said = { stdout: '', stderr: '' };
  const out = (to: keyof typeof said) => ({ write: (text: string) => (said[to] += text) });
  const terminal = new Terminal(out('stdout'), out('stderr'));
  const client = cluster.client({ identity: 'breaker' });
  const where = { client, kubeConfig: cluster.api.kubeConfig, namespace: 'default' };
  const interrupted = new AbortController();
  const options = force === undefined ? { output } : { output, force };
  const code = breakOn(where, 'job', evicts, options, terminal, interrupted.signal);
  return Object.assign(said, { code, interrupt: () => interrupted.abort(new Error('SIGINT')) });
}

/** Someone holds it, and does not renew. */
const stranger = { holder: 'stranger' };

describe('break', () => {
  it('takes it from that very term, keeps it for the whole duration, and then releases it', async () => {
    await using cluster = await Cluster.start();
    const held = await cluster.elsewhere('job', 'me').acquire();
    const breaking = begin(cluster, { token: held.fencingToken });
    await cluster.until('the loss', () => !held.isHeld());
    expect(held.loss).toMatchObject({ reason: 'taken-over' });
    expect(breaking.stderr).toContain(
      'taken from "me"; it may consider the lease held for up to 4s',
    );
    const takenAt = cluster.now;
    const next = await cluster.settled(cluster.elsewhere('job', 'next').acquire());
    expect(cluster.now - takenAt).toBe(quick.leaseDurationMs);
    expect(await breaking.code).toBe(0);
    const token = held.fencingToken;
    expect(breaking.stdout).toBe(`default/job is released (was held by "me", token ${token})\n`);
    expect(next.fencingToken).toBeGreaterThan(token + 1n);
    expect(await next.release()).toBe(true);
  });

  it('that is interrupted while its claim is in doubt leaves a lease that runs out by itself', async () => {
    await using cluster = await Cluster.start();
    // It hears of nothing, so it believes to the end.
    const kubeConfig = cluster.api.kubeConfigFor({ user: 'cut-off' });
    const client = cluster.client({ identity: 'cut-off', kubeConfig });
    const held = await cluster.lock('job', { client }).acquire();
    const next = cluster.elsewhere('job', 'next').acquire();
    await cluster.advance(100);
    cluster.api.faults.dropBefore({ match: { user: 'cut-off' } });
    cluster.api.faults.stallWatch({ match: { user: 'cut-off' } });
    cluster.api.faults.delay({ match: { verb: 'update' }, responseMs: 300, times: 1 });
    const breaking = begin(cluster, { token: held.fencingToken });
    breaking.code.catch(() => undefined);
    cluster.api.faults.stallWatch();
    await cluster.advance(50);
    breaking.interrupt();
    const handle = await cluster.settled(next);
    expect(held.isHeld()).toBe(false);
    expect(handle.isHeld()).toBe(true);
    expect(isSyncError(await rejection(breaking.code))).toBe(false);
  });

  it('keeps the longer duration in the record, so that it protects the former holder whatever comes', async () => {
    await using cluster = await Cluster.start();
    const days = 30 * 86_400;
    cluster.occupy('job', { leaseDurationSeconds: days });
    const breaking = begin(cluster, stranger);
    await cluster.advance(60_000);
    expect(breaking.stderr).toContain('for up to 30d');
    const spec = { holderIdentity: 'breaker', leaseDurationSeconds: days };
    expect(cluster.spec('job')).toMatchObject(spec);
    breaking.interrupt();
    await expect(breaking.code).rejects.toThrow('SIGINT');
    expect(breaking.stderr).toContain('not released: it runs out by itself, within 30d');
    expect(breaking.stdout).toBe('');
    expect(cluster.spec('job')).toMatchObject(spec);
  });

  it('does not say that a lease is released when that is not confirmed', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('job', { leaseDurationSeconds: 1 });
    const breaking = begin(cluster, stranger, { output: 'json' });
    await cluster.until('the claim', () => cluster.holder('job') === 'breaker');
    cluster.api.faults.status({ code: 500, match: { verb: 'update' } });
    expect(await cluster.settled(breaking.code, { limitMs: 20_000 })).toBe(69);
    expect(JSON.parse(breaking.stdout)).toMatchObject({
      lost: { holder: 'stranger', token: null },
      waited: true,
      free: false,
    });
    expect(breaking.stderr).toContain('its release is not confirmed: ');
    expect(cluster.holder('job')).toBe('breaker');
  });

  it('says so when it loses the lease itself meanwhile', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('job', { leaseDurationSeconds: 600 });
    const breaking = begin(cluster, stranger);
    await cluster.until('the claim', () => cluster.holder('job') === 'breaker');
    cluster.overtake('job');
    const error = await cluster.settled(rejection(breaking.code));
    expect(error).toBeInstanceOf(LockLostError);
    expect(breaking.stdout).toBe('');
    expect(cluster.holder('job')).toBe('other');
  });

  it('outlives a holder that renews often, and an API server that fails for a while', async () => {
    await using cluster = await Cluster.start();
    const held = await cluster.elsewhere('job', 'me').acquire();
    cluster.api.faults.status({ code: 503, times: 3 });
    const renewing = setIntervalOn(cluster, 1, () =>
      cluster.api.leases.edit('default', 'job', touch),
    );
    const breaking = begin(cluster, { token: held.fencingToken }, { force: true });
    await cluster.advance(40);
    renewing();
    expect(await cluster.settled(breaking.code)).toBe(0);
    expect(cluster.holder('job')).toBe('');
  });

  it.each([
    [
      'another term',
      { token: 5n },
      'token 5 does not match: default/job is held by "me" with token',
    ],
    [
      'another holder',
      { holder: 'you' },
      'holder "you" does not match: default/job is held by "me"',
    ],
  ])('leaves it to %s', async (_, evicts, told) => {
    await using cluster = await Cluster.start();
    const held = await cluster.lock('job').acquire();
    const breaking = begin(cluster, evicts);
    expect(await cluster.settled(breaking.code)).toBe(1);
    expect(breaking.stderr).toContain(told);
    expect(held.isHeld()).toBe(true);
  });

  it('makes nothing where nothing is, and takes nothing that no process holds or that is not ours to take', async () => {
    await using cluster = await Cluster.start();
    const absent = begin(cluster, stranger);
    expect(await cluster.settled(absent.code)).toBe(1);
    expect(absent.stderr).toContain('there is no Lease default/job');
    expect(cluster.holder('job')).toBeUndefined();
    cluster.occupy('job', { holderIdentity: '' });
    const vacant = begin(cluster, stranger);
    expect(await cluster.settled(vacant.code)).toBe(1);
    expect(vacant.stderr).toContain('no process holds default/job');
    cluster.api.leases.delete('default', 'job');
    cluster.occupy('job', { strategy: 'OldestEmulationVersion' });
    const coordinated = begin(cluster, stranger);
    expect(await cluster.settled(rejection(coordinated.code))).toBeInstanceOf(
      UnsupportedLeaseError,
    );
  });

  it('gives up on an API server that does not answer', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('job');
    cluster.api.faults.hang();
    const error = await cluster.settled(rejection(begin(cluster, stranger).code));
    expect(isSyncError(error, 'ERR_API_UNREACHABLE')).toBe(true);
    expect(cluster.now).toBe(5_000);
  });
});

function touch({ metadata }: { metadata: { labels?: Record<string, string> | undefined } }): void {
  metadata.labels = { touched: String(Number(metadata.labels?.['touched'] ?? 0) + 1) };
}

/** Calls back every `ms` of virtual time, until it is ended. */
function setIntervalOn(cluster: Cluster, ms: number, act: () => void): () => void {
  let isOn = true;
  const loop = async (): Promise<void> => {
    while (isOn) {
      act();
      await cluster.api.sleep(ms);
    }
  };
  void loop();
  return () => (isOn = false);
}
