// Every knob of the embedded server that meets requests: what the client sees, and what was really done.
import { describe, expect, it } from '@jest/globals';
import { request } from 'node:http';
import { startLeaseServer, type Faults } from '@metaparticle/sync/testing';
import {
  after,
  freshManualServer,
  freshServer,
  get,
  lease,
  LEASES,
  MemoryClient,
  post,
  put,
} from './bench.js';

/** Long enough for whatever comes at all. */
const LONG_MS = 3_600_000;

const bench = freshManualServer();
const stored = (name = 'one') => bench().api.leases.get('default', name);

describe('delay', () => {
  it('of the request: done late', async () => {
    bench().api.faults.delay({ requestMs: 200 });
    const answer = post(bench());
    expect(await after(bench(), 199, answer)).toBe('pending');
    expect(stored()).toBeUndefined();
    expect(await after(bench(), 1, answer)).toMatchObject({ status: 201 });
    expect(stored()).toBeDefined();
  });

  it('of the response: done at once, told late', async () => {
    bench().api.faults.delay({ responseMs: 200 });
    const answer = post(bench());
    expect(await after(bench(), 199, answer)).toBe('pending');
    expect(stored()).toBeDefined();
    expect(await after(bench(), 1, answer)).toMatchObject({ status: 201 });
  });

  it('several add up', async () => {
    const { faults } = bench().api;
    faults.delay({ requestMs: 100 });
    faults.delay({ requestMs: 100, responseMs: 100 });
    await bench().api.advanceUntil(get(bench()));
    expect(bench().api.now).toBe(300);
  });

  it('does not call back a request whose client hangs up: the write is done', async () => {
    const { api } = bench();
    api.faults.delay({ requestMs: 100 });
    const client = new MemoryClient(api);
    const gone = client.request('POST', LEASES, lease());
    expect(await after(bench(), 50, gone)).toBe('pending');
    client.close();
    await expect(gone).rejects.toThrow('the client is gone');
    expect(stored()).toBeUndefined();
    await api.advance(50);
    expect(stored()).toBeDefined();
  });
});

describe('lost requests and replies', () => {
  it('dropBefore: nothing is done', async () => {
    const fault = bench().api.faults.dropBefore({ times: 1 });
    await expect(post(bench())).rejects.toThrow();
    expect(stored()).toBeUndefined();
    expect((await post(bench())).status).toBe(201);
    expect(fault.hits).toBe(1);
  });

  it('dropAfterCommit: it is done', async () => {
    bench().api.faults.dropAfterCommit({ times: 1 });
    await expect(post(bench())).rejects.toThrow();
    expect(stored()).toBeDefined();
    expect((await post(bench())).body).toMatchObject({ reason: 'AlreadyExists' });
  });

  it('dropAfterCommit: of writes only, unless verbs are named', async () => {
    const { faults } = bench().api;
    faults.dropAfterCommit({ match: { name: 'one' } });
    expect((await get(bench())).status).toBe(404);
    faults.dropAfterCommit({ match: { verb: 'get' } });
    await expect(get(bench())).rejects.toThrow();
  });

  it('commitLate: failed now, done later', async () => {
    bench().api.faults.commitLate({ afterMs: 100 });
    await expect(post(bench())).rejects.toThrow();
    await bench().api.advance(99);
    expect(stored()).toBeUndefined();
    await bench().api.advance(1);
    expect(stored()).toBeDefined();
  });

  it('commitLate: loses the compare-and-swap against what happened meanwhile', async () => {
    const { api } = bench();
    const { body } = await post(bench());
    api.faults.commitLate({ afterMs: 100, times: 1 });
    await expect(put(bench(), body, { holderIdentity: 'late' })).rejects.toThrow();
    expect((await put(bench(), body, { holderIdentity: 'quick' })).status).toBe(200);
    await api.advance(100);
    expect(stored()?.spec.holderIdentity).toBe('quick');
    expect(api.requests.log.map(({ status }) => status)).toEqual([201, 409, 200]);
  });

  it('commitLate, silent: no answer, and done', async () => {
    bench().api.faults.commitLate({ afterMs: 50, connection: 'silent' });
    expect(await after(bench(), LONG_MS, post(bench()))).toBe('pending');
    expect(stored()).toBeDefined();
  });

  it('hang: no answer, nothing done; other requests are served', async () => {
    const fault = bench().api.faults.hang({ match: { verb: 'create' } });
    expect(await after(bench(), LONG_MS, post(bench()))).toBe('pending');
    expect((await get(bench())).status).toBe(404);
    fault.remove();
    expect((await post(bench())).status).toBe(201);
  });

  it('hang with honorTimeout: 504 when the time of the request is over', async () => {
    bench().api.faults.hang({ honorTimeout: true });
    const { client } = bench();
    const answer = client.request('POST', `${LEASES}?timeout=100ms`, lease());
    expect(await after(bench(), 99, answer)).toBe('pending');
    const body = { code: 504, reason: 'Timeout' };
    expect(await after(bench(), 1, answer)).toMatchObject({ body });
    expect(stored()).toBeUndefined();
  });
});

