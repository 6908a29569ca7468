// What operators ask the command line, on every cluster there is.
import { expect, it } from '@jest/globals';
import { KubeConfig, loadAllYaml, loadYaml } from '@kubernetes/client-node';
import { LeaseClient, Lock } from '@metaparticle/sync';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../support/promises.js';
import { root } from '../../../tools/docs/source.js';
import { Cli, shell } from '../command-line.js';
import { describeEachCluster } from '../../support/each-cluster.js';
import type { Cluster } from '../../../tools/harness/cluster.js';

/** So short that it can be waited out, with four renewals to miss. */
const QUICK = { leaseDurationMs: 6_000, renewIntervalMs: 1_000, marginMs: 1_000 };
const LIMIT_MS = 300_000;

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

/** As it stands in the record, in milliseconds since the epoch. */
async function acquiredAt({ request, leases }: Cluster, name: string): Promise<number> {
  const { body } = await request('GET', `${leases}/${name}`);
  return Date.parse(String(body.spec?.['acquireTime']));
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
      const json = await cli.run('status', '-o', 'json');
      const told = objectsIn<Told>(json.stdout);
      expect(told.map(({ name, state, kind, holder }) => [name, state, kind, holder])).toEqual([
        ['elector', 'held', 'client-go', 'go_1'],
        ['heartbeat', 'held', 'foreign', 'go_1'],
        ['held', 'held', 'ours', 'me'],
        ['late', 'overdue', 'client-go', 'go_1'],
        ['vacant', 'vacant', null, null],
      ]);
      expect(told[2]).toMatchObject({ token: held.fencingToken.toString(), durationSeconds: 15 });
      const table = await cli.run('status', 'held');
      expect(table.stdout).toMatch(/^NAME +STATE +HOLDER .*\nheld +held +me +ours +\d+ /);
      const everywhere = await cli.run('status', '-A');
      expect(everywhere.stdout).toMatch(new RegExp(`^${cluster().namespace} +held +held`, 'm'));
      expect(await cli.run('status', 'none')).toMatchObject({ code: 1, stdout: '' });
      expect(await cli.run('status', 'held', '-A')).toMatchObject({ code: 64, stdout: '' });
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
  it(
    'takes the lease from that very term, waits until its holder has surely stopped, and frees it',
    async () => {
      await using cli = await Cli.open(cluster().kubeConfigFile);
      await using client = open(cluster(), 'me');
      const lock = new Lock('broken', { client, ...QUICK });
      const held = await lock.acquire();
      const token = held.fencingToken.toString();
      const wrong = await cli.run('break', 'broken', '--if-token', '1');
      expect(wrong).toMatchObject({ code: 1, stdout: '' });
      expect(wrong.stderr).toContain(`it is the term ${token} of "me"`);
      expect(held.isHeld()).toBe(true);
      const breaking = cli.start('break', 'broken', '--if-token', token);
      await until('the loss', () => !held.isHeld(), LIMIT_MS);
      expect(held.loss).toMatchObject({ reason: 'taken-over' });
      const takenAt = await acquiredAt(cluster(), 'broken');
      const next = lock.acquire();
      const { code, stdout } = await breaking.exited;
      expect({ code, stdout }).toMatchObject({ code: 0 });
      expect(stdout).toContain(`"me" lost it, term ${token}`);
      const after = await next;
      const waitedMs = (await acquiredAt(cluster(), 'broken')) - takenAt;
      // A record's time is at least a second after the one that it replaced, so it may be ahead by that.
      expect(waitedMs).toBeGreaterThanOrEqual(QUICK.leaseDurationMs - 1_000);
      expect(after.fencingToken).toBeGreaterThan(held.fencingToken + 1n);
      await after.release();
      const nobody = await cli.run('break', 'broken', '--if-token', token);
      expect(nobody.stderr).toContain(`nobody holds ${cluster().namespace}/broken`);
      expect(nobody.code).toBe(1);
    },
    LIMIT_MS,
  );

  it(
    'goes by the holder where there is no token, skips the wait when forced, and takes no coordinated lease',
    async () => {
      await using cli = await Cli.open(cluster().kubeConfigFile);
      await using client = open(cluster(), 'me');
      const held = await new Lock('forced', { client }).acquire();
      const forced = await cli.run('break', 'forced', '--if-holder', 'me', '--force', '-o', 'json');
      const lost = { name: 'forced', holder: 'me', token: held.fencingToken.toString() };
      expect(JSON.parse(forced.stdout)).toMatchObject({ lost, waited: false });
      await until('the loss', () => held.signal.aborted, LIMIT_MS);
      expect(await cli.run('break', 'forced')).toMatchObject({ code: 64 });
      expect(await cli.run('break', 'no-such', '--if-token', '5')).toMatchObject({ code: 1 });
    },
    LIMIT_MS,
  );
});

