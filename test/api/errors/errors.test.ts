import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import * as sync from '@metaparticle/sync';
import { LeaseClient, SyncError, isSyncError } from '@metaparticle/sync';
import type { SyncErrorCode } from '@metaparticle/sync';
import type { BaseLeaseServer, FaultHandle } from '@metaparticle/sync/testing';
import debug from 'debug';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { inspect } from 'node:util';
import { expectError, rejection, thrown } from '../../support/promises.js';
import { Cluster, SocketCluster } from '../../support/cluster.js';

const cause = new TypeError('the cause');

/** One of each, as the library makes them. */
function samples(errors: typeof sync) {
  const unreachable = new errors.ApiUnreachableError(
    'no answer from the API server',
    'https://api:6443',
    { cause },
  );
  return {
    InvalidOptionError: new errors.InvalidOptionError('marginMs', 5, 'must be more'),
    AcquireTimeoutError: new errors.AcquireTimeoutError('ns/job', 'pod-1', 1234.5, unreachable),
    LockLostError: new errors.LockLostError('ns/job', 'expired', 2n ** 60n, unreachable),
    UnauthorizedError: new errors.UnauthorizedError('Unauthorized'),
    ForbiddenError: new errors.ForbiddenError('update', 'leases', 'ns', 'forbidden'),
    NamespaceError: new errors.NamespaceError('ns', 'namespaces "ns" not found'),
    NoClusterConfigError: new errors.NoClusterConfigError(['$KUBECONFIG', 'the pod'], cause),
    ApiUnreachableError: unreachable,
    ApiError: new errors.ApiError(422, 'Invalid', 'spec is wrong'),
    UnsupportedLeaseError: new errors.UnsupportedLeaseError('ns/job', 'it is strange'),
    ClosedError: new errors.ClosedError(),
  };
}

const codes: Readonly<Record<keyof ReturnType<typeof samples>, SyncErrorCode>> = {
  InvalidOptionError: 'ERR_INVALID_OPTION',
  AcquireTimeoutError: 'ERR_ACQUIRE_TIMEOUT',
  LockLostError: 'ERR_LOCK_LOST',
  UnauthorizedError: 'ERR_UNAUTHORIZED',
  ForbiddenError: 'ERR_FORBIDDEN',
  NamespaceError: 'ERR_NAMESPACE',
  NoClusterConfigError: 'ERR_NO_CLUSTER_CONFIG',
  ApiUnreachableError: 'ERR_API_UNREACHABLE',
  ApiError: 'ERR_API',
  UnsupportedLeaseError: 'ERR_UNSUPPORTED_LEASE',
  ClosedError: 'ERR_CLOSED',
};
type Name = keyof typeof codes;
const names = Object.keys(codes) as Name[];
const all = samples(sync);

