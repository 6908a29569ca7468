// The wire over real sockets. What it has in common with other wires is in wire-port.test.ts; here is what only sockets
// have. Limits and pauses are on a manual clock: a test waits for what happens, never for time.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Agent } from 'node:http';
import type { RequestOptions } from 'node:https';
import { connect as connectTcp, createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { KubeConfigLike } from '../../../src/lease/kube/config.js';
import type { Authorized } from '../../../src/lease/kube/endpoint.js';
import { Endpoint } from '../../../src/lease/kube/endpoint.js';
import { KubeEventRecorder } from '../../../src/lease/kube/event-recorder.js';
import type { ExchangeRequest, ExchangeResult } from '../../../src/lease/kube/http-wire.js';
import { NodeWire } from '../../../src/lease/kube/node-wire.js';
import { StreamOpener } from '../../../src/lease/kube/stream.js';
import { ManualClock } from '../../../src/testing/clock.js';
import { selfSigned } from '../../support/certificate.js';
import { FreezingProxy } from '../../support/freezing-proxy.js';
import { deferred } from './support/deferred.js';
import { HttpBed, ok } from './support/http-bed.js';
import { kubeConfigOf } from './support/kube-config.js';
import { Sender, gistOf } from './support/sending.js';

const clock = new ManualClock();
const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const undo of cleanUps.splice(0).reverse()) await undo();
});

async function start(...parameters: Parameters<typeof HttpBed.start>): Promise<HttpBed> {
  const bed = await HttpBed.start(...parameters);
  cleanUps.push(() => bed.close());
  return bed;
}

/** A transport over sockets, as the library has one. */
function senderTo(server: string, apply?: (options: RequestOptions) => void): Sender {
  const kubeConfig = kubeConfigOf(server, (options) => {
    apply?.(options);
    return Promise.resolve();
  });
  return senderBy(kubeConfig, server);
}

function senderBy(kubeConfig: KubeConfigLike, server: string): Sender {
  const sender = new Sender(clock, new NodeWire(server, clock), kubeConfig);
  cleanUps.push(() => sender.close());
  return sender;
}

interface Sent {
  readonly result: Promise<ExchangeResult>;
  readonly freed: Promise<void>;
  readonly abort: AbortController;
}

/** Requests of one group of connections. */
function exchanging(wire: NodeWire, options: RequestOptions = {}, proxyAgent: Agent | null = null) {
  const connections = new AbortController();
  cleanUps.push(() => connections.abort());
  const authorized: Authorized = { options, proxyAgent };
  return (over: Partial<ExchangeRequest> = {}): Sent => {
    const abort = new AbortController();
    const freed = deferred();
    const result = wire.exchange({
      ...{ method: 'GET', path: '/a', authorized, connections: connections.signal },
      ...{ signal: abort.signal, onFree: freed.resolve, ...over },
    });
    return { result, freed: freed.promise, abort };
  };
}

