// The embedded server but for its faults: life, credentials, namespaces, what tests read and write directly.
import { afterAll, describe, expect, it } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import { startLeaseServer } from '@metaparticle/sync/testing';
import { RawClient } from '../../../tools/harness/raw.js';
import {
  BY_NAME,
  clientOf,
  freshManualServer,
  freshServer,
  get,
  lease,
  LEASES,
  MemoryClient,
  post,
  put,
} from './bench.js';

describe('life', () => {
  const bench = freshServer();

  it('serves plain HTTP on a free port and says that it is ready', async () => {
    const { api, client } = bench();
    expect(api.url).toBe(`http://127.0.0.1:${api.port}`);
    expect((await client.request('GET', '/readyz')).status).toBe(200);
    expect((await client.request('GET', '/version')).body).toMatchObject({ major: '1' });
  });

  it('close() ends watches, connections and requests under way, and frees the port', async () => {
    const { api, client } = bench();
    const watch = await client.watch(`${LEASES}?watch=true`);
    api.faults.hang({ match: { verb: 'get' } });
    const hanging = get(bench()).catch(() => 'failed');
    await post(bench());
    await api.close();
    await api.close();
    expect(await watch.next()).toMatchObject({ type: 'ADDED' });
    expect(await watch.next()).toBe('end');
    expect(await hanging).toBe('failed');
    const next = await startLeaseServer({ port: api.port });
    expect(next.port).toBe(api.port);
    await next.close();
  });

  it('is closed at the end of the block that it was started in', async () => {
    const urls: string[] = [];
    {
      await using api = await startLeaseServer();
      urls.push(`${api.url}/readyz`);
      expect((await fetch(`${api.url}/readyz`)).status).toBe(200);
    }
    await expect(fetch(urls[0] ?? '')).rejects.toThrow('fetch failed');
  });

  it('close() cancels what was to be done later', async () => {
    const api = await startLeaseServer({ clock: 'manual' });
    const client = new MemoryClient(api);
    api.faults.commitLate({ afterMs: 50 });
    await expect(post({ client })).rejects.toThrow();
    await api.close();
    await api.advance(1_000);
    expect(api.leases.list()).toEqual([]);
  });

  it('a port that is taken is an error', async () => {
    await expect(startLeaseServer({ port: bench().api.port })).rejects.toThrow('EADDRINUSE');
  });
});

describe('refusals of the server itself', () => {
  const bench = freshServer();

  it.each([
    ['GET', '/apis/apps/v1/deployments', 404],
    ['PATCH', LEASES, 405],
    ['POST', `${LEASES}/one`, 405],
    ['POST', '/apis/coordination.k8s.io/v1/leases', 405],
  ])('%s %s: %d', async (method, path, code) => {
    const { status, body } = await bench().client.request(method, path);
    expect(status).toBe(code);
    expect(body).toMatchObject({ kind: 'Status', status: 'Failure', code });
  });

  it('413 for more than three mebibytes', async () => {
    const annotations = { big: 'x'.repeat(3 * 1024 * 1024) };
    const { status, body } = await post(bench(), lease('one', {}, { annotations }));
    expect(status).toBe(413);
    expect(body).toMatchObject({ reason: 'RequestEntityTooLarge' });
  });

  it('415 for patches other than merge patches', async () => {
    await post(bench());
    const type = { 'content-type': 'application/strategic-merge-patch+json' };
    const { status } = await bench().client.request('PATCH', `${LEASES}/one`, {}, type);
    expect(status).toBe(415);
  });

  it('400 for a label selector that it does not understand', async () => {
    const { status, body } = await bench().client.request('GET', `${LEASES}?labelSelector=a%3E1`);
    expect(status).toBe(400);
    expect(body.message).toContain('this server understands');
  });

  it('422 for a dry run of another kind: nothing is written', async () => {
    const { client, api } = bench();
    expect((await client.request('POST', `${LEASES}?dryRun=Some`, lease())).status).toBe(422);
    expect((await client.request('POST', `${LEASES}?dryRun=All`, lease())).status).toBe(201);
    expect(api.leases.list()).toEqual([]);
  });
});

