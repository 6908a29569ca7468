import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiUnreachableError, ClosedError } from '../../../src/errors.js';
import type { Call, Transport } from '../../../src/lease/kube/transport.js';
import { get, gistOf, now, transportTo } from './support/sending.js';
import { ScriptedServer, json, kubeConfigOf, ok } from './support/server.js';
import { until } from '../../support/until.js';

let server: ScriptedServer;
let transport: Transport;

beforeEach(async () => {
  server = await ScriptedServer.start();
  transport = transportTo(server.kubeConfig);
});

afterEach(async () => {
  transport.close();
  await server.stop();
});

const names = (): string[] => server.seen.map(({ path }) => path.slice(1));

/** Leaves requests unanswered until called. */
function holdAnswers(): () => void {
  const held: (() => void)[] = [];
  server.handler = (seen, response) => held.push(() => ok(seen, response));
  return () => {
    server.handler = ok;
    for (const answer of held) answer();
  };
}

describe('a request', () => {
  it('goes out as JSON with its limit, and comes back with status, body and date', async () => {
    server.handler = (_seen, response) =>
      json(response, 404, { ä: '€' }, { date: 'Tue, 05 Mar 2030 10:00:00 GMT' });
    const call = { method: 'PUT', path: '/x', body: '{"ö":1}' } as const;
    const reply = await transport.send(call, { deadline: now() + 5000, limitMs: 4200 });
    expect(reply).toEqual({
      ...{ kind: 'answer', status: 404, body: '{"ä":"€"}' },
      answeredAt: Date.UTC(2030, 2, 5, 10),
    });
    const [seen] = server.seen;
    expect(seen).toMatchObject({ method: 'PUT', body: '{"ö":1}' });
    expect(seen?.query.get('timeout')).toBe('5s');
    expect(seen?.headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': '8',
      'user-agent': 'metaparticle-sync',
    });
  });

  it('hands on a page that is no JSON, and a date that is none', async () => {
    server.handler = (_seen, response) => {
      response.writeHead(502, { 'content-type': 'text/html', date: 'soon' });
      response.end('<html>Bad Gateway</html>');
    };
    expect(await get(transport, 'a')).toEqual({
      ...{ kind: 'answer', status: 502, body: '<html>Bad Gateway</html>', answeredAt: null },
    });
  });

  it('asks for at least one second', async () => {
    await get(transport, 'a', { limitMs: 300 });
    expect(server.seen[0]?.query.get('timeout')).toBe('1s');
  });

  it('reuses its connection', async () => {
    for (const name of ['a', 'b', 'c']) await get(transport, name);
    expect(server.connections).toBe(1);
  });

  it('is authorized anew each time, with the line end of a token file cut off', async () => {
    let count = 0;
    const other = transportTo(
      kubeConfigOf(server.url, (options) => {
        options.headers = { Authorization: `Bearer token-${++count}\n` };
        return Promise.resolve();
      }),
    );
    await get(other, 'a');
    await get(other, 'b');
    other.close();
    const sent = server.seen.map(({ headers }) => headers.authorization);
    expect(sent).toEqual(['Bearer token-1', 'Bearer token-2']);
  });

  it('shares one question for credentials with those that leave in the same moment', async () => {
    let count = 0;
    const other = transportTo(
      kubeConfigOf(server.url, async () => {
        count++;
        await sleep(20);
      }),
    );
    await Promise.all([get(other, 'a'), get(other, 'b')]);
    expect(count).toBe(1);
    await get(other, 'c');
    expect(count).toBe(2);
    other.close();
  });

  it('that never gets credentials is refused at its deadline, and others may ask again', async () => {
    let isStuck = true;
    const other = transportTo(
      kubeConfigOf(server.url, () => (isStuck ? new Promise(() => undefined) : Promise.resolve())),
    );
    const replies = [get(other, 'a', { inMs: 50 }), get(other, 'b', { inMs: 60 })];
    expect((await Promise.all(replies)).map(gistOf)).toEqual(Array(2).fill('refused, transient'));
    isStuck = false;
    const later = jest.spyOn(performance, 'now').mockReturnValue(now() + 6000);
    const reply = get(other, 'c', { inMs: 60_000 });
    later.mockRestore();
    expect(gistOf(await reply)).toBe('200');
    other.close();
    expect(names()).toEqual(['c']);
  });

  it('without credentials to be had is refused, and the reason carries none', async () => {
    const secret = 'eyJhbGciOiJSUzI1NiIsImtpZCI6IlRhX3c';
    const failing = kubeConfigOf(server.url, () => Promise.reject(new Error(`no: ${secret}`)));
    const other = transportTo(failing);
    const reply = await get(other, 'a');
    other.close();
    expect(reply).toMatchObject({ kind: 'refused', transient: false });
    const error = reply.kind === 'refused' ? reply.error : undefined;
    expect(error).toBeInstanceOf(ApiUnreachableError);
    expect(error).toMatchObject({
      retryable: false,
      message: `the kubeconfig gives no credentials for ${server.url}: no: …`,
    });
    expect(JSON.stringify(error)).not.toContain(secret);
  });

  it('breaks with unknown outcome when the answer is beyond all measure', async () => {
    server.handler = (_seen, response) => {
      response.writeHead(200);
      response.end('x'.repeat(5 * 2 ** 20));
    };
    expect(gistOf(await get(transport, 'a'))).toBe('unknown');
  });

  it('breaks with unknown outcome when the answer stops in the middle', async () => {
    server.handler = (_seen, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{');
      setTimeout(() => response.destroy(), 20);
    };
    expect(gistOf(await get(transport, 'a'))).toBe('unknown');
  });

  it('keeps the path of a server behind a prefix', async () => {
    const other = transportTo(kubeConfigOf(`${server.url}/k8s/clusters/c-1/`));
    await get(other, 'apis');
    other.close();
    expect(names()).toEqual(['k8s/clusters/c-1/apis']);
  });
});

