import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Transport } from '../../../src/lease/kube/transport.js';
import { FreezingProxy } from './support/proxy.js';
import { get, gistOf, now, transportTo } from './support/sending.js';
import { ScriptedServer, json, kubeConfigOf, ok } from './support/server.js';
import { until } from '../../support/until.js';

let server: ScriptedServer;
let proxy: FreezingProxy;
let transport: Transport;
let silences: number[];

beforeEach(async () => {
  server = await ScriptedServer.start();
  proxy = await FreezingProxy.start(server.port);
  silences = [];
  const onSilence = (sentAt: number): void => void silences.push(sentAt);
  transport = transportTo(kubeConfigOf(proxy.url), { onSilence });
});

afterEach(async () => {
  transport.close();
  await proxy.close();
  await server.stop().catch(() => undefined);
});

/** Asks again and again, as a keeper does, until an answer comes. */
async function persist(name: string, options: Parameters<typeof get>[2] = {}): Promise<number> {
  for (let attempts = 1; ; attempts++) {
    const reply = await get(transport, name, options);
    if (reply.kind === 'answer' && reply.status === 200) return attempts;
    if (reply.kind !== 'answer' && 'transient' in reply && !reply.transient) throw reply.error;
  }
}

describe('a silent connection', () => {
  it('is replaced: the next attempt beside it is answered within a second', async () => {
    await get(transport, 'warm-up');
    proxy.freeze();
    const begin = now();
    let second: Promise<unknown> | undefined;
    const onSilent = (): void => void (second = get(transport, 'again'));
    const first = get(transport, 'first', { onSilent, limitMs: 1500 });
    await until('it falls silent', () => second !== undefined);
    await second;
    expect(now() - begin).toBeLessThan(1100);
    expect(now() - begin).toBeGreaterThan(600);
    expect(gistOf(await first)).toBe('unknown');
    expect(proxy.connections).toBe(2);
  });

  it('is replaced as soon after a late answer to what was asked before the last one', async () => {
    await get(transport, 'warm-up');
    server.handler = (seen, response) => {
      setTimeout(() => json(response, 200, {}), seen.path.endsWith('/late') ? 1_200 : 0);
    };
    const late = get(transport, 'late', { limitMs: 5_000 });
    await until('it falls silent', () => silences.length === 1);
    await get(transport, 'fast');
    await late;
    proxy.freeze();
    const begin = now();
    void get(transport, 'frozen', { limitMs: 5_000 });
    await until('it falls silent', () => silences.length === 2);
    expect(now() - begin).toBeLessThan(1_000);
  });

  it('is replaced as soon after refusals that took long: they say nothing of how long an answer takes', async () => {
    await get(transport, 'warm-up');
    // A load balancer without a backend, say, which gives up after a while.
    server.handler = (_seen, response) => void setTimeout(() => json(response, 503, {}), 1_200);
    await get(transport, 'refused');
    server.handler = () => undefined;
    const begin = now();
    const before = silences.length;
    void get(transport, 'swallowed', { limitMs: 5_000 });
    await until('it falls silent', () => silences.length > before);
    expect(now() - begin).toBeLessThan(1_400);
  });

  it('takes the idle ones beside it along', async () => {
    await Promise.all([get(transport, 'a'), get(transport, 'b')]);
    proxy.freeze();
    const begin = now();
    void get(transport, 'first', { limitMs: 1500 });
    await until('it falls silent', () => silences.length > 0);
    expect(gistOf(await get(transport, 'again'))).toBe('200');
    expect(now() - begin).toBeLessThan(1100);
    expect(proxy.connections).toBe(3);
  });

  it('frees the queue behind it, also when both connections are frozen', async () => {
    await Promise.all([get(transport, 'a'), get(transport, 'b')]);
    expect(proxy.connections).toBe(2);
    proxy.freeze();
    const begin = now();
    const stuck = ['a', 'b'].map((name) => get(transport, name, { limitMs: 2000 }));
    const queued = Array.from({ length: 20 }, (_, index) => get(transport, `q${index}`));
    expect((await Promise.all(queued)).map(gistOf)).toEqual(Array(20).fill('200'));
    expect(now() - begin).toBeLessThan(1500);
    expect((await Promise.all(stuck)).map(gistOf)).toEqual(['unknown', 'unknown']);
  });

  it('is told of once, with the time when the request was sent', async () => {
    server.handler = () => undefined;
    let sentAt = 0;
    const onSent = (): void => void (sentAt = now());
    await get(transport, 'a', { limitMs: 900, onSent });
    expect(silences).toHaveLength(1);
    expect(Math.abs((silences[0] ?? 0) - sentAt)).toBeLessThan(50);
  });

  it('may still answer, late, and is heard', async () => {
    server.handler = (seen, response) => void setTimeout(() => ok(seen, response), 1000);
    let silent = 0;
    const reply = await get(transport, 'a', { onSilent: () => silent++ });
    expect([gistOf(reply), silent]).toEqual(['200', 1]);
  });

  it('is waited for longer when the last answer was slow, until one is fast again', async () => {
    let delayMs = 900;
    server.handler = (seen, response) => void setTimeout(() => ok(seen, response), delayMs);
    const isSilent = async (): Promise<boolean> => {
      let silent = false;
      const reply = await get(transport, 'a', { onSilent: () => (silent = true) });
      expect(gistOf(reply)).toBe('200');
      return silent;
    };
    expect(await isSilent()).toBe(true);
    expect(await isSilent()).toBe(false);
    delayMs = 0;
    expect(await isSilent()).toBe(false);
    delayMs = 900;
    expect(await isSilent()).toBe(true);
  });

  it('does not speak against the connection that replaced it', async () => {
    const held: (() => void)[] = [];
    server.handler = (seen, response) => held.push(() => ok(seen, response));
    const early = get(transport, 'early', { limitMs: 2000 });
    await sleep(300);
    const late = get(transport, 'late', { limitMs: 2000 });
    await until('the first falls silent', () => silences.length === 1);
    server.handler = ok;
    await get(transport, 'new');
    await until('the second falls silent', () => silences.length === 2);
    await get(transport, 'new-too');
    const connections = server.seen.filter(({ path }) => path.startsWith('/new'));
    expect(connections.map(({ connection }) => connection)).toEqual([3, 3]);
    for (const answer of held) answer();
    expect((await Promise.all([early, late])).map(gistOf)).toEqual(['200', '200']);
    await until('the replaced ones are closed', () => proxy.open === 1);
  });
});