describe('requests over sockets', () => {
  it('are JSON with their length in bytes, and say what sent them', async () => {
    const bed = await start();
    const exchange = exchanging(new NodeWire(bed.url, clock), { headers: { 'X-A': 'b' } });
    await exchange({ method: 'PUT', body: '{"ö":1}' }).result;
    await exchange().result;
    expect(bed.seen.map(({ headers }) => headers)).toMatchObject([
      {
        ...{ 'content-type': 'application/json', 'content-length': '8' },
        ...{ 'user-agent': 'metaparticle-sync', 'x-a': 'b' },
      },
      { 'user-agent': 'metaparticle-sync' },
    ]);
    expect(bed.seen[1]?.headers).not.toHaveProperty('content-type');
    expect(bed.seen[0]?.body).toBe('{"ö":1}');
  });

  it('keep the path of a server behind a prefix', async () => {
    const bed = await start();
    await exchanging(new NodeWire(`${bed.url}/k8s/clusters/c-1`, clock))({ path: '/apis' }).result;
    expect(bed.seen).toMatchObject([{ url: '/k8s/clusters/c-1/apis' }]);
  });

  it('share one connection, one after the other', async () => {
    const bed = await start();
    const sender = senderTo(bed.url);
    for (const name of ['a', 'b', 'c']) expect(gistOf(await sender.get(name))).toBe('200');
    expect(bed.connections).toBe(1);
  });

  it('leave on new connections once one fell silent, and the idle ones beside it are closed', async () => {
    const bed = await start();
    const proxy = await FreezingProxy.start(bed.port);
    cleanUps.push(() => proxy.close());
    const sender = senderTo(proxy.url);
    await Promise.all([sender.get('a'), sender.get('b')]);
    expect(proxy.connections).toBe(2);
    proxy.freeze();
    const isSilent = deferred();
    const isSent = deferred();
    const stuck = sender.get('stuck', {
      ...{ limitMs: 1_000, onSent: isSent.resolve, onSilent: isSilent.resolve },
    });
    await isSent.promise;
    await clock.advance(650);
    await isSilent.promise;
    // The server was found to be silent: the next one is a probe, 250 ms after the last start.
    expect(gistOf(await sender.get('again'))).toBe('200');
    expect(proxy.connections).toBe(3);
    await clock.advance(350);
    expect(gistOf(await stuck)).toBe('unknown');
  });

  it('that nothing listens for say so in the words of the system', async () => {
    const bed = await HttpBed.start();
    const { url } = bed;
    await bed.close();
    const reply = await senderTo(url).get('a');
    expect(gistOf(reply)).toBe('refused, transient');
    expect(reply.kind === 'refused' && reply.error.message).toContain(
      `${url} cannot be reached: connect ECONNREFUSED`,
    );
  });

  it('to a host that is known to be unknown are refused: nothing has left', async () => {
    const sender = senderTo('http://api.invalid:1', (options) => {
      options.lookup = (host, _options, done) =>
        done(Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND' }), '');
    });
    const reply = await sender.get('a');
    expect(gistOf(reply)).toBe('refused, transient');
    expect(reply.kind === 'refused' && reply.error.message).toContain('ENOTFOUND api.invalid');
  });

  it('with an answer beyond all measure are broken, with unknown outcome', async () => {
    const bed = await start((response) => response.end('x'.repeat(5 * 2 ** 20)));
    const reply = await senderTo(bed.url).get('a');
    expect(gistOf(reply)).toBe('unknown');
    expect(reply.kind === 'unknown' && reply.error.message).toContain('an answer of more than');
  });

  it('whose headers cannot be written are refused for good', async () => {
    const bed = await start();
    const sender = senderTo(bed.url, (options) => {
      options.headers = { Authorization: 'Bearer a\nb' };
    });
    expect(gistOf(await sender.get('a'))).toBe('refused');
    expect(bed.seen).toEqual([]);
  });
});

describe('an answer that overtakes its request', () => {
  const body = 'x'.repeat(10 * 2 ** 20);
  let url: string;
  let connections: number;
  let readOn: () => void;

  /** Answers each request as soon as it has begun, and leaves the rest of it in the connection. */
  beforeEach(async () => {
    connections = 0;
    const sockets = new Set<Socket>();
    const hasty = createTcpServer((socket) => {
      connections++;
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('data', () => {
        socket.pause();
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}');
        readOn = () => socket.resume();
      });
    });
    await new Promise<void>((resolve) => void hasty.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(hasty.address() as AddressInfo).port}`;
    cleanUps.push(() => {
      for (const socket of sockets) socket.destroy();
      hasty.close();
    });
  });

  it('is taken at once, and its connection is free when the request has been read', async () => {
    const exchange = exchanging(new NodeWire(url, clock));
    const long = exchange({ method: 'PUT', body });
    let isFree = false;
    const freed = long.freed.then(() => (isFree = true));
    expect(await long.result).toMatchObject({ kind: 'answered', status: 200 });
    const readLong = readOn;
    await exchange().result;
    expect([isFree, connections]).toEqual([false, 2]);
    readLong();
    await freed;
  });

  it('costs the connection when the rest of the request is not read within a second', async () => {
    const exchange = exchanging(new NodeWire(url, clock));
    const long = exchange({ method: 'PUT', body });
    expect(await long.result).toMatchObject({ kind: 'answered', status: 200 });
    let isFree = false;
    const freed = long.freed.then(() => (isFree = true));
    await clock.advance(999);
    expect(isFree).toBe(false);
    await clock.advance(1);
    await freed;
    await exchange().result;
    expect(connections).toBe(2);
  });
});

describe('TLS', () => {
  const pair = selfSigned();

  it('requests and watches work with the right authority', async () => {
    const bed = await start(ok, pair);
    const wire = new NodeWire(bed.url, clock);
    const options = { ca: pair.cert };
    expect(await exchanging(wire, options)().result).toMatchObject({ kind: 'answered' });
    const told: string[] = [];
    const stream = await wire.stream({
      ...{ method: 'GET', path: '/a', authorized: { options, proxyAgent: null } },
      signal: new AbortController().signal,
      sink: {
        begun: (status) => told.push(`${status}`),
        chunk: (part) => told.push(part.toString()),
      },
    });
    expect([stream.kind, ...told]).toEqual(['ended', '200', '{}']);
    expect(bed.connections).toBe(2);
  });

  it.each<[string, RequestOptions, string]>([
    ['an unknown authority', {}, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['another name', { ca: pair.cert, servername: 'other.test' }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    [
      'a certificate that is none',
      { ca: pair.cert, cert: 'x', key: 'y' },
      'ERR_OSSL_PEM_NO_START_LINE',
    ],
  ])(
    '%s: refused for good, with the words of OpenSSL, and nothing is sent',
    async (_, tls, code) => {
      const bed = await start(ok, pair);
      const reply = await senderTo(bed.url, (options) => void Object.assign(options, tls)).get('a');
      expect(gistOf(reply)).toBe('refused');
      expect(reply.kind === 'refused' && reply.error.message).toContain('is not trusted');
      expect(reply.kind === 'refused' && reply.error.message).toContain(code);
      expect(bed.seen).toEqual([]);
    },
  );

  it('with a server that never shakes hands: at its limit a request was never sent', async () => {
    const accepted = deferred();
    const mute = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      accepted.resolve();
    });
    await new Promise<void>((resolve) => void mute.listen(0, '127.0.0.1', resolve));
    cleanUps.push(() => mute.close());
    const { port } = mute.address() as AddressInfo;
    const reply = senderTo(`https://127.0.0.1:${port}`).get('a', { limitMs: 200 });
    await accepted.promise;
    await clock.advance(200);
    expect(gistOf(await reply)).toBe('refused, transient');
  });
});

