// What a scrape shows, and that dashboard and alerts ask for nothing else.
import { describe, expect, it } from '@jest/globals';
import { InvalidOptionError } from '@metaparticle/sync';
import { collectMetrics } from '@metaparticle/sync/prometheus';
import { loadYaml } from '@kubernetes/client-node';
import { parser } from '@prometheus-io/lezer-promql';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { candidate } from '../../support/candidate.js';
import { Cluster, quickHeldMs } from '../../support/cluster.js';
import { rejection } from '../../support/promises.js';
import { codeIn, rowsOf } from '../../../tools/docs/tables.js';
import { root } from '../../../tools/docs/source.js';

type Value = (metric: string, labels?: Readonly<Record<string, string>>) => Promise<number>;

/** The value of one series as a scrape has it; `NaN` when it is not there. */
function reader(register: Registry): Value {
  return async (metric, labels = {}) => {
    const lines = (await register.metrics()).split('\n');
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    const line = lines.find(
      (one) => /^[a-z_]+/.exec(one)?.[0] === metric && wanted.every((label) => one.includes(label)),
    );
    return Number(line?.split(' ').at(-1) ?? NaN);
  };
}

/** Metrics of their own registry, for as long as the test lasts. */
function collecting(): { readonly value: Value } & Disposable {
  const register = new Registry();
  const end = collectMetrics({ register });
  return { value: reader(register), [Symbol.dispose]: end };
}

describe('metrics of a lock that is passed on', () => {
  /** How often something took how long in all, seconds. */
  type Sums = (metric: string) => Promise<readonly [count: number, sum: number]>;

  async function passedOn(look: (value: Value, sums: Sums, cluster: Cluster) => Promise<void>) {
    await using cluster = await Cluster.start();
    using metrics = collecting();
    const labels = { name: 'passed-on', namespace: 'default' };
    const value: Value = (metric) => metrics.value(metric, labels);
    const sums: Sums = async (metric) => [
      await value(`${metric}_seconds_count`),
      await value(`${metric}_seconds_sum`),
    ];
    await look(value, sums, cluster);
  }

  it('say how long each waited, how long it was held, and how fast it was handed over', () =>
    passedOn(async (value, sums, cluster) => {
      const first = await cluster.lock('passed-on').acquire();
      const waiting = cluster.elsewhere('passed-on', 'b').acquire();
      await cluster.advance(1_500);
      cluster.api.faults.delay({ match: { verb: 'update' }, requestMs: 40 });
      await cluster.settled(first.release());
      const second = await cluster.settled(waiting);
      // 40 ms until the release lands, and 40 ms more until the claim does.
      expect(await sums('metaparticle_sync_acquire_wait')).toEqual([2, 1.58]);
      // The first one found the lease absent, created it, and learned that it is vacant, as well.
      expect(await sums('metaparticle_sync_hand_off')).toEqual([2, 0.04]);
      expect(await sums('metaparticle_sync_held')).toEqual([1, 1.5]);
      await cluster.settled(second.release());
      expect(await sums('metaparticle_sync_held')).toEqual([2, 1.5]);
    }));

  it('say whether it is held here', () =>
    passedOn(async (value, _, cluster) => {
      const status = 'leader_election_master_status';
      expect(await value(status)).toBeNaN();
      cluster.occupy('passed-on');
      // A follower exports 0, as those of client-go do.
      expect(await cluster.lock('passed-on').tryAcquire()).toBeNull();
      expect(await value(status)).toBe(0);
      cluster.vacate('passed-on');
      const handle = await cluster.lock('passed-on').acquire();
      expect(await value(status)).toBe(1);
      // Another attempt of this process does not take it back.
      const again = rejection(cluster.lock('passed-on').acquire({ timeoutMs: 100 }));
      await cluster.settled(again);
      expect(await value(status)).toBe(1);
      await handle.release();
      expect(await value(status)).toBe(0);
    }));

  it('say how long renewals took, and how close to the end of the term they were sent', () =>
    passedOn(async (value, sums, cluster) => {
      await cluster.lock('passed-on').acquire();
      cluster.api.faults.delay({ match: { verb: 'update' }, responseMs: 250 });
      await cluster.advance(3_500);
      expect(await sums('metaparticle_sync_renewal')).toEqual([3, 0.75]);
      // Each leaves 1 s after the one before it, from whose departure its credit counts.
      const validity = (quickHeldMs - 1_000) / 1_000;
      const [count, sum] = await sums('metaparticle_sync_remaining_validity');
      expect([count, sum]).toEqual([3, expect.closeTo(3 * validity, 9)]);
      expect(await value('leader_election_slowpath_total')).toBeNaN();
    }));

  it('of a term that began before they were collected leave out how long it was waited for and held', async () => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('early').acquire();
    using metrics = collecting();
    const value: Value = (metric) => metrics.value(metric, { name: 'early' });
    expect(await value('leader_election_master_status')).toBeNaN();
    await cluster.advance(1_500);
    expect(await value('leader_election_master_status')).toBe(1);
    expect(await value('metaparticle_sync_renewal_seconds_count')).toBe(1);
    await handle.release();
    expect(await value('leader_election_master_status')).toBe(0);
    expect(await value('metaparticle_sync_held_seconds_count')).toBeNaN();
    expect(await value('metaparticle_sync_acquire_wait_seconds_count')).toBeNaN();
  });
});

