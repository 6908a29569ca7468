// What a scrape tells after a story, and that dashboard and alerts ask for nothing else.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Election, InvalidOptionError, LeaseClient, Lock } from '@metaparticle/sync';
import { collectMetrics } from '@metaparticle/sync/prometheus';
import { loadYaml } from '@kubernetes/client-node';
import { parser } from '@prometheus-io/lezer-promql';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { startLeaseServer, type LeaseServer } from '../../../src/testing/index.js';
import { rejection, until } from '../../support/promises.js';
import { codeIn, rowsOf } from '../../../tools/docs/tables.js';
import { root } from '../../../tools/docs/source.js';

const QUICK = { leaseDurationMs: 4_000, renewIntervalMs: 1_000, marginMs: 500 };

let api: LeaseServer;
let client: LeaseClient;
let other: LeaseClient;
beforeAll(async () => {
  api = await startLeaseServer();
  client = new LeaseClient({ kubeConfig: api.kubeConfig, identity: 'a' });
  other = new LeaseClient({ kubeConfig: api.kubeConfig, identity: 'b' });
});
afterAll(async () => {
  await Promise.all([client.close(), other.close()]);
  await api.close();
});

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

describe('collectMetrics', () => {
  it('counts a hand-off: who holds it, for how long one waited, how fast it went', async () => {
    const register = new Registry();
    const end = collectMetrics({ register });
    const value = reader(register);
    const name = { name: 'passed-on', namespace: 'default' };
    const first = await new Lock('passed-on', { client, ...QUICK }).acquire();
    expect(await value('leader_election_master_status', name)).toBe(1);
    const waiting = new Lock('passed-on', { client: other, ...QUICK }).acquire();
    await until('a renewal', () => first.remainingMs() < 2_700, 5_000);
    await until('its answer', () => first.remainingMs() > 2_700, 5_000);
    await first.release();
    const second = await waiting;
    expect(await value('metaparticle_sync_acquire_wait_seconds_count', name)).toBe(2);
    expect(await value('metaparticle_sync_acquire_wait_seconds_sum', name)).toBeGreaterThan(0.5);
    // The first one found it absent, made it, and had to learn that it is vacant as well.
    expect(await value('metaparticle_sync_hand_off_seconds_count', name)).toBe(2);
    expect(await value('metaparticle_sync_hand_off_seconds_sum', name)).toBeLessThan(0.5);
    expect(await value('metaparticle_sync_held_seconds_count', name)).toBe(1);
    expect(await value('metaparticle_sync_renewal_seconds_count', name)).toBe(1);
    expect(await value('metaparticle_sync_remaining_validity_seconds_count', name)).toBe(1);
    const validity = await value('metaparticle_sync_remaining_validity_seconds_sum', name);
    expect(validity).toBeGreaterThan(2);
    expect(validity).toBeLessThan(2.7);
    expect(await value('leader_election_master_status', name)).toBe(1);
    await second.release();
    expect(await value('leader_election_master_status', name)).toBe(0);
    expect(await value('leader_election_slowpath_total', name)).toBeNaN();
    end();
  });

  it('counts losses by reason, refusals by code, conflicts, and interruptions of watches', async () => {
    const register = new Registry();
    const end = collectMetrics({ register });
    const value = reader(register);
    const lost = 'metaparticle_sync_terms_lost_total';
    const deleted = await new Lock('deleted', { client, ...QUICK }).acquire();
    api.leases.delete('default', 'deleted');
    await until('the loss', () => deleted.signal.aborted, 5_000);
    expect(await value(lost, { name: 'deleted', reason: 'deleted' })).toBe(1);
    expect(await value('leader_election_master_status', { name: 'deleted' })).toBe(0);

    const stop = new AbortController();
    const election = new Election('cut-off', {
      ...{ client, ...QUICK },
      onStartedLeading: () => undefined,
    });
    const run = election.run({ signal: stop.signal });
    await until('a leader', () => election.isLeader(), 5_000);
    const outage = api.faults.hang();
    await until('the loss', () => !election.isLeader(), 10_000);
    outage.remove();
    expect(await value(lost, { name: 'cut-off', reason: 'expired' })).toBe(1);
    stop.abort();
    await run;

    api.faults.forbid(({ verb }) => verb === 'create', { times: 1 });
    const refused = await rejection(new Lock('refused', { client, ...QUICK }).acquire());
    expect(refused).toMatchObject({ code: 'ERR_FORBIDDEN' });
    const refusals = 'metaparticle_sync_refusals_total';
    expect(await value(refusals, { name: 'refused', code: 'ERR_FORBIDDEN' })).toBe(1);
    api.faults.clear();

    const edited = await new Lock('edited', { client, ...QUICK }).acquire();
    const watch = api.faults.stallWatch();
    api.leases.edit('default', 'edited', ({ metadata }) => (metadata.labels = { a: 'b' }));
    await until('a renewal', () => edited.remainingMs() < 2_700, 5_000);
    await until('its answer', () => edited.remainingMs() > 2_900, 5_000);
    watch.remove();
    expect(await value('metaparticle_sync_conflicts_total', { name: 'edited' })).toBe(1);
    expect(await value('leader_election_slowpath_total', { name: 'edited' })).toBe(1);
    await edited.release();
    end();
  }, 60_000);

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

  it('stops when it is ended, and is called once per registry', async () => {
    const register = new Registry();
    const end = collectMetrics({ register });
    expect(() => collectMetrics({ register })).toThrow(InvalidOptionError);
    end();
    await (await new Lock('unheard', { client }).acquire()).release();
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