describe('a reset', () => {
  it('of a connection that was idle does not slow the next attempt down', async () => {
    await get(transport, 'warm-up');
    server.handler = (seen, response) => {
      server.handler = ok;
      if (seen.connection === 1) response.destroy();
      else ok(seen, response);
    };
    const begin = now();
    expect(gistOf(await get(transport, 'a'))).toBe('unknown');
    expect(gistOf(await get(transport, 'a'))).toBe('200');
    expect(now() - begin).toBeLessThan(200);
    expect(server.connections).toBe(2);
  });

  it('of a new connection has unknown outcome and makes the next one wait its turn', async () => {
    server.handler = (_seen, response) => {
      server.handler = ok;
      response.destroy();
    };
    const begin = now();
    expect(gistOf(await get(transport, 'a'))).toBe('unknown');
    expect(gistOf(await get(transport, 'a'))).toBe('200');
    expect(now() - begin).toBeGreaterThan(240);
  });
});

describe('a server that is down', () => {
  it('refuses: nothing was sent, worth trying again', async () => {
    await server.stop();
    const direct = transportTo(server.kubeConfig);
    const reply = await get(direct, 'a');
    direct.close();
    expect(reply).toMatchObject({ kind: 'refused', transient: true });
    const error = reply.kind === 'refused' ? reply.error : undefined;
    expect(error).toMatchObject({ code: 'ERR_API_UNREACHABLE', retryable: true });
    expect(error?.message).toContain(`${server.url} cannot be reached: connect ECONNREFUSED`);
  });

  it('by an unknown name refuses likewise', async () => {
    const direct = transportTo(kubeConfigOf('http://no-such-host.invalid:1'));
    const reply = await get(direct, 'a', { limitMs: 4000 });
    direct.close();
    expect(gistOf(reply)).toBe('refused, transient');
  });

  it('is asked by one probe at a time, and when it is back the queue drains by deadline', async () => {
    await server.stop();
    const before = server.connections;
    const direct = transportTo(server.kubeConfig);
    const attempts: number[] = [];
    const order: number[] = [];
    const persistent = async (index: number): Promise<void> => {
      for (;;) {
        const deadline = now() + 60_000 - index;
        const onSent = (): void => void attempts.push(now());
        const call = { method: 'GET', path: `/${index}` } as const;
        const reply = await direct.send(call, { deadline, limitMs: 5000, onSent });
        if (reply.kind === 'answer') return void order.push(index);
      }
    };
    const all = Array.from({ length: 50 }, (_, index) => persistent(index));
    await sleep(1400);
    expect(attempts.length).toBeGreaterThan(3);
    expect(attempts.length).toBeLessThan(9);
    const gaps = attempts.slice(3).map((at, index) => at - (attempts[index + 2] ?? 0));
    // 250 ms apart as they leave the queue; on the way out one may catch up with another.
    expect(Math.min(...gaps)).toBeGreaterThan(150);
    await server.listen();
    const back = now();
    await Promise.all(all);
    direct.close();
    // One after the other, as probes are paced, they would take 12 s.
    expect(now() - back).toBeLessThan(6000);
    expect(server.connections - before).toBeLessThanOrEqual(3);
    expect(server.seen).toHaveLength(50);
    const inOrder = order.filter((index, at) => at === 0 || index < (order[at - 1] ?? 0));
    expect(inOrder.length).toBeGreaterThan(40);
  });

  it('accepts but never shakes hands: at its limit a request was never sent', async () => {
    const mute = createServer(() => undefined);
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    const { port } = mute.address() as AddressInfo;
    const direct = transportTo(kubeConfigOf(`https://127.0.0.1:${port}`));
    expect(gistOf(await get(direct, 'a', { limitMs: 200 }))).toBe('refused, transient');
    direct.close();
    mute.close();
  });
});