describe('the queue', () => {
  it('sends by earliest deadline, two at a time', async () => {
    const answer = holdAnswers();
    const inMs = { a: 9000, b: 9000, c: 8000, d: 5000, e: 7000, f: 6000 };
    const all = Object.entries(inMs).map(([name, ms]) => get(transport, name, { inMs: ms }));
    await until('two arrive', () => server.seen.length >= 2);
    await sleep(50);
    expect(names()).toEqual(['a', 'b']);
    answer();
    await Promise.all(all);
    expect(names()).toEqual(['a', 'b', 'd', 'f', 'e', 'c']);
    expect(server.connections).toBe(2);
  });

  it('sends four at a time when many leases are held', async () => {
    const answer = holdAnswers();
    const all = ['a', 'b', 'c', 'd', 'e'].map((name) => get(transport, name));
    transport.holding(101);
    await until('four arrive', () => server.seen.length >= 4, 500);
    await sleep(50);
    expect(server.seen).toHaveLength(4);
    transport.holding(100);
    answer();
    await Promise.all(all);
  });

  it('calls onSent as the request leaves, never while it waits', async () => {
    const answer = holdAnswers();
    const sent: string[] = [];
    const send = (name: string) => get(transport, name, { onSent: () => sent.push(name) });
    const all = ['a', 'b', 'c'].map(send);
    await until('two arrive', () => server.seen.length >= 2);
    expect(sent).toEqual(['a', 'b']);
    answer();
    await Promise.all(all);
    expect(sent).toEqual(['a', 'b', 'c']);
  });

  it('calls onSent after authorizing and before the first byte', async () => {
    const steps: string[] = [];
    server.handler = (seen, response) => {
      steps.push('arrived');
      ok(seen, response);
    };
    const slow = kubeConfigOf(server.url, async () => {
      await sleep(30);
      steps.push('authorized');
    });
    const other = transportTo(slow);
    await get(other, 'a', { onSent: () => steps.push('sent') });
    other.close();
    expect(steps).toEqual(['authorized', 'sent', 'arrived']);
  });

  it('refuses what is still in it at its deadline, unsent', async () => {
    const answer = holdAnswers();
    const first = [get(transport, 'a'), get(transport, 'b')];
    const late = await get(transport, 'c', {
      inMs: 60,
      onSent: () => expect('sent').toBe('unsent'),
    });
    expect(gistOf(late)).toBe('refused, transient');
    answer();
    await Promise.all(first);
    expect(names()).toEqual(['a', 'b']);
  });

  it('gives up what is aborted in it; what was sent goes on', async () => {
    const answer = holdAnswers();
    const abort = new AbortController();
    const all = ['a', 'b', 'c'].map((name) => get(transport, name, { signal: abort.signal }));
    await until('two arrive', () => server.seen.length >= 2);
    abort.abort();
    expect(gistOf(await all[2]!)).toBe('refused, transient');
    answer();
    expect((await Promise.all(all)).map(gistOf)).toEqual(['200', '200', 'refused, transient']);
    const signal = AbortSignal.abort();
    expect(gistOf(await get(transport, 'd', { signal }))).toBe('refused, transient');
    expect(names()).toEqual(['a', 'b']);
  });
});