describeEachCluster('metaparticle-sync break, of a record without a duration', (cluster) => {
  it('keeps it for as long as ours last', async () => {
    await using cli = await Cli.open(cluster().kubeConfigFile);
    const path = `${cluster().leases}/endless`;
    const lease = { metadata: { name: 'endless' }, spec: { holderIdentity: 'stranger' } };
    expect(await cluster().request('POST', cluster().leases, lease)).toMatchObject({ status: 201 });
    const breaking = cli.start('break', 'endless', '--if-holder', 'stranger');
    await breaking.told('may believe to hold it for 15000 ms');
    const { body } = await cluster().request('GET', path);
    expect(body.spec).toMatchObject({ leaseDurationSeconds: 15 });
    expect(body.spec?.['holderIdentity']).not.toBe('');
    await breaking.kill();
  });
});

describeEachCluster('metaparticle-sync rbac', (cluster) => {
  it('prints the very rules of the examples, which are those that are needed', async () => {
    await using cli = await Cli.open(cluster().kubeConfigFile);
    const args = ['rbac', '-n', 'pay', '--service-account', 'payments', '--names'];
    const { stdout } = await cli.run(...args, 'payments', 'payments-report');
    const [role, binding] = loadAllYaml(stdout) as Record<string, unknown>[];
    const file = await readFile(join(root, 'examples/deploy/role.yaml'), 'utf8');
    expect(role?.['rules']).toEqual(loadYaml<Record<string, unknown>>(file)['rules']);
    expect(binding).toMatchObject({
      metadata: { namespace: 'pay' },
      subjects: [{ kind: 'ServiceAccount', name: 'payments', namespace: 'pay' }],
    });
    const json = await cli.run(...args, 'payments', 'payments-report', '-o', 'json');
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
  it(
    'finds everything in order, tries a hand-off, and leaves nothing behind',
    async () => {
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
      const readOnly = await cli.run('doctor', '--read-only');
      expect(readOnly.stdout).toMatch(/^skipped +hand-off +nothing is to be written$/m);
    },
    LIMIT_MS,
  );

  it(
    'says what to do when rights are missing, and when no API server answers',
    async () => {
      const user = await cluster().newUser();
      await user.grant(['get', 'update', 'create']);
      const config = new KubeConfig();
      config.loadFromFile(cluster().kubeConfigFile);
      config.users = [{ name: 'user', token: user.token }];
      config.contexts = config.contexts.map((context) => ({ ...context, user: 'user' }));
      const file = `${cluster().kubeConfigFile}-user`;
      await writeFile(file, config.exportConfig());
      await using cli = await Cli.open(file);
      const { stdout, code } = await cli.run('doctor');
      if (cluster().real) {
        expect(stdout).toMatch(/^weak +may watch +no: hand-offs take seconds/m);
        expect(stdout).toContain(`metaparticle-sync rbac -n ${cluster().namespace}`);
        expect(code).toBe(0);
        await user.grant([]);
        expect(await cli.run('doctor')).toMatchObject({ code: 69 });
      }
      const unheard = { name: 'unheard', server: 'https://127.0.0.1:9', skipTLSVerify: true };
      config.clusters = [unheard];
      config.contexts = config.contexts.map((context) => ({ ...context, cluster: 'unheard' }));
      await writeFile(file, config.exportConfig());
      const nobody = await cli.run('doctor');
      expect(nobody.code).toBe(69);
      expect(nobody.stdout).toMatch(/^failed +API server +.*cannot be reached/m);
      const none = await cli.run('lock', 'x', '--timeout', '1s', ...shell('true'));
      expect(none.code).toBe(69);
    },
    LIMIT_MS,
  );
});