describe('a server under load', () => {
  it('that answers 429 with Retry-After is left alone for so long', async () => {
    server.handler = (_seen, response) => {
      server.handler = ok;
      json(response, 429, {}, { 'retry-after': '1' });
    };
    const begin = now();
    expect(gistOf(await get(transport, 'a'))).toBe('429');
    expect(gistOf(await get(transport, 'b'))).toBe('200');
    expect(now() - begin).toBeGreaterThan(950);
  });

  it('is asked again all the same one second before the earliest deadline', async () => {
    server.handler = (_seen, response) => {
      server.handler = ok;
      json(response, 503, {}, { 'retry-after': '600' });
    };
    const begin = now();
    expect(gistOf(await get(transport, 'a'))).toBe('503');
    // Who holds has time yet, and does not take the chance of others.
    const far = get(transport, 'far', { inMs: 60_000, lane: 'holding' });
    expect(gistOf(await get(transport, 'near', { inMs: 1600 }))).toBe('200');
    expect(now() - begin).toBeGreaterThan(550);
    expect(now() - begin).toBeLessThan(1500);
    expect(gistOf(await far)).toBe('200');
    expect(server.seen.map(({ path }) => path)).toEqual(['/a', '/near', '/far']);
  });

  it('that answers 500 is probed, and any answer below 500 opens the way', async () => {
    server.handler = (_seen, response) => json(response, 500, {});
    await get(transport, 'a');
    server.handler = (_seen, response) => json(response, 409, {});
    const begin = now();
    const all = Array.from({ length: 10 }, (_, index) => get(transport, `${index}`));
    expect((await Promise.all(all)).map(gistOf)).toEqual(Array(10).fill('409'));
    expect(now() - begin).toBeGreaterThan(200);
    // One after the other, as probes are paced, they would take 2.5 s.
    expect(now() - begin).toBeLessThan(2_000);
  });
});

it('a proxy that resets everything once costs each request one more attempt at most', async () => {
  await get(transport, 'warm-up');
  server.handler = () => undefined;
  const all = ['a', 'b', 'c', 'd'].map((name) => persist(name));
  await until('two are under way', () => server.seen.length === 3);
  server.handler = ok;
  proxy.reset();
  expect(Math.max(...(await Promise.all(all)))).toBeLessThanOrEqual(2);
});
