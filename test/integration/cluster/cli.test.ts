// What the command line does to its command when the lock is lost: by a wire that is cut, and by signals.
import { describe, expect } from '@jest/globals';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../../../tools/harness/cluster.js';
import { now, wallOffset } from '../../../tools/harness/processes/time.js';
import { Cli, shell } from '../command-line.js';
import { testOnCluster } from '../test-bed.js';
import type { TestBed } from '../test-bed.js';
import { Cable } from './cable.js';

const LEASE_MS = 5_000;
const MARGIN_MS = 1_500;
const SHORT = ['--lease-duration', '5s', '--renew-interval', '1s', '--margin', '1500ms'];
const LIMIT_MS = 120_000;
/** For a timer, a signal, and the death of a process. */
const PROMPT_MS = 1_000;
/** A wait that does not end is a failure; nothing is judged by it. */
const STUCK_MS = 30_000;

/** A folder in which a command notes the time again and again. */
async function inFolder(work: (beats: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'cli-'));
  await work(join(folder, 'beats')).finally(() => rm(folder, { recursive: true }));
}

/** A command that notes the time again and again, by a process that outlives a parent which is killed alone. */
function beating(file: string): string {
  return `(while :; do date +%s%3N >> ${file}; sleep 0.02; done) & echo in; wait; wait`;
}

/** The same, but it ignores SIGTERM. */
function stubborn(file: string): readonly string[] {
  return shell(`trap '' TERM; ${beating(file)}`);
}

/** In milliseconds since the epoch; 0 before the first. */
async function lastBeat(file: string): Promise<number> {
  return Number((await readFile(file, 'utf8').catch(() => '')).trim().split('\n').at(-1));
}

/** Resolves with the last beat when none has followed for a while. */
async function whenQuiet(file: string): Promise<number> {
  const end = now() + STUCK_MS;
  while (now() < end) {
    const beat = await lastBeat(file);
    await sleep(500);
    if ((await lastBeat(file)) === beat) return beat;
  }
  throw new Error('the command was not stopped');
}

async function whenItGoesOn(file: string, stoppedAt: number): Promise<void> {
  const end = now() + STUCK_MS;
  while ((await lastBeat(file)) === stoppedAt) {
    if (now() > end) throw new Error('the command did not go on');
    await sleep(50);
  }
}

/** Of a lease that was renewed since its acquisition. In milliseconds since the epoch. */
async function renewedAt({ request, leases }: Cluster, name: string): Promise<number> {
  for (;;) {
    const { spec = {} } = (await request('GET', `${leases}/${name}`)).body;
    if (spec['renewTime'] !== spec['acquireTime']) return Date.parse(String(spec['renewTime']));
    await sleep(50);
  }
}

async function cutOff({ cluster, witness }: TestBed): Promise<void> {
  await using cable = await Cable.to(cluster.server);
  await using cli = await Cli.open(await cable.rewire(cluster.kubeConfigFile, cluster.server));
  await inFolder(async (beats) => {
    const holder = cli.start('lock', 'stubborn', ...SHORT, ...stubborn(beats));
    await holder.said('in');
    await renewedAt(cluster, 'stubborn');
    cable.cut();
    const { code, stderr } = await holder.exited;
    const endedAt = Date.now();
    expect({ code, stderr }).toMatchObject({ code: 75 });
    expect(stderr).toContain('the command ended with 137');
    const [lastRenewal, beatAt] = [await renewedAt(cluster, 'stubborn'), await lastBeat(beats)];
    expect(endedAt - lastRenewal).toBeGreaterThanOrEqual(LEASE_MS - MARGIN_MS);
    // From then on another process may hold the lock.
    const offset = wallOffset();
    await witness.boundedBy({
      ...{ what: 'the life of the command', from: lastRenewal - offset, until: beatAt - offset },
      limitMs: LEASE_MS,
    });
  });
}

async function wakeUpLate({ cluster, witness }: TestBed): Promise<void> {
  await using cli = await Cli.open(cluster.kubeConfigFile);
  const long = ['--lease-duration', '10s', '--margin', '4s', '--kill-after', '3500ms'];
  await inFolder(async (beats) => {
    const holder = cli.start('lock', 'late', ...long, ...stubborn(beats));
    await holder.said('in');
    // The command goes on meanwhile: nothing tells a process that it is to be stopped.
    holder.signal('SIGSTOP');
    await sleep(10_500);
    holder.signal('SIGCONT');
    const from = now();
    expect(await holder.exited).toMatchObject({ code: 75 });
    const until = (await lastBeat(beats)) - wallOffset();
    await witness.boundedBy({ what: 'the death of the command', from, until, limitMs: PROMPT_MS });
  });
}

async function stopAndGoOn({ cluster }: TestBed): Promise<void> {
  await using cli = await Cli.open(cluster.kubeConfigFile);
  await inFolder(async (beats) => {
    const holder = cli.start(
      'lock',
      'stopped',
      '--lease-duration',
      '60s',
      ...shell(beating(beats)),
    );
    await holder.said('in');
    holder.signal('SIGTSTP');
    const stoppedAt = await whenQuiet(beats);
    holder.signal('SIGCONT');
    await whenItGoesOn(beats, stoppedAt);
  });
}

async function stopForTooLong({ cluster }: TestBed): Promise<void> {
  await using cli = await Cli.open(cluster.kubeConfigFile);
  await inFolder(async (beats) => {
    const holder = cli.start('lock', 'paused', ...SHORT, ...stubborn(beats));
    await holder.said('in');
    holder.signal('SIGTSTP');
    await sleep(LEASE_MS + 500);
    const last = await whenQuiet(beats);
    holder.signal('SIGCONT');
    expect(await holder.exited).toMatchObject({ code: 75 });
    expect(await lastBeat(beats)).toBe(last);
  });
}

describe('metaparticle-sync lock', () => {
  testOnCluster('kills a command that ignores SIGTERM before the lease ends', LIMIT_MS, cutOff);
  testOnCluster('kills its command at once when it learns late of a loss', LIMIT_MS, wakeUpLate);
  testOnCluster('stops its command with itself, and lets it go on', LIMIT_MS, stopAndGoOn);
  testOnCluster('lets no command go on that was stopped for too long', LIMIT_MS, stopForTooLong);
});
