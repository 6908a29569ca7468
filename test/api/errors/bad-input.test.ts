// What bad input and bad days get: each row of the table in the README, by class, code and message.
import { describe, expect, it } from '@jest/globals';
import {
  AcquireTimeoutError,
  ApiError,
  ApiUnreachableError,
  ForbiddenError,
  InvalidOptionError,
  LeaseClient,
  Lock,
  LockLostError,
  NamespaceError,
  UnauthorizedError,
  UnsupportedLeaseError,
} from '@metaparticle/sync';
import type { LeaseServer, LoggedRequest } from '@metaparticle/sync/testing';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { selfSigned } from '../../support/certificate.js';
import { Workshop } from '../../support/child.js';
import { elapsed, expectError, rejection, sleep, thrown, until } from '../../support/promises.js';
import { SocketCluster, longAgo, quick, quickBeliefMs } from '../../support/cluster.js';

const read = { verb: 'get' } as const;
const update = { verb: 'update' } as const;

type BadOption = [option: string, construct: () => unknown, ...parts: string[]];

describe('bad options', () => {
  it.each<BadOption>([
    [
      'name',
      () => new Lock('Nightly Report'),
      'name: must be a name for a Lease',
      '"Nightly Report"',
    ],
    [
      'leaseDurationMs',
      () => new Lock('job', { leaseDurationMs: 15_500 }),
      'leaseDurationMs: must be whole seconds, since the Lease stores seconds; got 15500',
    ],
    [
      'renewIntervalMs',
      () => new Lock('job', { renewIntervalMs: 7_000 }),
      '2 × 7000 + 1000 = 15000 > 15000 − 2000 = 13000; take at most 6000',
    ],
    ['renewIntervalMs', () => new Lock('job', { renewIntervalMs: 900 }), 'from 1000 to', 'got 900'],
    ['marginMs', () => new Lock('job', { marginMs: 100 }), 'from 500 to', 'got 100'],
    [
      'leaseDuration',
      () => new Lock('job', { leaseDuration: 15 } as object),
      'leaseDuration: is not an option; there are leaseDurationMs, renewIntervalMs',
    ],
    ['kubeconfig', () => new LeaseClient({ kubeconfig: 1 } as object), 'there are kubeConfig,'],
    [
      'client',
      () => new Lock('job', { client: {} as never }),
      'must be a LeaseClient of this copy',
    ],
  ])('%s: refused at construction, with value and bound', (option, construct, ...parts) => {
    const error = expectError(
      thrown(construct),
      InvalidOptionError,
      'ERR_INVALID_OPTION',
      ...parts,
    );
    expect(error.option).toBe(option);
  });

  it('are refused in calls, too, before anything is asked', async () => {
    await using world = await SocketCluster.start();
    const lock = world.lock('job');
    const calls: [string, Promise<unknown>][] = [
      ['timeoutMs', lock.acquire({ timeoutMs: -1 })],
      ['timeoutMs', lock.acquire({ timeoutMs: NaN })],
      ['timeout', lock.acquire({ timeout: 5 } as object)],
      ['timeoutMs', lock.tryAcquire({ timeoutMs: 5 } as object)],
      ['timeoutMs', lock.withLock(() => 1, { timeoutMs: -1 })],
    ];
    for (const [option, call] of calls) {
      const error = await rejection(call);
      expect(expectError(error, InvalidOptionError, 'ERR_INVALID_OPTION').option).toBe(option);
    }
    expect(world.api.requests.total).toBe(0);
  });
});

interface Trouble {
  readonly title: string;
  readonly start: (api: LeaseServer) => unknown;
  readonly words: RegExp;
  /** Without an answer, that is only known when the limit of the request is over. */
  readonly isSilent?: boolean;
}

