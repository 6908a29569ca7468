// What the API server or the configuration refuses: rejected at once where waiting would not help, waited out where
// it was allowed before.
import { describe, expect, it } from '@jest/globals';
import {
  ApiError,
  ApiUnreachableError,
  ForbiddenError,
  LockLostError,
  NamespaceError,
  UnauthorizedError,
  UnsupportedLeaseError,
} from '@metaparticle/sync';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { selfSigned } from '../../support/certificate.js';
import { Workshop } from '../../support/child.js';
import { expectError, rejection } from '../../support/promises.js';
import { Cluster, SocketCluster, quickHeldMs } from '../../support/cluster.js';

const update = { verb: 'update' } as const;

describe('rejects at once:', () => {
  it('no kubeconfig and not in a cluster, or none that can be read', async () => {
    await using workshop = await Workshop.open();
    const [missing, garbled] = [join(workshop.folder, 'missing'), join(workshop.folder, 'garbled')];
    await writeFile(garbled, 'clusters: [');
    const script = `
      import { NoClusterConfigError } from './sync/index.js';
      const errors = [];
      for (const file of [undefined, ${JSON.stringify(missing)}, ${JSON.stringify(garbled)}]) {
        delete process.env.KUBECONFIG;
        if (file !== undefined) process.env.KUBECONFIG = file;
        const error = await new Lock('job').acquire().catch((error) => error);
        errors.push({ ...error.toJSON(), isIt: error instanceof NoClusterConfigError });
      }
      console.log(JSON.stringify(errors));`;
    const HOME = join(workshop.folder, 'home');
    const env = { HOME, USERPROFILE: HOME, KUBERNETES_SERVICE_HOST: undefined };
    const { stdout } = await workshop.run(script, { env });
    const errors = JSON.parse(stdout) as { message: string; looked: string[] }[];
    const files = ['not set', missing, garbled];
    expect(errors).toHaveLength(files.length);
    for (const [index, { message, ...error }] of errors.entries()) {
      const expected = { code: 'ERR_NO_CLUSTER_CONFIG', isIt: true, retryable: false };
      expect(error).toMatchObject(expected);
      const looked = [
        `$KUBECONFIG (${files[index] ?? ''})`,
        '~/.kube/config',
        'of a pod (/var/run/',
      ];
      for (const part of looked) expect(message).toContain(part);
      expect(error.looked).toHaveLength(3);
      expect(message).toContain("startLeaseServer() from '@metaparticle/sync/testing'");
    }
  });

  it('an API server that is not to be trusted, by its certificate', async () => {
    const server = createServer(selfSigned(), (_, response) => response.end('{}'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await using cluster = await SocketCluster.start();
    const kubeConfig = { ...cluster.api.kubeConfig, getCurrentCluster: () => ({ server: url }) };
    const lock = cluster.lock('job', { client: cluster.client({ kubeConfig }) });
    const error = await rejection(lock.acquire());
    const parts = [`the API server ${url} is not trusted: self-signed certificate`];
    parts.push('(DEPTH_ZERO_SELF_SIGNED_CERT)', 'check certificate-authority-data');
    const distrusted = expectError(error, ApiUnreachableError, 'ERR_API_UNREACHABLE', ...parts);
    expect(distrusted.retryable).toBe(false);
    expect(distrusted.server).toBe(url);
    server.closeAllConnections();
    server.close();
  });

  it('a first 401', async () => {
    await using cluster = await Cluster.start();
    const kubeConfig = { ...cluster.api.kubeConfig, applyToHTTPSOptions: badToken };
    const lock = cluster.lock('job', { client: cluster.client({ kubeConfig }) });
    for (const call of [() => lock.acquire(), () => lock.tryAcquire()]) {
      const parts = ['does not accept the credentials (401 Unauthorized)', 'check the token'];
      const error = await rejection(call());
      expectError(error, UnauthorizedError, 'ERR_UNAUTHORIZED', ...parts);
    }
    expect(cluster.now).toBe(0);
    expect(cluster.warned).toEqual([]);
  });

  it.each(['get', 'create', 'update'] as const)('a first 403, to %s', async (verb) => {
    await using cluster = await Cluster.start();
    cluster.api.faults.forbid({ verb });
    const error = await rejection(cluster.lock('job').acquire());
    const rule = `{apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["${verb}"]}`;
    const parts = [
      `not allowed to ${verb} leases in namespace default`,
      rule,
      'User "admin" cannot',
    ];
    const forbidden = expectError(error, ForbiddenError, 'ERR_FORBIDDEN', ...parts);
    expect(forbidden).toMatchObject({ verb, resource: 'leases', namespace: 'default', rule });
    expect(cluster.api.requests.counts[verb]).toBe(1);
    // What is said by an error needs no warning.
    expect(cluster.warned).toEqual([]);
  });

  it.each([400, 403, 422])('an admission webhook that answers %d', async (code) => {
    await using cluster = await Cluster.start();
    const message =
      'admission webhook "leases.example.com" denied the request: no locks on Fridays';
    cluster.api.faults.status({ match: { verb: 'create' }, code, reason: 'Forbidden', message });
    const error = await rejection(cluster.lock('job').acquire());
    const words = `the API server refused the request (${code} Forbidden): ${message}`;
    expect(expectError(error, ApiError, 'ERR_API', words)).toMatchObject({
      status: code,
      reason: 'Forbidden',
      serverMessage: message,
      retryable: false,
    });
  });

  it('a namespace that does not exist', async () => {
    await using cluster = await Cluster.start({ namespaces: ['default'] });
    const error = await rejection(cluster.lock('job', { namespace: 'nowhere' }).acquire());
    const parts = ['no Lease can be created in namespace nowhere: namespaces "nowhere" not found'];
    parts.push('create the namespace, or name another one by the option "namespace"');
    expect(expectError(error, NamespaceError, 'ERR_NAMESPACE', ...parts).namespace).toBe('nowhere');
  });

  it('a namespace that is terminating', async () => {
    await using cluster = await Cluster.start();
    cluster.api.terminateNamespace('default');
    const error = await rejection(cluster.lock('job').acquire());
    const parts = [
      'no Lease can be created in namespace default',
      'because it is being terminated',
    ];
    expectError(error, NamespaceError, 'ERR_NAMESPACE', ...parts);
  });

  it('a Lease of coordinated leader election', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('job', { strategy: 'OldestEmulationVersion', holderIdentity: '' });
    const before = cluster.api.leases.get('default', 'job');
    const lock = cluster.lock('job');
    for (const call of [() => lock.acquire(), () => lock.tryAcquire()]) {
      const parts = ['Lease default/job cannot be used', 'its strategy OldestEmulationVersion'];
      const error = await rejection(call());
      expectError(error, UnsupportedLeaseError, 'ERR_UNSUPPORTED_LEASE', ...parts);
    }
    expect(cluster.api.leases.get('default', 'job')).toEqual(before);
  });

  it('a resourceVersion that is no decimal integer', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('job', { holderIdentity: '' });
    cluster.api.leases.corrupt('default', 'job', ({ metadata }) => {
      metadata.resourceVersion = 'v5-beta';
    });
    const error = await rejection(cluster.lock('job').acquire());
    const parts = ['Lease default/job cannot be used', 'no decimal integer, so no fencing token'];
    expectError(error, UnsupportedLeaseError, 'ERR_UNSUPPORTED_LEASE', ...parts);
    expect(cluster.api.requests.counts.update).toBe(0);
  });
});