describe('every error class', () => {
  it('is exported and has a sample here', () => {
    const exported = Object.entries(sync)
      .filter(([, value]) => typeof value === 'function' && value.prototype instanceof SyncError)
      .map(([name]) => name);
    expect(exported.sort()).toEqual([...names, 'SyncWarning'].sort());
  });

  it('has a code of its own', () => {
    const given = Object.fromEntries(names.map((name) => [name, all[name].code]));
    expect(given).toEqual(codes);
    expect(new Set(Object.values(given)).size).toBe(names.length);
  });

  it.each(names)('%s is an Error and a SyncError that says its name', (name) => {
    const error = all[name];
    expect(error).toBeInstanceOf(Error);
    expect(error).toBeInstanceOf(SyncError);
    expect(error).toBeInstanceOf(sync[name]);
    expect(error.name).toBe(name);
    expect(String(error)).toBe(`${name}: ${error.message}`);
    expect(error.stack).toContain('errors.test.ts');
  });

  it.each(names)('%s has a message of one line, without holes', (name) => {
    expect(all[name].message).not.toMatch(/\n|undefined|null|\[object|NaN/);
    expect(all[name].message.length).toBeGreaterThan(20);
  });

  it.each(names)('%s: retryable only where trying again may help by itself', (name) => {
    expect(all[name].retryable).toBe(['AcquireTimeoutError', 'ApiUnreachableError'].includes(name));
  });
});

describe('toJSON', () => {
  it.each(names)('%s survives JSON', (name) => {
    const { message, code, retryable } = all[name];
    const parsed = JSON.parse(JSON.stringify(all[name])) as object;
    expect(parsed).toMatchObject({ name, message, code, retryable });
  });

  it('writes tokens as strings, however large', () => {
    expect(all.LockLostError.toJSON()).toMatchObject({
      lock: 'ns/job',
      reason: 'expired',
      fencingToken: '1152921504606846976',
    });
  });

  it('has every public field', () => {
    expect(all.ForbiddenError.toJSON()).toEqual({
      name: 'ForbiddenError',
      code: 'ERR_FORBIDDEN',
      message: all.ForbiddenError.message,
      retryable: false,
      verb: 'update',
      resource: 'leases',
      namespace: 'ns',
      serverMessage: 'forbidden',
      rule: '{apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["update"]}',
    });
    expect(all.AcquireTimeoutError.toJSON()).toMatchObject({ holder: 'pod-1', waitedMs: 1234.5 });
  });

  it('follows causes: ours in full, others by name and message', () => {
    expect(all.AcquireTimeoutError.toJSON()).toMatchObject({
      cause: {
        code: 'ERR_API_UNREACHABLE',
        server: 'https://api:6443',
        cause: { name: 'TypeError', message: 'the cause' },
      },
    });
  });

  it('of a lock without a cause has no cause', () => {
    expect(all.ClosedError.toJSON()).not.toHaveProperty('cause');
    expect(all.ClosedError).not.toHaveProperty('cause');
  });

  it('of an option that JSON cannot say still works', () => {
    const circular: unknown[] = [];
    circular.push(circular);
    for (const value of [5n, circular, () => 5, Symbol('five'), { deep: 5n }]) {
      const error = new sync.InvalidOptionError('marginMs', value, 'must be more');
      expect(error.message).toMatch(/^marginMs: must be more; got ./);
      expect(() => JSON.stringify(error)).not.toThrow();
    }
  });
});

describe('messages', () => {
  it('tell who held a lock that was not had, for how long, and what went wrong last', () => {
    const { AcquireTimeoutError } = sync;
    expect(all.AcquireTimeoutError.message).toBe(
      'lock ns/job not acquired within 1235 ms: held by "pod-1"; last failure: no answer from the API server',
    );
    expect(all.AcquireTimeoutError.cause).toBe(all.ApiUnreachableError);
    const quiet = new AcquireTimeoutError('ns/job', null, 10);
    expect(quiet.message).toBe('lock ns/job not acquired within 10 ms: no holder was seen');
  });

  it.each([
    ['expired', 'it could not be renewed in time'],
    ['taken-over', 'the Lease names another holder'],
    ['deleted', 'the Lease was deleted'],
    ['released', 'this process gave it up: released, or its client was closed'],
  ] as const)('tell why a lock was lost: %s', (reason, words) => {
    const { message } = new sync.LockLostError('ns/job', reason, 77n);
    expect(message).toBe(`lock ns/job (token 77) is not held any more: ${words}`);
  });

  it('tell what to change', () => {
    expect(all.ForbiddenError.message).toContain(all.ForbiddenError.rule);
    expect(all.UnauthorizedError.message).toContain('check the token, certificate or exec plugin');
    expect(all.NamespaceError.message).toContain('create the namespace, or name another one');
    expect(all.NoClusterConfigError.message).toContain("'@metaparticle/sync/testing'");
    expect(all.NoClusterConfigError.message).toContain('$KUBECONFIG, the pod');
    expect(all.ClosedError.message).toContain('make a new one');
  });
});

describe('isSyncError', () => {
  let copy: typeof sync;
  beforeAll(async () => {
    jest.resetModules();
    copy = await import('@metaparticle/sync');
  });

  it('tells errors apart by code', () => {
    expect(isSyncError(all.LockLostError)).toBe(true);
    expect(isSyncError(all.LockLostError, 'ERR_LOCK_LOST')).toBe(true);
    expect(isSyncError(all.LockLostError, 'ERR_CLOSED')).toBe(false);
    expect(isSyncError(new sync.SyncWarning('RENEWAL_LATE', 'late'), 'RENEWAL_LATE')).toBe(true);
  });

  it.each([
    [undefined],
    [null],
    ['ERR_CLOSED'],
    [{ code: 'ERR_CLOSED', name: 'ClosedError', message: '' }],
    [new Error('closed')],
    [Object.assign(new Error('closed'), { code: 'ERR_CLOSED' })],
  ])('is not taken in by %p', (value) => {
    expect(isSyncError(value)).toBe(false);
    expect(isSyncError(value, 'ERR_CLOSED')).toBe(false);
  });

  it.each(names)('knows a %s of another installed copy, and the other way round', (name) => {
    const foreign = samples(copy)[name];
    expect(foreign).not.toBeInstanceOf(sync[name]);
    expect(isSyncError(foreign, codes[name])).toBe(true);
    expect(copy.isSyncError(all[name], codes[name])).toBe(true);
  });
});

describe('credentials', () => {
  const secret = 'eyJhbGciOiJSUzI1NiJ9.c2VjcmV0LW9mLW5vYm9keQ.c2lnbmF0dXJl';

  const answers: readonly ((api: BaseLeaseServer) => FaultHandle)[] = [
    ({ faults }) => faults.forbid({}),
    ({ faults }) => faults.status({ code: 500 }),
    ({ faults }) => faults.status({ code: 400, body: '<html>Bad Request</html>' }),
    ({ faults }) => faults.dropBefore(),
    ({ faults }) => faults.hang(),
  ];
  /** What Node.js makes errors of, which may carry the request that failed. */
  const breaks: typeof answers = [
    ({ faults }) => faults.dropBefore(),
    ({ faults }) => faults.hang(),
  ];

  it('are in no error, warning, diagnostics message or trace, whatever goes wrong', async () => {
    await using cluster = await Cluster.start();
    const told = await tellOf(cluster, answers, (lock) =>
      cluster.settled(rejection(lock.acquire({ timeoutMs: 5_000 }))),
    );
    expect(told.length).toBeGreaterThan(100);
    for (const one of told) expect(everything(one)).not.toContain(secret);
  });

  it('are in none of them over real sockets either', async () => {
    await using cluster = await SocketCluster.start();
    const told = await tellOf(cluster, breaks, (lock) =>
      rejection(lock.acquire({ timeoutMs: 300 })),
    );
    expect(told.length).toBeGreaterThan(10);
    for (const one of told) expect(everything(one)).not.toContain(secret);
  });

  it('are not shown when a kubeconfig of the wrong kind is given', async () => {
    await using cluster = await SocketCluster.start();
    const yaml = cluster.api.kubeConfigYaml({ token: secret });
    const unloaded = { clusters: [], users: [{ name: 'admin', user: { token: secret } }] };
    for (const kubeConfig of [yaml, unloaded]) {
      const error = thrown(() => new LeaseClient({ kubeConfig: kubeConfig as never }));
      const parts = ['kubeConfig: must be a KubeConfig of @kubernetes/client-node (loaded)'];
      expectError(error, sync.InvalidOptionError, 'ERR_INVALID_OPTION', ...parts);
      expect(everything(error)).not.toContain(secret);
    }
  });

  it('are not shown when a kubeconfig is given as the client', async () => {
    await using cluster = await Cluster.start();
    const config = { ...cluster.api.kubeConfig, users: [{ name: 'admin', token: secret }] };
    const error = thrown(() => new sync.Lock('job', { client: config as never }));
    expectError(error, sync.InvalidOptionError, 'ERR_INVALID_OPTION', 'must be a LeaseClient');
    expect(everything(error)).not.toContain(secret);
  });

  it('of an authenticator that fails are not handed on', async () => {
    await using cluster = await Cluster.start();
    const applyToHTTPSOptions = (): Promise<void> => {
      return Promise.reject(new Error(`exec plugin said: {"token":"${secret}"}`));
    };
    const kubeConfig = { ...cluster.api.kubeConfig, applyToHTTPSOptions };
    const lock = cluster.lock('job', { client: cluster.client({ kubeConfig }) });
    const error = await rejection(lock.acquire());
    const parts = ['the kubeconfig gives no credentials', 'exec plugin said'];
    expectError(error, sync.ApiUnreachableError, 'ERR_API_UNREACHABLE', ...parts);
    expect(everything(error)).not.toContain(secret);
  });

  /** All that is said while each of these goes wrong, the token is revoked, and the server is gone. */
  async function tellOf(
    cluster: Cluster | SocketCluster,
    troubles: readonly ((api: BaseLeaseServer) => FaultHandle)[],
    fail: (lock: sync.Lock) => Promise<unknown>,
  ): Promise<unknown[]> {
    const told: unknown[] = [];
    const hear = (message: unknown): number => told.push(message);
    debug.enable('metaparticle:*');
    debug.log = hear;
    for (const name of Object.values(sync.diagnosticsChannels)) subscribe(name, hear);
    const kubeConfig = cluster.api.kubeConfigFor({ token: secret });
    const lock = cluster.lock('job', { client: cluster.client({ kubeConfig, onWarning: hear }) });
    for (const trouble of troubles) {
      const fault = trouble(cluster.api);
      told.push(await fail(lock));
      fault.remove();
    }
    cluster.api.revokeToken(secret);
    told.push(await fail(lock));
    await cluster.api.close();
    told.push(await fail(lock));
    debug.disable();
    for (const name of Object.values(sync.diagnosticsChannels)) unsubscribe(name, hear);
    return told;
  }

  /** All that a log could make of it. */
  function everything(value: unknown): string {
    const asJson = value instanceof SyncError ? JSON.stringify(value) : '';
    return inspect(value, { depth: null, showHidden: true, maxStringLength: null }) + asJson;
  }
});
