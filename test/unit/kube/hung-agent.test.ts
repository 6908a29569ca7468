// Behind a proxy that does not answer a request never gets a connection, and Node.js tells nothing of its end.
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { KubeConfigLike } from '../../../src/lease/kube/config.js';
import { KubeEventRecorder } from '../../../src/lease/kube/event-recorder.js';
import { StreamOpener } from '../../../src/lease/kube/stream.js';
import { get, gistOf, now, routeTo, transportTo } from './support/sending.js';
import { ScriptedServer, kubeConfigOf } from './support/server.js';

let server: ScriptedServer;
let isHung: boolean;

/** As those for proxies: a connection comes by a callback, once there is one. */
class ProxyAgent extends Agent {
  override createConnection(_: object, done?: (error: Error | null, socket: Duplex) => void) {
    if (!isHung) done?.(null, connect(server.port, '127.0.0.1'));
    return undefined;
  }
}

function behindProxy(): KubeConfigLike {
  const plain = kubeConfigOf(server.url, (options) => {
    options.agent = new ProxyAgent();
    return Promise.resolve();
  });
  const cluster = { ...plain.getCurrentCluster(), server: server.url, proxyUrl: 'http://proxy' };
  return {
    ...plain,
    applyToHTTPSOptions: (options) => plain.applyToHTTPSOptions(options),
    getCurrentCluster: () => cluster,
  };
}

beforeEach(async () => {
  server = await ScriptedServer.start();
  isHung = true;
});
afterEach(() => server.stop());

it('a request comes back at its limit, and the next one is sent once the proxy answers', async () => {
  const transport = transportTo(behindProxy());
  const begun = now();
  const all = ['a', 'b', 'c', 'd'].map((name) => get(transport, name, { inMs: 500, limitMs: 300 }));
  const gists = (await Promise.all(all)).map(gistOf);
  expect(new Set(gists)).toEqual(new Set(['refused, transient']));
  expect(now() - begun).toBeLessThan(2_000);
  isHung = false;
  expect(gistOf(await get(transport, 'e'))).toBe('200');
  transport.close();
});

it('closing ends what waits for a connection', async () => {
  const transport = transportTo(behindProxy());
  const waiting = get(transport, 'a');
  await new Promise((resolve) => setImmediate(resolve));
  transport.close();
  expect(gistOf(await waiting)).toMatch(/unknown|refused/);
});

it('a watch ends when no answer comes, and when it is given up', async () => {
  const { endpoint, wire, clock } = routeTo(behindProxy(), server.url);
  const opener = new StreamOpener(endpoint, wire, clock);
  const sink = { live: () => undefined, chunk: () => undefined };
  const stop = new AbortController();
  const givenUp = opener.run('/x', sink, stop.signal);
  await new Promise((resolve) => setImmediate(resolve));
  stop.abort();
  expect(await givenUp).toMatchObject({ kind: 'broken', error: { message: 'given up' } });
  const silent = await opener.run('/x', sink, new AbortController().signal);
  expect(silent).toMatchObject({
    kind: 'broken',
    error: { message: expect.stringMatching(/^no answer within/) },
  });
}, 20_000);

it('an Event is given up soon', async () => {
  const recorder = new KubeEventRecorder(routeTo(behindProxy(), server.url));
  const begun = now();
  const key = { namespace: 'default', name: 'x' };
  await recorder.record({ key, uid: 'u', identity: 'me', message: 'me became leader' });
  expect(now() - begun).toBeLessThan(3_000);
  recorder.close();
});