describe('refusals', () => {
  it('status: code, reason, message, Retry-After', async () => {
    const { faults } = bench().api;
    const message = 'admission webhook "guard.example.com" denied the request: no';
    faults.status({ code: 429, reason: 'TooManyRequests', message, retryAfterSeconds: 7 });
    const { status, body, headers } = await post(bench());
    expect([status, headers['retry-after']]).toEqual([429, '7']);
    expect(body).toMatchObject({ kind: 'Status', reason: 'TooManyRequests', message, code: 429 });
    expect(body.details).toEqual({ retryAfterSeconds: 7 });
    expect(stored()).toBeUndefined();
  });

  it('status: a raw body', async () => {
    bench().api.faults.status({ code: 502, body: '<h1>Bad Gateway</h1>', retryAfterSeconds: 1 });
    const { status, body, headers } = await post(bench());
    expect([status, body['text']]).toEqual([502, '<h1>Bad Gateway</h1>']);
    expect(headers['content-type']).toContain('text/html');
    expect(headers['retry-after']).toBe('1');
  });

  it('status after the commit: refused and done', async () => {
    bench().api.faults.status({ code: 504, afterCommit: true });
    expect((await post(bench())).status).toBe(504);
    expect(stored()).toBeDefined();
  });

  it('forbid: by verb and user, until it is removed', async () => {
    const { api } = bench();
    const fault = api.faults.forbid({ verb: ['get', 'list'], user: 'alice' });
    const alice = new MemoryClient(api, 'alice');
    const { body } = await alice.request('GET', `${LEASES}/one`);
    expect(body.message).toBe(
      'leases.coordination.k8s.io "one" is forbidden: User "alice" cannot get resource "leases" ' +
        'in API group "coordination.k8s.io" in the namespace "default"',
    );
    const all = await alice.request('GET', '/apis/coordination.k8s.io/v1/leases');
    expect(all.body.message).toContain('cannot list resource "leases"');
    expect(all.body.message).toContain('at the cluster scope');
    expect((await get(bench())).status).toBe(404);
    fault.remove();
    expect((await alice.request('GET', `${LEASES}/one`)).status).toBe(404);
  });

  it('forbid create: a PUT may replace and not create', async () => {
    const { api, client } = bench();
    const { body } = await post(bench());
    api.faults.forbid({ verb: 'create' });
    expect((await put(bench(), body, { leaseTransitions: 1 })).status).toBe(200);
    const { status } = await client.request('PUT', `${LEASES}/two`, lease('two'));
    expect(status).toBe(403);
    expect(stored('two')).toBeUndefined();
  });
});

describe('clockSkew', () => {
  const hour = 3_600_000;
  const offset = (text: string | undefined): number =>
    Date.parse(text ?? '') - bench().api.date.getTime();

  it('moves the Date header and the times of writes', async () => {
    bench().api.faults.clockSkew(-hour);
    const { body, headers } = await post(bench());
    const { creationTimestamp, managedFields } = body.metadata;
    const times = [headers.date, String(creationTimestamp), managedFields?.[0]?.time];
    expect(times.map(offset)).toEqual([-hour, -hour, -hour]);
  });

  it('may differ by request: servers whose clocks differ', async () => {
    bench().api.faults.clockSkew(hour, { match: { verb: 'get' } });
    const { body } = await post(bench());
    const { headers } = await get(bench());
    expect(offset(body.metadata.managedFields?.[0]?.time)).toBe(0);
    expect(offset(headers.date)).toBe(hour);
  });
});

describe('which requests, and how often', () => {
  it('name, namespace, predicate: all that is given must fit', async () => {
    const { api, client } = bench();
    api.faults.status({ code: 500, match: { name: 'one', namespace: 'default' } });
    api.faults.status({ code: 501, match: ({ user }) => user === 'stranger' });
    expect((await post(bench())).status).toBe(500);
    expect((await post(bench(), lease('two'))).status).toBe(201);
    const elsewhere = LEASES.replace('default', 'elsewhere');
    expect((await client.request('POST', elsewhere, lease())).status).toBe(201);
    expect((await new MemoryClient(api, 'stranger').request('GET', LEASES)).status).toBe(501);
  });

  it('the name of a list or watch is what its field selector allows', async () => {
    const { api, client } = bench();
    api.faults.status({ code: 500, match: { name: 'one' } });
    const list = (query: string) => client.request('GET', `${LEASES}?${query}`);
    expect((await list('fieldSelector=metadata.name%3Done')).status).toBe(500);
    expect((await list('fieldSelector=metadata.name%3Dtwo')).status).toBe(200);
    expect((await list('')).status).toBe(200);
  });

  it('times: and then no more', async () => {
    const fault = bench().api.faults.status({ code: 503, times: 2 });
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push((await get(bench())).status);
    expect(statuses).toEqual([503, 503, 404]);
    expect(fault.hits).toBe(2);
  });

  it('clear() removes every one', async () => {
    const { faults } = bench().api;
    faults.status({ code: 503 });
    faults.dropBefore();
    faults.clear();
    expect((await get(bench())).status).toBe(404);
  });

  it('together: the loss of a request decides over its refusal, and delays apply', async () => {
    const { faults } = bench().api;
    faults.status({ code: 503, match: { verb: 'get' } });
    faults.delay({ responseMs: 100 });
    const refused = get(bench());
    expect(await after(bench(), 99, refused)).toBe('pending');
    expect(await after(bench(), 1, refused)).toMatchObject({ status: 503 });
    faults.dropBefore();
    await expect(get(bench())).rejects.toThrow();
  });
});

