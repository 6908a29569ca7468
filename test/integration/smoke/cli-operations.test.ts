// What operators ask the command line, on every cluster there is.
import { beforeAll, expect, it } from '@jest/globals';
import { KubeConfig, loadAllYaml, loadYaml } from '@kubernetes/client-node';
import { LeaseClient, Lock } from '@metaparticle/sync';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../support/promises.js';
import { root } from '../../../tools/docs/source.js';
import { Cli, mainFile } from '../command-line.js';
import { describeEachCluster } from '../../support/each-cluster.js';
import type { Cluster } from '../../../tools/harness/cluster.js';

/** So short that it can be waited out, with four renewals to miss. */
const QUICK = { leaseDurationMs: 6_000, renewIntervalMs: 1_000, marginMs: 1_000 };
const LIMIT_MS = 300_000;

beforeAll(mainFile);

interface Told {
  readonly name: string;
  readonly state: string;
  readonly [field: string]: unknown;
}

function open({ kubeConfig, namespace }: Cluster, identity: string): LeaseClient {
  return new LeaseClient({ kubeConfig, namespace, identity, onWarning: () => undefined });
}

/** Records as others write them. */
async function putForeign({ request, leases }: Cluster): Promise<void> {
  const now = `${new Date().toISOString().slice(0, -1)}000Z`;
  const long = { holderIdentity: 'go_1', leaseDurationSeconds: 3_600, renewTime: now };
  const elector = { ...long, acquireTime: now, leaseTransitions: 3 };
  const late = { ...elector, renewTime: '2020-01-01T00:00:00.000000Z' };
  for (const [name, spec] of Object.entries({ elector, heartbeat: long, late })) {
    const metadata = { name };
    const { status } = await request('POST', leases, {
      ...{ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec },
    });
    expect(status).toBe(201);
  }
}

/** One JSON object a line; the last line may still be on its way. */
function objectsIn<T>(text: string): T[] {
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as T);
}

describeEachCluster('metaparticle-sync status', (cluster) => {
  it(
    'tells of each lease who holds it, of what kind it is, and whether it is overdue',
    async () => {
      await using cli = await Cli.open(cluster().kubeConfigFile);
      await using client = open(cluster(), 'me');
      const held = await new Lock('held', { client }).acquire();
      await (await new Lock('vacant', { client }).acquire()).release();
      await putForeign(cluster());
      const [json, table, everywhere, none, both] = await Promise.all([
        cli.run('status', '-o', 'json'),
        cli.run('status', 'held'),
        cli.run('status', '-A'),
        cli.run('status', 'none'),
        cli.run('status', 'held', '-A'),
      ]);
      const told = objectsIn<Told>(json.stdout);
      expect(told.map(({ name, state, kind, holder }) => [name, state, kind, holder])).toEqual([
        ['elector', 'held', 'client-go', 'go_1'],
        ['heartbeat', 'held', 'foreign', 'go_1'],
        ['held', 'held', 'ours', 'me'],
        ['late', 'overdue', 'client-go', 'go_1'],
        ['vacant', 'vacant', null, null],
      ]);
      expect(told[2]).toMatchObject({ token: held.fencingToken.toString(), durationSeconds: 15 });
      expect(table.stdout).toMatch(/^NAME +STATE +HOLDER .*\nheld +held +me +ours +\d+ /);
      expect(everywhere.stdout).toMatch(new RegExp(`^${cluster().namespace} +held +held`, 'm'));
      expect(none).toMatchObject({ code: 1, stdout: '' });
      expect(both).toMatchObject({ code: 64, stdout: '' });
    },
    LIMIT_MS,
  );

  it(
    'goes on with what changes, renewals left out, until it is interrupted',
    async () => {
      await using cli = await Cli.open(cluster().kubeConfigFile);
      await using client = open(cluster(), 'me');
      const lock = new Lock('watched', { client, ...QUICK });
      await (await lock.acquire()).release();
      const watching = cli.start('status', 'watched', '--watch', '-o', 'json');
      await watching.said('"vacant"');
      const first = await lock.acquire();
      await watching.said(`"token":"${first.fencingToken}"`);
      const states = (): string[] => objectsIn<Told>(watching.stdout).map(({ state }) => state);
      const path = `${cluster().leases}/watched`;
      const renewTime = async (): Promise<unknown> =>
        (await cluster().request('GET', path)).body.spec?.['renewTime'];
      const claimedAt = await renewTime();
      while ((await renewTime()) === claimedAt) await sleep(100);
      await first.release();
      await until('its release', () => states().length === 3, LIMIT_MS);
      await cluster().request('DELETE', `${cluster().leases}/watched`);
      await watching.said('"deleted"');
      expect(states()).toEqual(['vacant', 'held', 'vacant', 'deleted']);
      watching.signal('SIGINT');
      expect(await watching.exited).toMatchObject({ code: 0, stderr: '' });
    },
    LIMIT_MS,
  );
});