describe('metrics of what goes wrong', () => {
  it('count terms lost, by reason', async () => {
    await using cluster = await Cluster.start();
    using metrics = collecting();
    const lost = 'metaparticle_sync_terms_lost_total';
    const deleted = await cluster.lock('deleted').acquire();
    cluster.api.leases.delete('default', 'deleted');
    await cluster.advance(0);
    expect(deleted.signal.aborted).toBe(true);
    expect(await metrics.value(lost, { name: 'deleted', reason: 'deleted' })).toBe(1);
    expect(await metrics.value('leader_election_master_status', { name: 'deleted' })).toBe(0);

    const led = candidate(cluster, 'a');
    void led.run();
    await cluster.until('a leader', () => led.election.isLeader());
    cluster.api.faults.hang();
    await cluster.advance(quickHeldMs);
    expect(led.election.isLeader()).toBe(false);
    expect(await metrics.value(lost, { name: 'crown', reason: 'expired' })).toBe(1);
    const held = 'metaparticle_sync_held_seconds_sum';
    expect(await metrics.value(held, { name: 'crown' })).toBe(quickHeldMs / 1_000);
  });

  it('count acquisitions that failed, by code', async () => {
    await using cluster = await Cluster.start();
    using metrics = collecting();
    cluster.api.faults.forbid({ verb: 'create' });
    const refused = await rejection(cluster.lock('refused').acquire());
    expect(refused).toMatchObject({ code: 'ERR_FORBIDDEN' });
    const labels = { name: 'refused', code: 'ERR_FORBIDDEN' };
    expect(await metrics.value('metaparticle_sync_refusals_total', labels)).toBe(1);
  });

  it('count conflicts, and the reads that they cost a holder', async () => {
    await using cluster = await Cluster.start();
    using metrics = collecting();
    await cluster.lock('edited').acquire();
    cluster.api.faults.stallWatch();
    cluster.api.leases.edit('default', 'edited', ({ metadata }) => (metadata.labels = { a: 'b' }));
    await cluster.advance(1_000);
    const labels = { name: 'edited' };
    expect(await metrics.value('metaparticle_sync_conflicts_total', labels)).toBe(1);
    expect(await metrics.value('leader_election_slowpath_total', labels)).toBe(1);
  });

  it('say for each lease whether the API server has given no answer for 5 s', async () => {
    await using cluster = await Cluster.start();
    using metrics = collecting();
    const value = (name: string): Promise<number> =>
      metrics.value('metaparticle_sync_api_unreachable', { name });
    const fault = cluster.api.faults.dropBefore({ match: { name: 'broken' } });
    for (const name of ['healthy', 'broken']) {
      cluster
        .lock(name)
        .acquire()
        .catch(() => undefined);
    }
    await cluster.advance(4_999);
    expect([await value('healthy'), await value('broken')]).toEqual([0, 0]);
    await cluster.advance(2);
    expect([await value('healthy'), await value('broken')]).toEqual([0, 1]);
    fault.remove();
    await cluster.advance(1_000);
    expect(await value('broken')).toBe(0);
  });

  it('count interruptions of watches', async () => {
    await using cluster = await Cluster.start();
    using metrics = collecting();
    await cluster.lock('watched').acquire();
    await cluster.advance(100);
    cluster.api.faults.resetWatches();
    await cluster.advance(100);
    const breaks = 'metaparticle_sync_watch_interruptions_total';
    expect(await metrics.value(breaks, { name: 'watched' })).toBe(1);
  });
});