const troubles: readonly Trouble[] = [
  { title: 'nobody listens', start: (api) => api.close(), words: /ECONNREFUSED/ },
  {
    title: '429',
    start: ({ faults }) => faults.status({ code: 429, retryAfterSeconds: 30 }),
    words: /gives no answer: 429/,
  },
  {
    title: '500',
    start: ({ faults }) => faults.status({ code: 500, message: 'etcd is away' }),
    words: /gives no answer: 500 .*etcd is away/,
  },
  {
    title: 'the 503 of a proxy',
    start: ({ faults }) => faults.status({ code: 503, body: '<h1>Bad Gateway</h1>' }),
    words: /gives no answer: 503 +Bad Gateway/,
  },
  {
    title: 'dropped connections',
    start: ({ faults }) => faults.dropBefore(),
    words: /cannot be reached: socket hang up/,
  },
  {
    title: 'no answer',
    start: ({ faults }) => faults.hang(),
    words: /no answer within|no usable answer/,
    isSilent: true,
  },
];

type Outsider = (world: SocketCluster) => void;
const outsiders: readonly (readonly [string, Outsider, 'deleted' | 'taken-over', string])[] = [
  [
    'is deleted',
    ({ api }) => api.leases.delete('default', 'job'),
    'deleted',
    'the Lease was deleted',
  ],
  [
    'is deleted and made anew',
    (world) => {
      world.api.leases.delete('default', 'job');
      world.occupy('job');
    },
    'deleted',
    'the Lease was deleted',
  ],
  [
    'gets another holder',
    ({ api }) =>
      api.leases.edit('default', 'job', ({ spec }) => void (spec.holderIdentity = 'other')),
    'taken-over',
    'the Lease names another holder',
  ],
  [
    'is claimed by another elector',
    ({ api }) =>
      api.leases.edit('default', 'job', ({ spec }) => {
        spec.holderIdentity = 'other';
        spec.acquireTime = spec.renewTime = '2030-01-01T00:00:00.000000Z';
      }),
    'taken-over',
    'the Lease names another holder',
  ],
  [
    'is emptied',
    ({ api }) => api.leases.edit('default', 'job', ({ spec }) => void (spec.holderIdentity = '')),
    'taken-over',
    'the Lease names another holder',
  ],
];