describe('credentials', () => {
  const bench = freshServer();
  const opened: RawClient[] = [];
  afterAll(() => opened.forEach((client) => client.close()));
  const withHeaders = (headers: Record<string, string>): RawClient => {
    const client = new RawClient({ server: bench().api.url, headers });
    opened.push(client);
    return client;
  };

  it('none: may do nothing, watches included', async () => {
    const anonymous = withHeaders({});
    for (const path of [`${LEASES}/one`, LEASES, `${LEASES}?watch=true`]) {
      const { status, body } = await anonymous.request('GET', path);
      expect(status).toBe(403);
      expect(body.message).toContain('system:anonymous');
    }
  });

  it('a rotation: the new token is good, the old one is 401', async () => {
    const { api } = bench();
    api.acceptToken('old');
    const old = withHeaders({ authorization: 'Bearer old' });
    expect((await old.request('GET', LEASES)).status).toBe(200);
    api.acceptToken('new');
    api.revokeToken('old');
    const { status, body } = await old.request('GET', LEASES);
    expect([status, body['reason']]).toEqual([401, 'Unauthorized']);
    const renewed = withHeaders({ authorization: 'Bearer new' });
    expect((await renewed.request('GET', LEASES)).status).toBe(200);
  });

  it('kubeConfig: adds the token and keeps the headers that are there', async () => {
    const config = bench().api.kubeConfigFor({ namespace: 'team-a', user: 'alice' });
    expect(config.getContextObject(config.getCurrentContext())).toMatchObject({
      namespace: 'team-a',
      user: 'alice',
    });
    expect(config.getContextObject('another')).toBeNull();
    const options = { headers: { Accept: 'application/json' } };
    await config.applyToHTTPSOptions(options);
    const { Accept, Authorization } = options.headers as Record<string, string>;
    const client = withHeaders({ authorization: Authorization ?? '' });
    expect(Accept).toBe('application/json');
    expect((await client.request('GET', LEASES)).status).toBe(200);
    expect(bench().api.requests.log.at(-1)?.user).toBe('alice');
  });

  it('kubeConfig: one token per user, the same each time', () => {
    const { api } = bench();
    expect(api.kubeConfig.getCurrentUser()).toEqual(api.kubeConfigFor({}).getCurrentUser());
    const { token } = api.kubeConfigFor({ user: 'bob' }).getCurrentUser();
    expect(token).not.toBe(api.kubeConfig.getCurrentUser().token);
  });

  it('kubeConfigYaml: what client-node makes of it', () => {
    const { api } = bench();
    const config = new KubeConfig();
    const yaml = api.kubeConfigYaml({
      namespace: 'team-a',
      token: 'a "quoted" token',
      user: 'x: y',
    });
    config.loadFromString(yaml);
    expect(config.getCurrentCluster()).toMatchObject({ server: api.url, skipTLSVerify: true });
    expect(config.getCurrentUser()).toMatchObject({ name: 'x: y', token: 'a "quoted" token' });
    expect(config.getContextObject(config.getCurrentContext())?.namespace).toBe('team-a');
  });
});

describe('namespaces', () => {
  const bench = freshServer({ namespaces: ['default'] });
  const elsewhere = LEASES.replace('default', 'elsewhere');

  it('one that does not exist: creating is 404, until it is made', async () => {
    const { api, client } = bench();
    const refused = await client.request('POST', elsewhere, lease());
    expect(refused.body).toMatchObject({ code: 404, details: { kind: 'namespaces' } });
    api.createNamespace('elsewhere');
    expect((await client.request('POST', elsewhere, lease())).status).toBe(201);
  });

  it('terminating: creating is 403 with its cause, what exists can be written', async () => {
    const { api } = bench();
    const { body: read } = await post(bench());
    api.terminateNamespace('default');
    const { body } = await post(bench(), lease('two'));
    expect(body).toMatchObject({
      ...{ code: 403, reason: 'Forbidden' },
      details: {
        name: 'two',
        causes: [{ reason: 'NamespaceTerminating', field: 'metadata.namespace' }],
      },
    });
    expect((await put(bench(), read, { leaseTransitions: 1 })).status).toBe(200);
  });

  it('removed: its Leases are deleted, with events', async () => {
    const { api, client } = bench();
    const { body } = await post(bench());
    const watch = await client.watch(
      `${LEASES}?watch=true&resourceVersion=${body.metadata.resourceVersion}`,
    );
    api.removeNamespace('default');
    expect(await watch.next()).toMatchObject({
      type: 'DELETED',
      object: { metadata: { name: 'one' } },
    });
    expect((await get(bench())).status).toBe(404);
    expect((await post(bench())).body).toMatchObject({ details: { kind: 'namespaces' } });
  });
});