describe('a proxy', () => {
  let bed: HttpBed;
  let isHung: boolean;
  let asked: ReturnType<typeof deferred<void>>;
  /** Connections that the agent was asked for. */
  let asks: number;

  /** As those for proxies: a connection comes by a callback, once there is one. */
  class ProxyAgent extends Agent {
    override createConnection(_: object, done?: (error: Error | null, socket: Duplex) => void) {
      asks++;
      if (!isHung) done?.(null, connectTcp(bed.port, '127.0.0.1'));
      asked.resolve();
      return undefined;
    }
  }

  function behindProxy(): KubeConfigLike {
    const agent = new ProxyAgent();
    cleanUps.push(() => agent.destroy());
    const plain = kubeConfigOf(bed.url, (options) => {
      options.agent = agent;
      return Promise.resolve();
    });
    return {
      ...plain,
      getCurrentCluster: () => ({ server: bed.url, proxyUrl: 'http://proxy.invalid' }),
    };
  }

  const route = () => {
    const endpoint = new Endpoint(behindProxy(), bed.url, clock);
    return { endpoint, wire: new NodeWire(bed.url, clock), clock };
  };

  beforeEach(async () => {
    bed = await start();
    isHung = false;
    asked = deferred();
    asks = 0;
  });

  it('carries requests, several over one connection', async () => {
    const sender = senderBy(behindProxy(), bed.url);
    for (const name of ['a', 'b', 'c']) expect(gistOf(await sender.get(name))).toBe('200');
    expect([asks, bed.connections]).toEqual([1, 1]);
  });

  // Behind a proxy that does not answer, a request never gets a connection, and Node.js tells nothing of its end.
  describe('that does not answer', () => {
    beforeEach(() => {
      isHung = true;
    });

    it('a request comes back at its limit, and the next one is sent once the proxy answers', async () => {
      const sender = senderBy(behindProxy(), bed.url);
      const limits = { inMs: 500, limitMs: 300 };
      const all = ['a', 'b', 'c', 'd'].map((name) => sender.get(name, limits));
      const begun = clock.monotonic();
      const gists = (await clock.advanceUntil(Promise.all(all))).map(gistOf);
      expect(gists).toEqual(Array(4).fill('refused, transient'));
      expect(clock.monotonic() - begun).toBe(600);
      isHung = false;
      await clock.advance(250);
      expect(gistOf(await sender.get('e'))).toBe('200');
    });

    it('closing ends what waits for a connection', async () => {
      const sender = senderBy(behindProxy(), bed.url);
      const waiting = sender.get('a');
      await asked.promise;
      sender.close();
      expect(gistOf(await waiting)).toBe('unknown');
    });

    it('a watch ends when no answer comes, and when it is given up', async () => {
      const { endpoint, wire } = route();
      const opener = new StreamOpener(endpoint, wire, clock);
      const sink = { live: () => undefined, chunk: () => undefined };
      const stop = new AbortController();
      const givenUp = opener.run('/x', sink, stop.signal);
      await asked.promise;
      stop.abort();
      expect(await givenUp).toMatchObject({ kind: 'broken', error: { message: 'given up' } });
      const silent = opener.run('/x', sink, new AbortController().signal);
      const begun = clock.monotonic();
      expect(await clock.advanceUntil(silent)).toMatchObject({
        kind: 'broken',
        error: { message: 'no answer within 5000 ms' },
      });
      expect(clock.monotonic() - begun).toBe(5_000);
    });

    it('an Event is given up after a second', async () => {
      const recorder = new KubeEventRecorder(route());
      const begun = clock.monotonic();
      const key = { namespace: 'default', name: 'x' };
      await clock.advanceUntil(
        recorder.record({ key, uid: 'u', identity: 'me', message: 'me became leader' }),
      );
      expect(clock.monotonic() - begun).toBe(1_000);
      recorder.close();
    });
  });
});

describe('a watch over a socket', () => {
  it('is alone on its connection, which is closed when it is given up', async () => {
    const closed = deferred();
    const bed = await start((response) => {
      response.writeHead(200).flushHeaders();
      response.once('close', closed.resolve);
    });
    const wire = new NodeWire(bed.url, clock);
    const begun = deferred();
    const stop = new AbortController();
    const result = wire.stream({
      ...{ method: 'GET', path: '/a?watch=true', signal: stop.signal },
      authorized: { options: {}, proxyAgent: null },
      sink: { begun: () => begun.resolve(), chunk: () => undefined },
    });
    await begun.promise;
    stop.abort(new Error('given up'));
    expect(await result).toMatchObject({ kind: 'broken', error: { message: 'given up' } });
    await closed.promise;
    expect(bed.connections).toBe(1);
  });
});