describeEachCluster('metaparticle-sync break', (cluster) => {
  it('takes the lease from that very term, and says what happened', async () => {
    await using cli = await Cli.open(cluster().kubeConfigFile);
    await using client = open(cluster(), 'me');
    const held = await new Lock('broken', { client }).acquire();
    const token = held.fencingToken.toString();
    const wrong = await cli.run('break', 'broken', '--if-token', '1');
    expect(wrong).toMatchObject({ code: 1, stdout: '' });
    expect(wrong.stderr).toContain(`is held by "me" with token ${token}`);
    expect(held.isHeld()).toBe(true);
    const args = ['--if-token', token, '--force', '-o', 'json'];
    const { code, stdout } = await cli.run('break', 'broken', ...args);
    const lost = { name: 'broken', holder: 'me', token };
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ lost, waited: false, free: true });
    await until('the loss', () => held.signal.aborted, LIMIT_MS);
    expect(held.loss).toMatchObject({ reason: 'taken-over' });
  });

  it('waits until its holder has certainly stopped, and then releases it', async () => {
    await using cli = await Cli.open(cluster().kubeConfigFile);
    const path = `${cluster().leases}/short`;
    const spec = { holderIdentity: 'stranger', leaseDurationSeconds: 1 };
    await cluster().request('POST', cluster().leases, { metadata: { name: 'short' }, spec });
    const breaking = cli.start('break', 'short', '--if-holder', 'stranger');
    await breaking.told('may consider the lease held for up to 1s');
    const { body: kept } = await cluster().request('GET', path);
    expect(kept.spec?.['holderIdentity']).not.toBe('');
    const { code, stdout } = await breaking.exited;
    const said = `${cluster().namespace}/short is released (was held by "stranger")\n`;
    expect({ code, stdout }).toEqual({ code: 0, stdout: said });
    const { body: vacant } = await cluster().request('GET', path);
    expect(vacant.spec?.['holderIdentity']).toBe('');
  });

  it.each([
    ['without a duration, for as long as ours', undefined, 15, '15s'],
    ['of a month, although timers are shorter', 2_592_000, 2_592_000, '30d'],
  ])('keeps a lease %s', async (_, seconds, kept, told) => {
    await using cli = await Cli.open(cluster().kubeConfigFile);
    const name = `kept-${kept}`;
    const spec = { holderIdentity: 'stranger', leaseDurationSeconds: seconds };
    await cluster().request('POST', cluster().leases, { metadata: { name }, spec });
    const breaking = cli.start('break', name, '--if-holder', 'stranger');
    await breaking.told(`for up to ${told}`);
    breaking.signal('SIGINT');
    expect(await breaking.exited).toMatchObject({ code: 130, stdout: '' });
    const { body } = await cluster().request('GET', `${cluster().leases}/${name}`);
    expect(body.spec).toMatchObject({ leaseDurationSeconds: kept });
    expect(body.spec?.['holderIdentity']).not.toBe('');
  });

  it('is refused without a term, and where there is none', async () => {
    await using cli = await Cli.open(cluster().kubeConfigFile);
    const ends = await Promise.all([
      cli.run('break', 'forced'),
      cli.run('break', 'no-such', '--if-token', '5'),
    ]);
    expect(ends.map(({ code }) => code)).toEqual([64, 1]);
  });
});