describe('an answer that overtakes its request', () => {
  const long = { method: 'PUT', path: '/long', body: 'x'.repeat(10 * 2 ** 20) } as const;
  let connections: number;
  let readAfterMs: number;
  let hasRead: boolean;
  let hasty: Server;
  let direct: Transport;
  beforeEach(async () => {
    connections = 0;
    hasRead = false;
    // Answers once it has read the head of a request; the body waits in the connection.
    hasty = createServer((request, response) => {
      json(response, 200, {});
      // Node.js would read it all for who does not want it.
      if (request.method === 'PUT') setImmediate(() => request.socket.pause());
      const read = (): void => {
        hasRead = true;
        request.socket.resume();
      };
      setTimeout(read, readAfterMs).unref();
    });
    hasty.on('connection', () => connections++);
    await new Promise<void>((resolve) => hasty.listen(0, '127.0.0.1', resolve));
    const { port } = hasty.address() as AddressInfo;
    direct = transportTo(kubeConfigOf(`http://127.0.0.1:${port}`));
  });
  afterEach(() => {
    direct.close();
    hasty.closeAllConnections();
    hasty.close();
  });

  const send = async (call: Call): Promise<string> =>
    gistOf(await direct.send(call, { deadline: now() + 20_000, limitMs: 10_000 }));

  it('is taken at once, and its connection serves nobody else before it is free', async () => {
    readAfterMs = 700;
    expect(await Promise.all([send(long), send(long)])).toEqual(['200', '200']);
    expect(hasRead).toBe(false);
    expect(await send({ method: 'GET', path: '/short' })).toBe('200');
    expect(connections).toBe(2);
  });

  it('costs the connection when the rest of the request is not read', async () => {
    readAfterMs = 60_000;
    expect(await Promise.all([send(long), send(long)])).toEqual(['200', '200']);
    const begun = now();
    expect(await send({ method: 'GET', path: '/short' })).toBe('200');
    expect(now() - begun).toBeGreaterThan(500);
    expect(connections).toBe(3);
  });
});

describe('a limit', () => {
  it('ends a request with unknown outcome', async () => {
    holdAnswers();
    const reply = await get(transport, 'a', { limitMs: 100 });
    expect(reply).toMatchObject({ kind: 'unknown', error: { code: 'ERR_API_UNREACHABLE' } });
    expect(reply.kind === 'unknown' && reply.error.message).toContain('no answer within 100 ms');
  });

  it('takes the silent ones past it out of the way of others', async () => {
    holdAnswers();
    const all = ['a', 'b'].map((name) => get(transport, name, { limitMs: 100 }));
    await until('both arrive', () => server.seen.length >= 2);
    server.handler = ok;
    expect(gistOf(await get(transport, 'c'))).toBe('200');
    expect((await Promise.all(all)).map(gistOf)).toEqual(['unknown', 'unknown']);
  });
});

describe('close', () => {
  it('refuses what is queued, ends what was sent, leaves nothing open', async () => {
    holdAnswers();
    const all = ['a', 'b', 'c'].map((name) => get(transport, name));
    await until('two arrive', () => server.seen.length >= 2);
    transport.close();
    const replies = await Promise.all(all);
    expect(replies.map(gistOf)).toEqual(['unknown', 'unknown', 'refused']);
    for (const reply of replies) {
      expect(reply.kind !== 'answer' && reply.error).toBeInstanceOf(ClosedError);
    }
    expect(gistOf(await get(transport, 'd'))).toBe('refused');
  });
});
