// Tunnels through a proxy, by the agents that client-node has for them.
import { KubeConfig } from '@kubernetes/client-node';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { Endpoint } from '../../../src/lease/kube/endpoint.js';
import { NodeWire } from '../../../src/lease/kube/node-wire.js';
import { StreamOpener } from '../../../src/lease/kube/stream.js';
import { ManualClock } from '../../../src/testing/clock.js';
import { Sender, gistOf } from './support/sending.js';

/** Ends what hangs; nothing here takes long. */
jest.setTimeout(30_000);

/** Takes every connection and never answers: a tunnel is asked for, and is not there yet. */
let proxy: Server;
let tunnels: Socket[];
let clock: ManualClock;

beforeEach(async () => {
  clock = new ManualClock();
  tunnels = [];
  proxy = createServer((socket) => {
    tunnels.push(socket.resume().on('error', () => undefined));
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
});

afterEach(async () => {
  for (const tunnel of tunnels) tunnel.destroy();
  await new Promise((resolve) => proxy.close(resolve));
});

function behindProxy(server: string): KubeConfig {
  const config = new KubeConfig();
  const proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  config.loadFromOptions({
    clusters: [{ name: 'a', server, proxyUrl }],
    users: [{ name: 'a', token: 'secret' }],
    contexts: [{ name: 'a', cluster: 'a', user: 'a' }],
    currentContext: 'a',
  });
  return config;
}

/** The next connection to the proxy, and its end. */
async function nextTunnel(): Promise<{ readonly closed: Promise<unknown> }> {
  const [socket] = (await once(proxy, 'connection')) as [Socket];
  return { closed: once(socket, 'close') };
}

describe.each(['https://cluster.invalid', 'http://cluster.invalid'])(
  'a tunnel to %s that the proxy does not open',
  (server) => {
    it('ends with the request that it is made for, when the client is closed', async () => {
      const sender = new Sender(clock, new NodeWire(server, clock), behindProxy(server));
      const waiting = sender.get('a');
      const { closed } = await nextTunnel();
      sender.close();
      expect(gistOf(await waiting)).toBe('unknown');
      await closed;
    });

    it('ends with the request that it is made for, at the limit of that', async () => {
      const sender = new Sender(clock, new NodeWire(server, clock), behindProxy(server));
      const waiting = sender.get('a', { limitMs: 500 });
      const { closed } = await nextTunnel();
      await clock.advance(500);
      expect(gistOf(await waiting)).toBe('refused, transient');
      await closed;
      sender.close();
    });

    it('ends with the watch that it is made for', async () => {
      const endpoint = new Endpoint(behindProxy(server), server, clock);
      const opener = new StreamOpener(endpoint, new NodeWire(server, clock), clock);
      const stop = new AbortController();
      const sink = { live: () => undefined, chunk: () => undefined };
      const result = opener.run('/x', sink, stop.signal);
      const { closed } = await nextTunnel();
      stop.abort();
      expect(await result).toMatchObject({ kind: 'broken' });
      await closed;
    });
  },
);