describeEachCluster('metaparticle-sync rbac', (cluster) => {
  it('prints the very rules of the examples, which are those that are needed', async () => {
    await using cli = await Cli.open(cluster().kubeConfigFile);
    const args = ['rbac', '-n', 'pay', '--service-account', 'payments', '--names'];
    const names = ['payments', 'payments-report'];
    const [{ stdout }, json] = await Promise.all([
      cli.run(...args, ...names),
      cli.run(...args, ...names, '-o', 'json'),
    ]);
    const [role, binding] = loadAllYaml(stdout) as Record<string, unknown>[];
    const file = await readFile(join(root, 'examples/deploy/role.yaml'), 'utf8');
    expect(role?.['rules']).toEqual(loadYaml<Record<string, unknown>>(file)['rules']);
    expect(binding).toMatchObject({
      metadata: { namespace: 'pay' },
      subjects: [{ kind: 'ServiceAccount', name: 'payments', namespace: 'pay' }],
    });
    expect(JSON.parse(json.stdout)).toMatchObject({ kind: 'List', items: [role, binding] });
  });

  it('is taken by the API server as it is', async () => {
    if (!cluster().real) return;
    await using cli = await Cli.open(cluster().kubeConfigFile);
    const { stdout } = await cli.run('rbac', '-n', cluster().namespace, '--delete', '--list');
    for (const manifest of loadAllYaml(stdout) as { kind: string }[]) {
      const kinds = `${manifest.kind.toLowerCase()}s`;
      const path = `/apis/rbac.authorization.k8s.io/v1/namespaces/${cluster().namespace}/${kinds}`;
      expect(await cluster().request('POST', path, manifest)).toMatchObject({ status: 201 });
    }
  });
});

describeEachCluster('metaparticle-sync doctor', (cluster) => {
  it('finds everything in order, tries a hand-off, and leaves nothing behind', async () => {
    await using cli = await Cli.open(cluster().kubeConfigFile);
    const { code, stdout } = await cli.run('doctor', '-o', 'json');
    const found = objectsIn<{ check: string; verdict: string; detail: string }>(stdout);
    expect({ code, failed: found.filter(({ verdict }) => verdict === 'failed') }).toEqual({
      ...{ code: 0, failed: [] },
    });
    const byCheck = new Map(found.map((one) => [one.check, one]));
    expect(byCheck.get('hand-off')).toMatchObject({ verdict: 'ok' });
    const rights = cluster().real ? 'ok' : 'skipped';
    expect(byCheck.get('may watch')).toMatchObject({ verdict: rights });
    const { body } = await cluster().request('GET', cluster().leases);
    expect(body.items?.map(({ metadata }) => metadata.name).join()).not.toContain('doctor');
  });

  it('writes nothing where it is only to read', async () => {
    await using cli = await Cli.open(cluster().kubeConfigFile);
    const readOnly = await cli.run('doctor', '--read-only');
    expect(readOnly.stdout).toMatch(/^skipped +hand-off +nothing is to be written$/m);
  });

  it('says what to do when rights are missing', async () => {
    if (!cluster().real) return;
    const user = await cluster().newUser();
    await user.grant(['get', 'update', 'create']);
    const config = configOf(cluster());
    config.users = [{ name: 'user', token: user.token }];
    config.contexts = config.contexts.map((context) => ({ ...context, user: 'user' }));
    await using cli = await cliWith(config, `${cluster().kubeConfigFile}-user`);
    const { stdout, code } = await cli.run('doctor');
    expect(stdout).toMatch(/^weak +may watch +no: hand-offs take seconds/m);
    expect(stdout).toContain(`metaparticle-sync rbac -n ${cluster().namespace}`);
    expect(code).toBe(0);
    await user.grant([]);
    expect(await cli.run('doctor')).toMatchObject({ code: 69 });
  });

  it('says what to do when no API server answers', async () => {
    const config = configOf(cluster());
    config.clusters = [{ name: 'unheard', server: 'https://127.0.0.1:9', skipTLSVerify: true }];
    config.contexts = config.contexts.map((context) => ({ ...context, cluster: 'unheard' }));
    await using cli = await cliWith(config, `${cluster().kubeConfigFile}-unheard`);
    const { code, stdout } = await cli.run('doctor');
    expect(code).toBe(69);
    expect(stdout).toMatch(/^failed +API server +.*cannot be reached/m);
  });
});

function configOf({ kubeConfigFile }: Cluster): KubeConfig {
  const config = new KubeConfig();
  config.loadFromFile(kubeConfigFile);
  return config;
}

async function cliWith(config: KubeConfig, file: string): Promise<Cli> {
  await writeFile(file, config.exportConfig());
  return Cli.open(file);
}