// One block, since Jest lets only tests of one block wait beside each other.
describe('bad days', () => {
  it.concurrent(
    'no kubeconfig and not in a cluster, or none that can be read: rejects at once',
    async () => {
      await using workshop = await Workshop.open();
      const [missing, garbled] = [
        join(workshop.folder, 'missing'),
        join(workshop.folder, 'garbled'),
      ];
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
        expect(error).toMatchObject({
          code: 'ERR_NO_CLUSTER_CONFIG',
          isIt: true,
          retryable: false,
        });
        const looked = [
          `$KUBECONFIG (${files[index] ?? ''})`,
          '~/.kube/config',
          'of a pod (/var/run/',
        ];
        for (const part of looked) expect(message).toContain(part);
        expect(error.looked).toHaveLength(3);
        expect(message).toContain("startLeaseServer() from '@metaparticle/sync/testing'");
      }
    },
  );

  it.concurrent('401 at first: rejects at once', async () => {
    await using world = await SocketCluster.start();
    world.api.revokeToken(world.api.kubeConfig.getCurrentUser().token);
    const kubeConfig = { ...world.api.kubeConfig, applyToHTTPSOptions: badToken };
    const lock = world.lock('job', { client: world.client({ kubeConfig }) });
    for (const call of [() => lock.acquire(), () => lock.tryAcquire()]) {
      const parts = ['does not accept the credentials (401 Unauthorized)', 'check the token'];
      const error = await rejection(call());
      expectError(error, UnauthorizedError, 'ERR_UNAUTHORIZED', ...parts);
    }
    expect(world.warned).toEqual([]);
  });

  it.concurrent.each(['get', 'create', 'update'] as const)(
    '403 to %s at first: rejects at once',
    async (verb) => {
      await using world = await SocketCluster.start();
      world.api.faults.forbid({ verb });
      const error = await rejection(world.lock('job').acquire());
      const rule = `{apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["${verb}"]}`;
      const parts = [
        `not allowed to ${verb} leases in namespace default`,
        rule,
        'User "admin" cannot',
      ];
      const forbidden = expectError(error, ForbiddenError, 'ERR_FORBIDDEN', ...parts);
      expect(forbidden).toMatchObject({ verb, resource: 'leases', namespace: 'default', rule });
      expect(world.api.requests.counts[verb]).toBe(1);
      // What is told as an error need not be told as a warning.
      expect(world.warned).toEqual([]);
    },
  );

  it.concurrent('a server that is not to be trusted: rejects at once', async () => {
    const server = createServer(selfSigned(), (_, response) => response.end('{}'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await using world = await SocketCluster.start();
    const kubeConfig = { ...world.api.kubeConfig, getCurrentCluster: () => ({ server: url }) };
    const lock = world.lock('job', { client: world.client({ kubeConfig }) });
    const error = await rejection(lock.acquire());
    const parts = [`the API server ${url} is not trusted: self-signed certificate`];
    parts.push('(DEPTH_ZERO_SELF_SIGNED_CERT)', 'check certificate-authority-data');
    const distrusted = expectError(error, ApiUnreachableError, 'ERR_API_UNREACHABLE', ...parts);
    expect(distrusted.retryable).toBe(false);
    expect(distrusted.server).toBe(url);
    server.closeAllConnections();
    server.close();
  });

  it.concurrent.each([400, 403, 422])(
    'an admission webhook that answers %d: rejects at once',
    async (code) => {
      await using world = await SocketCluster.start();
      const message =
        'admission webhook "leases.example.com" denied the request: no locks on Fridays';
      world.api.faults.status({ match: { verb: 'create' }, code, reason: 'Forbidden', message });
      const error = await rejection(world.lock('job').acquire());
      const words = `the API server refused the request (${code} Forbidden): ${message}`;
      expect(expectError(error, ApiError, 'ERR_API', words)).toMatchObject({
        status: code,
        reason: 'Forbidden',
        serverMessage: message,
        retryable: false,
      });
    },
  );

  it.concurrent('a namespace that does not exist: rejects at once', async () => {
    await using world = await SocketCluster.start({ namespaces: ['default'] });
    const error = await rejection(world.lock('job', { namespace: 'nowhere' }).acquire());
    const parts = ['no Lease can be created in namespace nowhere: namespaces "nowhere" not found'];
    parts.push('create the namespace, or name another one by the option "namespace"');
    expect(expectError(error, NamespaceError, 'ERR_NAMESPACE', ...parts).namespace).toBe('nowhere');
  });

  it.concurrent('a namespace that is terminating: rejects at once', async () => {
    await using world = await SocketCluster.start();
    world.api.terminateNamespace('default');
    const error = await rejection(world.lock('job').acquire());
    const parts = [
      'no Lease can be created in namespace default',
      'because it is being terminated',
    ];
    expectError(error, NamespaceError, 'ERR_NAMESPACE', ...parts);
  });

  it.concurrent('a Lease of coordinated leader election: rejects at once', async () => {
    await using world = await SocketCluster.start();
    world.occupy('job', { strategy: 'OldestEmulationVersion', holderIdentity: '' });
    const before = world.api.leases.get('default', 'job');
    const lock = world.lock('job');
    for (const call of [() => lock.acquire(), () => lock.tryAcquire()]) {
      const parts = ['Lease default/job cannot be used', 'its strategy OldestEmulationVersion'];
      const error = await rejection(call());
      expectError(error, UnsupportedLeaseError, 'ERR_UNSUPPORTED_LEASE', ...parts);
    }
    expect(world.api.leases.get('default', 'job')).toEqual(before);
  });

  it.concurrent('a resourceVersion that is no decimal integer: rejects at once', async () => {
    await using world = await SocketCluster.start();
    world.occupy('job', { holderIdentity: '' });
    world.api.leases.corrupt('default', 'job', ({ metadata }) => {
      metadata.resourceVersion = 'v5-beta';
    });
    const error = await rejection(world.lock('job').acquire());
    const parts = ['Lease default/job cannot be used', 'no decimal integer, so no fencing token'];
    expectError(error, UnsupportedLeaseError, 'ERR_UNSUPPORTED_LEASE', ...parts);
    expect(world.api.requests.counts.update).toBe(0);
  });

  it.concurrent('403 to watch and list: works on by polling, with one warning', async () => {
    await using world = await SocketCluster.start();
    world.api.faults.forbid({ verb: ['watch', 'list'] });
    const held = await world.elsewhere('job', 'other').acquire();
    const waiting = world.lock('job').acquire();
    await until('a poll', () => world.api.requests.counts.get >= 3, 6_000);
    await held.release();
    const releasedAt = performance.now();
    const handle = await waiting;
    expect(performance.now() - releasedAt).toBeLessThan(3_000);
    await handle.release();
    await (await world.lock('another').acquire()).release();
    // One per client: there are two.
    expect(world.warned).toEqual(['WATCH_FORBIDDEN', 'WATCH_FORBIDDEN']);
    const { message, cause } = world.warnings[0] ?? {};
    expect(message).toContain('leases in namespace default cannot be watched, only polled');
    expect(message).toContain('verbs: ["watch"]');
    expectError(cause, ForbiddenError, 'ERR_FORBIDDEN', 'not allowed to watch leases');
  });

  it.concurrent.each([
    ['401', (world: SocketCluster) => revokeFor(world)],
    ['403', (world: SocketCluster) => world.api.faults.forbid(update)],
  ])('%s while holding: belief goes on until its end', async (_, refuse) => {
    await using world = await SocketCluster.start();
    const handle = await world.lock('job').acquire();
    const beliefEndsAt = performance.now() + handle.remainingMs();
    refuse(world);
    await until('a loss', () => handle.signal.aborted, 6_000);
    const lateMs = performance.now() - beliefEndsAt;
    expect(lateMs).toBeGreaterThan(-20);
    expect(lateMs).toBeLessThan(1_000);
    const parts = [
      /^lock default\/job \(token \d+\) is not held any more: it could not be renewed in time$/,
    ];
    const loss = expectError(handle.signal.reason, LockLostError, 'ERR_LOCK_LOST', ...parts);
    expect(loss.reason).toBe('expired');
    expect((loss.cause as { code: string }).code).toMatch(/ERR_(UNAUTHORIZED|FORBIDDEN)/);
    expect(world.warned).toContain('ACCESS_LOST');
  });

  it.concurrent.each([
    ['401', (world: SocketCluster) => revokeFor(world)],
    ['403', (world: SocketCluster) => world.api.faults.forbid(update)],
  ])('%s while holding, lifted in time: the lock is kept', async (_, refuse) => {
    await using world = await SocketCluster.start();
    const handle = await world.lock('job').acquire();
    const fault = refuse(world);
    await until('a refusal', () => world.api.requests.log.some(isRefused), 3_000);
    await sleep(700);
    fault.remove();
    await sleep(quickBeliefMs);
    expect(handle.isHeld()).toBe(true);
    expect(world.warned.filter((code) => code === 'ACCESS_LOST')).toHaveLength(1);
    expect(await handle.release()).toBe(true);
  });

  it.concurrent('403 while waiting, after it was allowed: waits on, with one warning', async () => {
    await using world = await SocketCluster.start();
    world.occupy('job', { leaseDurationSeconds: 60 });
    const waiting = world.lock('job').acquire();
    const isLooked = ({ verb, answered }: LoggedRequest): boolean => verb === 'get' && answered;
    await until('a first look', () => world.api.requests.log.some(isLooked));
    await sleep(100);
    world.api.faults.forbid({});
    world.api.faults.closeWatches();
    await until('a warning', () => world.warned.includes('ACCESS_LOST'), 6_000);
    world.api.faults.clear();
    world.api.leases.edit('default', 'job', ({ spec }) => void (spec.holderIdentity = ''));
    expect((await waiting).isHeld()).toBe(true);
    expect(world.warned.filter((code) => code === 'ACCESS_LOST')).toHaveLength(1);
    const refused = 'lock default/job: refused for now: not allowed to get leases in namespace';
    const warning = world.warnings.find(({ code }) => code === 'ACCESS_LOST');
    expect(warning?.message).toContain(refused);
  });

  it.concurrent(
    'a namespace that terminates under a held lock: the lock is renewed and released',
    async () => {
      await using world = await SocketCluster.start();
      const handle = await world.lock('job').acquire();
      world.api.terminateNamespace('default');
      await sleep(quickBeliefMs + 500);
      expect(handle.isHeld()).toBe(true);
      expect(await handle.release()).toBe(true);
      const error = await rejection(world.lock('another').acquire());
      expectError(error, NamespaceError, 'ERR_NAMESPACE', 'because it is being terminated');
    },
  );

  it.concurrent.each(troubles)(
    '$title: tryAcquire gives up after 5 s',
    async ({ start, words }) => {
      await using world = await SocketCluster.start();
      await start(world.api);
      const call = world.lock('job').tryAcquire();
      const tookMs = await elapsed(call);
      expect(tookMs).toBeGreaterThan(4_800);
      expect(tookMs).toBeLessThan(8_000);
      const parts = [
        /^lock default\/job: the API server gave no usable answer within 5000 ms: /,
        words,
      ];
      const error = await rejection(call);
      const unreachable = expectError(error, ApiUnreachableError, 'ERR_API_UNREACHABLE', ...parts);
      expect(unreachable).toMatchObject({ retryable: true, server: world.url });
    },
  );

  it.concurrent.each(troubles)(
    '$title: acquire waits, and says why it could not',
    async ({ start, words, isSilent = false }) => {
      await using world = await SocketCluster.start();
      await start(world.api);
      const error = await rejection(world.lock('job').acquire({ timeoutMs: 1_500 }));
      const parts = [
        // A timer of Node.js may be a millisecond early by the clock that tells how long it was.
        /^lock default\/job not acquired within (1499|(1[5-9]|2\d)\d\d) ms: no holder was seen/,
      ];
      const timedOut = expectError(error, AcquireTimeoutError, 'ERR_ACQUIRE_TIMEOUT', ...parts);
      expect(timedOut).toMatchObject({ holder: null, lock: 'default/job', retryable: true });
      expect(timedOut.waitedMs).toBeGreaterThanOrEqual(1_499);
      if (isSilent) return;
      expectError(timedOut.cause, ApiUnreachableError, 'ERR_API_UNREACHABLE', words);
      expect(timedOut.message).toMatch(/; last failure: the API server /);
    },
  );

  it.concurrent.each(['<h1>404 Not Found</h1>', ''])(
    'the 404 of a proxy in front is no loss (%j)',
    async (body) => {
      await using world = await SocketCluster.start();
      const handle = await world.lock('job').acquire();
      const match = { verb: ['get', 'update'] } as const;
      const fault = world.api.faults.status({ match, code: 404, body, times: 2 });
      await sleep(quickBeliefMs);
      expect(fault.hits).toBe(2);
      expect(handle.isHeld()).toBe(true);
      expect(await handle.release()).toBe(true);
    },
  );

  it.concurrent('an API server in trouble is tried again within the budget', async () => {
    await using world = await SocketCluster.start();
    world.api.faults.status({ match: read, code: 500, times: 1 });
    world.api.faults.dropBefore({ match: { verb: 'create' }, times: 1 });
    world.api.faults.hang({ match: update, times: 1 });
    const handle = await world.lock('job').tryAcquire();
    expect(handle?.isHeld()).toBe(true);
  });

  it.concurrent(
    'an API server in trouble is left alone for as long as Retry-After says',
    async () => {
      await using world = await SocketCluster.start();
      world.api.faults.status({ match: read, code: 429, retryAfterSeconds: 2, times: 1 });
      const startedAt = performance.now();
      await world.lock('job').acquire();
      expect(performance.now() - startedAt).toBeGreaterThan(1_900);
      expect(performance.now() - startedAt).toBeLessThan(4_000);
    },
  );

  it.concurrent(
    'an API server in trouble is asked again before belief ends, whatever Retry-After says',
    async () => {
      await using world = await SocketCluster.start();
      const handle = await world.lock('job').acquire();
      const acquiredAt = Date.now();
      world.api.faults.status({ match: update, code: 429, retryAfterSeconds: 60, times: 1 });
      await sleep(quickBeliefMs + 1_000);
      expect(handle.isHeld()).toBe(true);
      const sent = world.api.requests.log.filter(
        ({ verb, at }) => verb === 'update' && at > acquiredAt + 100,
      );
      expect(sent[0]?.status).toBe(429);
      // Not at once either: the server asked to be left alone.
      expect((sent[1]?.at ?? 0) - (sent[0]?.at ?? 0)).toBeGreaterThan(1_000);
    },
  );

  it.concurrent('a lock that somebody holds: acquire times out and says who', async () => {
    await using world = await SocketCluster.start();
    world.occupy('job', { leaseDurationSeconds: 60 });
    const error = await rejection(world.lock('job').acquire({ timeoutMs: 1_000 }));
    const parts = [/^lock default\/job not acquired within \d+ ms: held by "stranger"$/];
    const timedOut = expectError(error, AcquireTimeoutError, 'ERR_ACQUIRE_TIMEOUT', ...parts);
    expect(timedOut.holder).toBe('stranger');
    expect(timedOut.cause).toBeUndefined();
  });

  it.concurrent.each([
    ['a null holder', { holderIdentity: null }],
    ['no holder', { holderIdentity: undefined }],
    ['an empty holder', { holderIdentity: '' }],
    [
      'nothing at all',
      {
        holderIdentity: undefined,
        leaseDurationSeconds: undefined,
        acquireTime: undefined,
        renewTime: undefined,
        leaseTransitions: undefined,
      },
    ],
    [
      'only nulls',
      {
        holderIdentity: null,
        leaseDurationSeconds: null,
        acquireTime: null,
        renewTime: null,
        leaseTransitions: null,
      },
    ],
  ])('a foreign record with %s is vacant', async (_, spec) => {
    await using world = await SocketCluster.start();
    world.occupy('job', spec);
    const handle = await world.lock('job').tryAcquire();
    expect(handle?.isHeld()).toBe(true);
    expect(world.spec('job')).toMatchObject({ holderIdentity: 'me', leaseDurationSeconds: 4 });
    expect(await handle?.release()).toBe(true);
  });

  it.concurrent.each([
    ['no duration is waited for as long as our own', { leaseDurationSeconds: undefined }, 4_000],
    ['a null duration likewise', { leaseDurationSeconds: null }, 4_000],
    ['a duration of its own is waited for so long', { leaseDurationSeconds: 2 }, 2_000],
    [
      'times that do not parse is timed by our own clock',
      { renewTime: 'yesterday', acquireTime: 'x', leaseDurationSeconds: 2 },
      2_000,
    ],
    [
      'no times likewise',
      { renewTime: null, acquireTime: undefined, leaseDurationSeconds: 2 },
      2_000,
    ],
    [
      'times in the future likewise',
      { renewTime: '2099-01-01T00:00:00.000000Z', leaseDurationSeconds: 2 },
      2_000,
    ],
  ])('a foreign record with %s', async (_, spec, waitMs) => {
    await using world = await SocketCluster.start();
    world.occupy('job', spec);
    const startedAt = performance.now();
    const handle = await world.lock('job').acquire();
    const tookMs = performance.now() - startedAt;
    expect(tookMs).toBeGreaterThanOrEqual(waitMs - 5);
    expect(tookMs).toBeLessThan(waitMs + 1_900);
    expect(await handle.release()).toBe(true);
  });

  it.concurrent('a foreign record with all transitions used up can be claimed', async () => {
    await using world = await SocketCluster.start();
    world.occupy('job', { holderIdentity: '', leaseTransitions: 2 ** 31 - 1 });
    expect((await world.lock('job').tryAcquire())?.isHeld()).toBe(true);
    expect(world.spec('job').leaseTransitions).toBe(2 ** 31 - 1);
  });

  it.concurrent('a foreign record keeps what we do not understand', async () => {
    await using world = await SocketCluster.start({ extraSpecFields: ['newField'] });
    const metadata = {
      name: 'job',
      labels: { team: 'a' },
      annotations: { 'example.com/note': 'keep me', 'sync.metaparticle.io/term': 'no JSON' },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'u-1' }],
      finalizers: ['example.com/guard'],
    };
    const spec = { holderIdentity: null, renewTime: longAgo, newField: { deep: [1, null] } };
    world.api.leases.create({ metadata, spec });
    const handle = await world.lock('job').acquire();
    const { annotations, ...rest } = metadata;
    const kept = { ...rest, annotations: { 'example.com/note': annotations['example.com/note'] } };
    const held = world.api.leases.get('default', 'job');
    expect(held).toMatchObject({ metadata: kept, spec: { newField: { deep: [1, null] } } });
    await handle.release();
    const after = world.api.leases.get('default', 'job');
    expect(after).toMatchObject({ metadata: kept, spec: { newField: { deep: [1, null] } } });
    expect(after?.metadata.annotations).toEqual(kept.annotations);
  });

  it.concurrent.each(outsiders)(
    'a held Lease that %s is lost at once',
    async (_, act, reason, words) => {
      await using world = await SocketCluster.start();
      const handle = await world
        .lock('job', { leaseDurationMs: 15_000, renewIntervalMs: 6_000 })
        .acquire();
      await until('a watch', () => world.api.requests.counts.watch > 0);
      await sleep(100);
      const updates = world.api.requests.counts.update;
      act(world);
      await until('the loss', () => handle.signal.aborted, 1_000);
      // By the watch: no renewal was due that could have found out.
      expect(world.api.requests.counts.update).toBe(updates);
      const loss = expectError(handle.signal.reason, LockLostError, 'ERR_LOCK_LOST', words);
      expect(loss).toMatchObject({
        reason,
        lock: 'default/job',
        fencingToken: handle.fencingToken,
      });
      expect(handle.isHeld()).toBe(false);
      expect(await handle.release()).toBe(false);
    },
  );

  it.concurrent.each(outsiders)(
    'a held Lease that %s behind a stalled watch is lost at the next renewal',
    async (_, act, reason) => {
      await using world = await SocketCluster.start();
      world.api.faults.stallWatch();
      const handle = await world.lock('job').acquire();
      await sleep(100);
      act(world);
      const after = world.api.leases.get('default', 'job');
      await until('the loss', () => handle.signal.aborted, quick.renewIntervalMs + 1_000);
      expect(handle.signal.reason).toMatchObject({ code: 'ERR_LOCK_LOST', reason });
      expect(await handle.release()).toBe(false);
      expect(world.api.leases.get('default', 'job')).toEqual(after);
    },
  );
});

function badToken(options: object): Promise<void> {
  Object.assign(options, { headers: { Authorization: 'Bearer of-nobody' } });
  return Promise.resolve();
}

function isRefused({ status }: { readonly status: number | null }): boolean {
  return status === 401 || status === 403;
}

/** The one token of this world gets a 401, until removed. */
function revokeFor({ api }: SocketCluster): { remove: () => void } {
  const { token } = api.kubeConfig.getCurrentUser();
  api.revokeToken(token);
  return { remove: () => api.acceptToken(token) };
}
