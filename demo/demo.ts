// The demo from its first line to its table, whatever happens in between.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { counter } from './acts/counter.js';
import { crash } from './acts/crash.js';
import { handOff } from './acts/hand-off.js';
import { leadership } from './acts/leadership.js';
import { pause } from './acts/pause.js';
import { Candidates } from './candidates.js';
import { openEmbedded, openNamed, type Cluster } from './cluster.js';
import { Crew } from './crew.js';
import { Expectations } from './expectations.js';
import { Interruption } from './interruption.js';
import { now, timings } from './messages.js';
import { UsageError, type DemoOptions } from './options.js';
import { paint, print } from './paint.js';
import type { Stage } from './stage.js';
import { GuardedStore } from './store.js';
import { Timeline } from './timeline.js';

const CANDIDATES = ['pod-a', 'pod-b', 'pod-c'];

/** Resolves with the exit status. */
export async function runDemo(options: DemoOptions, abort: AbortController): Promise<number> {
  const startedAt = now();
  const crew = new Crew(abort);
  const expectations = new Expectations();
  const house = await build(options);
  const error = await attempt(async () => {
    await house.cluster.check(house.leases.counter, abort.signal);
    introduce(house, options);
    await play(crew, expectations, house, abort.signal);
  }, abort.signal);
  if (error instanceof Interruption) print(`\n${error.message}: ending ${crew.left} processes`);
  await crew.end();
  const stray = await raze(house);
  if (error instanceof UsageError) throw error;
  if (stray.length > 0 && crew.started > 0) {
    print(`\nnot deleted: kubectl delete lease -n ${house.cluster.namespace} ${stray.join(' ')}`);
  }
  if (error instanceof Interruption) return error.status;
  if (error !== null) {
    print(`\n${paint(['bold', 'red'], 'The demo cannot go on')}: ${error.message}`);
    expectations.check('the demo gets to its end', 'yes', 'no, see above', false);
  }
  const { started, left } = crew;
  const measured = `${left} of ${started}`;
  expectations.check('afterwards: processes left behind', '0', measured, left === 0);
  if (options.cluster !== null) {
    const are = `${stray.length} of ${Object.keys(house.leases).length}`;
    expectations.check('afterwards: Leases left behind', '0', are, stray.length === 0);
  }
  expectations.print((now() - startedAt) / 1_000);
  return expectations.areMet ? 0 : 1;
}

/** What went wrong, `null` if nothing did. */
async function attempt(work: () => Promise<void>, signal: AbortSignal): Promise<Error | null> {
  try {
    signal.throwIfAborted();
    await work();
    return null;
  } catch (error) {
    return (signal.aborted ? signal.reason : error) as Error;
  }
}

/** What the demo runs in, to be left as it was found. */
interface House {
  readonly cluster: Cluster;
  readonly store: GuardedStore;
  readonly folder: string;
  readonly leases: { readonly leader: string; readonly counter: string };
}

async function build({ cluster: named, isUnguarded }: DemoOptions): Promise<House> {
  const folder = await mkdtemp(join(tmpdir(), 'sync-demo-'));
  try {
    const cluster = await (named === null ? openEmbedded() : openNamed(named));
    const store = await GuardedStore.open(isUnguarded);
    const prefix = `sync-demo-${randomBytes(4).toString('hex')}`;
    return {
      cluster,
      store,
      folder,
      leases: { leader: `${prefix}-leader`, counter: `${prefix}-counter` },
    };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** @returns Leases that are still there */
async function raze({ cluster, store, folder, leases }: House): Promise<readonly string[]> {
  const left = await cluster.remove(Object.values(leases));
  await Promise.all([cluster.close(), store.close(), rm(folder, { recursive: true, force: true })]);
  return left;
}

function introduce({ cluster }: House, { isUnguarded }: DemoOptions): void {
  const { leaseDurationMs, renewIntervalMs } = timings;
  const lines = [
    ['cluster', cluster.title],
    [
      'lease',
      `${leaseDurationMs / 1_000} s here, so that nobody waits for long (15 s by default); ` +
        `renewed every ${renewIntervalMs / 1_000} s (2 s)`,
    ],
    ['lanes', `${CANDIDATES.join(', ')} from left to right:  │ waits  ● leads  ‖ paused  × killed`],
    ...(isUnguarded
      ? [['store', 'IGNORES FENCING TOKENS (--unguarded): an expectation will not be met']]
      : []),
  ];
  print();
  for (const [name = '', text = ''] of lines) print(`   ${paint('dim', name.padEnd(9))}${text}`);
}

async function play(
  crew: Crew,
  expectations: Expectations,
  house: House,
  signal: AbortSignal,
): Promise<void> {
  const { cluster, store, folder, leases } = house;
  const { api, namespace } = cluster;
  const timeline = new Timeline(CANDIDATES);
  const stage: Stage = {
    ...{ crew, timeline, expectations },
    settingsOf: (identity, lease) => ({
      ...{ identity, api, namespace, storeUrl: store.url },
      lease: leases[lease],
      counterFile: join(folder, 'counter'),
    }),
    sleep: (ms) => sleep(ms, undefined, { signal }),
  };
  try {
    const candidates = new Candidates(stage, CANDIDATES);
    for (const act of [leadership, handOff, crash, pause]) await act(stage, candidates);
    await candidates.retire();
    await counter(stage);
  } finally {
    timeline.flush();
  }
}