describe('without the right to watch and list, a lock', () => {
  it('works on by polling each 2 s, with one warning for each client', async () => {
    await using cluster = await Cluster.start();
    cluster.api.faults.forbid({ verb: ['watch', 'list'] });
    const held = await cluster.elsewhere('job', 'other').acquire();
    const waiting = cluster.lock('job').acquire();
    await cluster.advance(6_500);
    const polls = cluster.api.requests.log.filter(({ verb, at }) => {
      return verb === 'get' && at > cluster.date.getTime() - 6_000;
    });
    expect(polls).toHaveLength(3);
    await held.release();
    const handle = await cluster.settled(waiting);
    expect(cluster.now).toBe(8_000);
    await handle.release();
    await (await cluster.lock('another').acquire()).release();
    await cluster.advance(0);
    expect(cluster.warned).toEqual(['WATCH_FORBIDDEN', 'WATCH_FORBIDDEN']);
    const { message, cause } = cluster.warnings[0] ?? {};
    expect(message).toContain('leases in namespace default cannot be watched, only polled');
    expect(message).toContain('verbs: ["watch"]');
    expectError(cause, ForbiddenError, 'ERR_FORBIDDEN', 'not allowed to watch leases');
  });
});

describe('while a lock is held,', () => {
  const refusals = [
    ['401', (cluster: Cluster) => revokeFor(cluster)],
    ['403', (cluster: Cluster) => cluster.api.faults.forbid(update)],
  ] as const;

  it.each(refusals)('a %s ends it no sooner than its time is up', async (_, refuse) => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('job').acquire();
    refuse(cluster);
    await cluster.until('the loss', () => handle.signal.aborted);
    expect(cluster.now).toBe(quickHeldMs);
    const parts = [
      /^lock default\/job \(token \d+\) is not held any more: it could not be renewed in time$/,
    ];
    const loss = expectError(handle.signal.reason, LockLostError, 'ERR_LOCK_LOST', ...parts);
    expect(loss.reason).toBe('expired');
    expect((loss.cause as { code: string }).code).toMatch(/ERR_(UNAUTHORIZED|FORBIDDEN)/);
    expect(cluster.warned).toContain('ACCESS_LOST');
  });

  it.each(refusals)('a %s that is lifted in time does not end it', async (_, refuse) => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('job').acquire();
    const fault = refuse(cluster);
    // One renewal is refused; the next one comes a second later.
    await cluster.advance(1_700);
    expect(cluster.api.requests.log.filter(isRefused)).toHaveLength(1);
    fault.remove();
    await cluster.advance(2 * quickHeldMs);
    expect(handle.isHeld()).toBe(true);
    expect(cluster.warned.filter((code) => code === 'ACCESS_LOST')).toHaveLength(1);
    expect(await handle.release()).toBe(true);
  });

  it('its namespace may terminate: it is renewed and released', async () => {
    await using cluster = await Cluster.start();
    const handle = await cluster.lock('job').acquire();
    cluster.api.terminateNamespace('default');
    await cluster.advance(quickHeldMs + 500);
    expect(handle.isHeld()).toBe(true);
    expect(await handle.release()).toBe(true);
    const error = await rejection(cluster.lock('another').acquire());
    expectError(error, NamespaceError, 'ERR_NAMESPACE', 'because it is being terminated');
  });
});