describe('versions', () => {
  const beyond = 2n ** 53n + 10n;
  const bench = freshServer({ initialVersion: beyond, extraSpecFields: ['priority'] });

  it('beyond what a double can hold are exact, also in watches', async () => {
    const { api, client } = bench();
    const first = (await post(bench())).body.metadata.resourceVersion;
    expect(BigInt(first)).toBe(beyond + 1n);
    const watch = await client.watch(`${LEASES}?watch=true&resourceVersion=${first}`);
    api.leases.edit('default', 'one', (copy) => void (copy.spec.leaseTransitions = 1));
    expect(await watch.next()).toMatchObject({
      type: 'MODIFIED',
      object: { metadata: { resourceVersion: String(beyond + 2n) } },
    });
  });

  it('grow with every write, and have gaps', () => {
    const { api } = bench();
    const versions = ['a', 'b', 'c', 'd'].map((name) => {
      return BigInt(api.leases.create({ metadata: { name } }).metadata.resourceVersion);
    });
    const steps = versions.slice(1).map((version, index) => version - (versions[index] ?? 0n));
    expect(steps.every((step) => step > 0n)).toBe(true);
    expect(steps.some((step) => step > 1n)).toBe(true);
    expect(api.version).toBe(versions.at(-1));
  });

  it('a field of a newer API survives, one of no API is dropped with a warning', async () => {
    const { body, headers } = await post(bench(), lease('one', { priority: 5, other: 1 }));
    expect(body.spec).toEqual({ holderIdentity: 'a', priority: 5 });
    expect(headers.warning).toBe('299 - "unknown field \\"spec.other\\""');
  });
});

describe('an outsider', () => {
  const bench = freshServer();

  it('creates, edits and deletes with versions, owners and events', async () => {
    const { api, client } = bench();
    const watch = await client.watch(`${LEASES}?watch=true&${BY_NAME}`);
    const created = api.leases.create({ metadata: { name: 'one' }, spec: { holderIdentity: 'x' } });
    const edited = api.leases.edit('default', 'one', (copy) => {
      copy.spec.holderIdentity = 'y';
      copy.metadata.name = 'not mine to change';
    });
    api.leases.delete('default', 'one');
    expect(await watch.next()).toMatchObject({ type: 'ADDED', object: created });
    expect(await watch.next()).toMatchObject({ type: 'MODIFIED', object: edited });
    expect(await watch.next()).toMatchObject({ type: 'DELETED', object: { spec: edited.spec } });
    expect(edited.metadata.name).toBe('one');
    expect(edited.metadata.managedFields).toMatchObject([
      { manager: 'outsider', fieldsV1: { 'f:spec': { 'f:holderIdentity': {} } } },
    ]);
    expect(api.leases.get('default', 'one')).toBeUndefined();
  });

  it('takes over the ownership of what it edits', async () => {
    const { api } = bench();
    await post(bench(), lease('one', { leaseTransitions: 1 }));
    const { metadata } = api.leases.edit('default', 'one', (copy) => {
      copy.spec.leaseTransitions = 2;
    });
    const owned = metadata.managedFields?.map(({ manager, fieldsV1 }) => [manager, fieldsV1]);
    expect(Object.fromEntries(owned ?? [])).toEqual({
      unknown: { 'f:spec': { 'f:holderIdentity': {} } },
      outsider: { 'f:spec': { 'f:leaseTransitions': {} } },
    });
  });

  it('plants records that no API server would take, and they are kept by a CAS write', async () => {
    const { api } = bench();
    const spec = {
      holderIdentity: null,
      leaseDurationSeconds: 0,
      strategy: 'OldestEmulationVersion',
    };
    api.leases.create({ metadata: { name: 'one' }, spec: { ...spec, renewTime: 'yesterday' } });
    const { body } = await get(bench());
    expect(body.spec).toEqual({ ...spec, renewTime: 'yesterday' });
    const fixed = { holderIdentity: 'a', leaseDurationSeconds: 1, renewTime: null };
    const { body: written } = await put(bench(), body, fixed);
    expect(written.spec).toMatchObject({ strategy: 'OldestEmulationVersion' });
  });

  it('corrupts without a version or an event', async () => {
    const { api, client } = bench();
    await post(bench());
    const watch = await client.watch(`${LEASES}?watch=true&resourceVersion=${api.version}`);
    api.leases.corrupt('default', 'one', (copy) => {
      copy.metadata.resourceVersion = 'abc';
    });
    expect((await get(bench())).body.metadata.resourceVersion).toBe('abc');
    expect(await watch.next(100)).toBe('silent');
  });

  it('gets copies, and errors about what is not as it thinks', () => {
    const { leases } = bench().api;
    leases.create({ metadata: { name: 'one', namespace: 'other' } });
    const copy = leases.get('other', 'one');
    if (copy !== undefined) copy.spec.holderIdentity = 'changed';
    expect(leases.get('other', 'one')?.spec).toEqual({});
    expect(leases.list('default')).toEqual([]);
    expect(() => leases.create({ metadata: { name: 'one', namespace: 'other' } })).toThrow(
      'exists',
    );
    expect(() => leases.edit('other', 'two', () => undefined)).toThrow('does not exist');
    expect(() => leases.delete('other', 'two')).toThrow('does not exist');
  });
});

