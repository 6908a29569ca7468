// Others that do the same job, with their usual settings, in one and the same loop.
import { setTimeout as sleep } from 'node:timers/promises';
import { ms, percentile } from '../../tools/harness/processes/figures.js';
import { installRivals, startPostgres, startRedis, versionOf } from '../rivals/servers.js';
import type { Figure, Result, Row, Stage } from '../stage.js';
import type { Kind, PeerCalls, PeerSettings } from '../workers/peer.js';

const HELD_MS = 40;
const COLD_ROUNDS = 5;
/** The elector on Leases looks again after half a lease of 20 s, twice, and then no more. */
const ELECTOR_HELD_MS = 1_000;

interface Peer {
  readonly kind: Kind;
  readonly title: string;
  /** What a reader should know of it. */
  readonly remark: string;
  readonly url: string;
}

async function passOn(stage: Stage, peer: Peer, packages: string): Promise<number[][]> {
  const { cluster, pool, isQuick } = stage;
  const isElector = peer.kind === 'elector';
  const start = (identity: string) => {
    const names = { name: `peer-${peer.kind}`, identity, namespace: cluster.namespace };
    const settings: PeerSettings = { ...names, kind: peer.kind, url: peer.url, packages };
    return pool.spawn<PeerCalls>('../../../bench/workers/peer', cluster, settings);
  };
  let [holder, waiter] = [await start('one'), await start('other')];
  const pairs = isElector ? [] : await holder.call('pairs', isQuick ? 60 : 300);
  const handOffs: number[] = [];
  await holder.call('acquire', undefined);
  const rounds = isElector ? (isQuick ? 2 : 20) : isQuick ? 40 : 300;
  for (let round = isElector ? 0 : -COLD_ROUNDS; round < rounds; round++) {
    const acquired = waiter.call('acquire', undefined, 60_000);
    await sleep(isElector ? ELECTOR_HELD_MS : HELD_MS);
    const calledAt = await holder.call('release', undefined);
    const at = await acquired;
    if (round >= 0) handOffs.push(at - calledAt);
    [holder, waiter] = [waiter, holder];
  }
  await Promise.all([holder.kill(), waiter.kill()]);
  return [handOffs, pairs];
}

function figureOf({ title, remark }: Peer, [handOffs = [], pairs = []]: number[][]): Figure {
  const [p50, p90] = [0.5, 0.9].map((share) => ms(percentile(handOffs, share)));
  const pair = pairs.length === 0 ? '' : `; taken and given back ${ms(percentile(pairs, 0.5))}`;
  return {
    figure: `side by side, in one loop: ${title}`,
    goal: '',
    measured: `hand-off p50 ${p50}, p90 ${p90}, n=${handOffs.length}${pair}`,
    isMet: null,
    rival: remark,
  };
}

async function run(stage: Stage): Promise<Result> {
  const packages = installRivals();
  const [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
  try {
    const peers = peersOn(stage.etcdUrl, redis?.url, postgres?.url);
    const series: Record<string, readonly number[]> = {};
    const figures: Figure[] = [];
    const [slow, ...others] = [...peers].reverse();
    // It sleeps nearly all of the time, and nobody is disturbed by it.
    const slowTimes = slow === undefined ? null : passOn(stage, slow, packages);
    slowTimes?.catch(() => undefined);
    for (const peer of others.reverse()) {
      stage.say(peer.title);
      const times = await passOn(stage, peer, packages);
      series[peer.title] = times[0] ?? [];
      figures.push(figureOf(peer, times));
    }
    if (slow !== undefined && slowTimes !== null) {
      stage.say(slow.title);
      const times = await slowTimes;
      series[slow.title] = times[0] ?? [];
      figures.push(figureOf(slow, times));
    }
    for (const [server, what] of [
      [redis, 'redis-server'],
      [postgres, 'PostgreSQL'],
    ] as const) {
      if (server === null) stage.say(`there is no ${what} here: left out`);
    }
    return { figures, series };
  } finally {
    await Promise.all([redis?.stop(), postgres?.stop()]);
  }
}

function peersOn(etcd: string, redis: string | undefined, postgres: string | undefined): Peer[] {
  const version = (name: string): string => `${name} ${versionOf(name)}`;
  const elector = '@codedependant/kubernetes-leader-election';
  const all: (Omit<Peer, 'url'> & { readonly url: string | undefined })[] = [
    { kind: 'ours', title: 'this package', remark: 'a Lease; watch; fencing token', url: '' },
    {
      ...{ kind: 'etcd3', title: `${version('etcd3')}, election, TTL 15 s` },
      ...{ remark: 'straight to etcd, which pods cannot reach as a rule', url: etcd },
    },
    {
      ...{ kind: 'postgres', title: 'PostgreSQL advisory locks, fsync off' },
      ...{ remark: 'lives as long as its session', url: postgres },
    },
    {
      ...{ kind: 'redlock', title: `${version('redlock')}, one Redis, nothing on disk` },
      ...{ remark: 'looks every 200 to 300 ms; no fencing token', url: redis },
    },
    {
      ...{ kind: 'elector', title: version(elector), url: '' },
      remark: 'a Lease; looks after 10 s and 20 s, then no more',
    },
  ];
  return all.flatMap(({ url, ...peer }) => (url === undefined ? [] : [{ ...peer, url }]));
}

export const peers: Row = { name: 'peers', run };