describe('collectMetrics', () => {
  it('has the metrics that the page lists, with their types and labels', async () => {
    const register = new Registry();
    collectMetrics({ register })();
    const page = 'docs/operations.md';
    const listed = rowsOf(page, readFileSync(join(root, page), 'utf8'), 'Metrics').map((row) => [
      ...codeIn(row['metric'] ?? ''),
      row['type'],
      ...codeIn(row['more labels'] ?? ''),
    ]);
    const has = (await register.getMetricsAsJSON()).map(({ name, type }) => {
      const { labelNames } = register.getSingleMetric(name) as unknown as { labelNames: string[] };
      const more = labelNames.filter((one) => !['namespace', 'name', 'le'].includes(one));
      return [name, type, ...more];
    });
    expect(listed.sort()).toEqual(has.sort());
  });

  it('stops when it is ended, and can be called once per registry', async () => {
    const register = new Registry();
    const end = collectMetrics({ register });
    expect(() => collectMetrics({ register })).toThrow(InvalidOptionError);
    end();
    await using cluster = await Cluster.start();
    await (await cluster.lock('unheard').acquire()).release();
    expect(await register.metrics()).not.toContain('unheard');
    expect(() => collectMetrics({ registry: register } as never)).toThrow('is not an option');
    expect(() => collectMetrics({ register: {} as never })).toThrow('must be a Registry');
  });
});

describe('dashboard and alerts', () => {
  const folder = join(root, 'examples/monitoring');
  const dashboard = JSON.parse(readFileSync(join(folder, 'dashboard.json'), 'utf8')) as {
    readonly panels: readonly { readonly targets: readonly { readonly expr: string }[] }[];
    readonly templating: { readonly list: readonly { readonly query: string }[] };
  };
  const alerts = loadYaml<{
    readonly groups: readonly { readonly rules: readonly { readonly expr: string }[] }[];
  }>(readFileSync(join(folder, 'alerts.yaml'), 'utf8'));
  const queries = [
    ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    ...dashboard.templating.list.flatMap(
      ({ query }) => /label_values\((.*), \w+\)/.exec(query)?.[1] ?? [],
    ),
    ...alerts.groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)),
  ];
  const register = new Registry();
  collectMetrics({ register })();

  it.each(queries)('asks for nothing that is not there: %s', async (query) => {
    const known = new Map(
      (await register.getMetricsAsJSON()).flatMap(({ name, type }) => {
        const { labelNames } = register.getSingleMetric(name) as unknown as {
          labelNames: string[];
        };
        const parts = ['_bucket', '_count', '_sum'].map((part) => name + part);
        const names = String(type) === 'histogram' ? parts : [name];
        return names.map((one) => [one, [...labelNames, 'le']] as const);
      }),
    );
    const { metrics, labels } = namesIn(query);
    expect(metrics.length).toBeGreaterThan(0);
    for (const metric of metrics) {
      expect({ metric, isKnown: known.has(metric) }).toEqual({ metric, isKnown: true });
      for (const label of labels) expect(known.get(metric)).toContain(label);
    }
  });

  it('are found out when they ask for something else', () => {
    expect(namesIn('sum by (pod) (rate(no_such_total{name="a"}[5m]))')).toEqual({
      ...{ metrics: ['no_such_total'], labels: ['pod', 'name'] },
    });
    expect(() => namesIn('sum by (')).toThrow('does not parse');
  });

  it('show every metric', async () => {
    const text = queries.join('\n');
    for (const { name } of await register.getMetricsAsJSON()) expect(text).toContain(name);
  });
});

/** Metrics and labels that a query names. Grafana's variables stand where a value would. */
function namesIn(query: string): { metrics: string[]; labels: string[] } {
  const text = query.replaceAll('$__rate_interval', '5m');
  const found = { metrics: new Set<string>(), labels: new Set<string>() };
  parser.parse(text).iterate({
    enter: ({ type, from, to }) => {
      if (type.isError) throw new Error(`${query} does not parse at ${from}`);
      const word = text.slice(from, to);
      if (type.name === 'Identifier') found.metrics.add(word);
      if (type.name === 'LabelName') found.labels.add(word);
    },
  });
  return { metrics: [...found.metrics], labels: [...found.labels] };
}