describe('pause', () => {
  it('answers nothing, then everything in the order of arrival', async () => {
    const { api, client } = bench();
    const { body } = await post(bench());
    api.pause();
    const first = put(bench(), body, { holderIdentity: 'first' });
    expect(await after(bench(), LONG_MS, first)).toBe('pending');
    const second = put(bench(), body, { holderIdentity: 'second' });
    const ready = client.request('GET', '/readyz');
    expect(await after(bench(), LONG_MS, Promise.race([second, ready]))).toBe('pending');
    expect(stored()?.spec.holderIdentity).toBe('a');
    api.resume();
    expect([(await first).status, (await second).status]).toEqual([200, 409]);
    expect((await ready).status).toBe(200);
  });

  it('handles requests whose client is gone', async () => {
    const { api } = bench();
    api.pause();
    const client = new MemoryClient(api);
    const gone = client.request('POST', LEASES, lease());
    expect(await after(bench(), LONG_MS, gone)).toBe('pending');
    client.close();
    await expect(gone).rejects.toThrow('the client is gone');
    expect(stored()).toBeUndefined();
    api.resume();
    await api.advance(0);
    expect(stored()).toBeDefined();
  });

  it('holds replies that were ready, and the news of watches', async () => {
    const { api, client } = bench();
    const watch = await client.watch(`${LEASES}?watch=true`);
    api.faults.delay({ responseMs: 100, match: { verb: 'create' } });
    const answer = post(bench());
    expect(await watch.next(50)).toMatchObject({ type: 'ADDED' });
    api.pause();
    api.leases.edit('default', 'one', (copy) => void (copy.spec.leaseTransitions = 1));
    expect(await after(bench(), LONG_MS, answer)).toBe('pending');
    expect(await watch.next()).toBe('silent');
    api.resume();
    expect((await answer).status).toBe(201);
    expect(await watch.next()).toMatchObject({ type: 'MODIFIED' });
  });
});

describe('pause over sockets', () => {
  const onPort = freshServer();

  it('accepts connections', async () => {
    const { api } = onPort();
    api.pause();
    const connected = new Promise((resolve, reject) => {
      const outgoing = request(api.url, (response) => response.resume());
      outgoing.once('socket', (socket) => socket.once('connect', () => resolve('connected')));
      outgoing.once('error', reject).end();
    });
    expect(await connected).toBe('connected');
    api.resume();
  });
});

describe('a port that is none', () => {
  it.each(['x', -1, 65_536, 1.5, null])('is refused: %p', (port) => {
    expect(() => startLeaseServer({ port } as never)).toThrow('from 0 to 65535');
  });
});

describe('a knob that is misspelt', () => {
  it.each<[string, (faults: Faults) => unknown, string]>([
    [
      'an option',
      (faults) => faults.stallWatch({ wich: 'open' } as never),
      'stallWatch: wich is not',
    ],
    [
      'a choice',
      (faults) => faults.stallWatch({ which: 'new' } as never),
      'must be one of open, all',
    ],
    ['a delay', (faults) => faults.delay({ ms: 5 } as never), 'delay: ms is not'],
    ['a verb', (faults) => faults.forbid({ verb: 'UPDATE' } as never), 'verb must be one of get'],
    ['a pattern', (faults) => faults.hang({ match: { nam: 'x' } } as never), 'match: nam is not'],
  ])('%s: is refused', (_, turn, words) => {
    expect(() => turn(bench().api.faults)).toThrow(words);
  });

  it('in the options of a kubeconfig: is refused', () => {
    const options = { ns: 'x' } as never;
    expect(() => bench().api.kubeConfigFor(options)).toThrow('kubeConfig: ns is not an option');
  });

  it('in the options of the server: is refused', () => {
    expect(() => startLeaseServer({ Port: 3 } as never)).toThrow('startLeaseServer: Port is not');
  });
});