describe('while a lock is waited for,', () => {
  it('a 403 after it was allowed is waited out, with one warning', async () => {
    await using cluster = await Cluster.start();
    cluster.occupy('job', { leaseDurationSeconds: 60 });
    const waiting = cluster.lock('job').acquire();
    await cluster.advance(100);
    cluster.api.faults.forbid({});
    cluster.api.faults.closeWatches();
    await cluster.advance(20_000);
    cluster.api.faults.clear();
    cluster.vacate('job');
    expect((await cluster.settled(waiting)).isHeld()).toBe(true);
    expect(cluster.warned.filter((code) => code === 'ACCESS_LOST')).toHaveLength(1);
    const refused = 'lock default/job: refused for now: not allowed to get leases in namespace';
    const warning = cluster.warnings.find(({ code }) => code === 'ACCESS_LOST');
    expect(warning?.message).toContain(refused);
  });
});

function badToken(options: object): Promise<void> {
  Object.assign(options, { headers: { Authorization: 'Bearer of-nobody' } });
  return Promise.resolve();
}

function isRefused({ status }: { readonly status: number | null }): boolean {
  return status === 401 || status === 403;
}

/** The one token of this cluster gets a 401, until removed. */
function revokeFor({ api }: Cluster): { remove: () => void } {
  const { token } = api.kubeConfig.getCurrentUser();
  api.revokeToken(token);
  return { remove: () => api.acceptToken(token) };
}