describe('requests', () => {
  const lines: string[] = [];
  const bench = freshServer({ log: (line) => lines.push(line) });

  it('are counted by verb, refused and dropped ones too', async () => {
    const { api, client } = bench();
    const { body } = await post(bench());
    await post(bench());
    await put(bench(), body, { leaseTransitions: 1 });
    await get(bench());
    await client.request('GET', LEASES);
    await client.watch(`${LEASES}?watch=true`);
    api.faults.dropBefore({ match: { verb: 'delete' } });
    await expect(client.request('DELETE', `${LEASES}/one`)).rejects.toThrow();
    await client.request('GET', '/readyz');
    expect(api.requests.counts).toEqual({
      ...{ create: 2, update: 1, get: 1, list: 1, watch: 1, delete: 1, patch: 0 },
    });
    expect(api.requests.total).toBe(7);
    api.requests.reset();
    expect([api.requests.total, api.requests.log]).toEqual([0, []]);
  });

  it('are logged with who, what, and what became of them', async () => {
    const { api } = bench();
    const alice = clientOf(api, 'alice');
    await alice.request('POST', LEASES, lease('mine'), { 'user-agent': 'tester/1.0' });
    api.faults.dropAfterCommit();
    await expect(alice.request('DELETE', `${LEASES}/mine`)).rejects.toThrow();
    alice.close();
    const about = { namespace: 'default', name: 'mine', user: 'alice' };
    expect(api.requests.log).toMatchObject([
      { ...about, verb: 'create', userAgent: 'tester/1.0', status: 201, answered: true },
      { ...about, verb: 'delete', status: 200, answered: false },
    ]);
    expect(api.requests.count({ name: 'mine', verb: ['create', 'get'] })).toBe(1);
    expect(api.requests.count(({ answered }) => !answered)).toBe(1);
    expect(lines.at(-1)).toBe('create default/mine 201 alice');
  });
});

describe('the log of requests', () => {
  const bench = freshManualServer();

  it('says when each arrived, by the clock of the server', async () => {
    const { api } = bench();
    api.faults.delay({ requestMs: 500 });
    await api.advance(1_000);
    await api.advanceUntil(get(bench()));
    expect(api.requests.log.map(({ at }) => new Date(at).toISOString())).toEqual([
      '2030-01-01T00:00:01.000Z',
    ]);
    expect(api.now).toBe(1_500);
  });
});
