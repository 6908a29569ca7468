import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ApiUnreachableError, ClosedError } from '../../../src/errors.js';
import { ManualClock } from '../../../src/testing/clock.js';
import { SERVER, kubeConfigOf } from './support/kube-config.js';
import { ScriptedWire } from './support/scripted-wire.js';
import { Sender, gistOf } from './support/sending.js';
import type { Limits } from './support/sending.js';
import type { Reply } from '../../../src/lease/kube/transport.js';

let clock: ManualClock;
let wire: ScriptedWire;
let sender: Sender;

beforeEach(() => {
  clock = new ManualClock();
  wire = new ScriptedWire(clock);
  sender = new Sender(clock, wire);
});

afterEach(() => sender.close());

/** Leaves requests unanswered until called, and answers later ones at once. */
function holdAnswers(): () => void {
  wire.onExchange = () => undefined;
  return () => {
    wire.onExchange = (exchange) => exchange.answer();
    for (const exchange of wire.exchanges) exchange.answer();
  };
}

const getAll = (names: readonly string[], limits?: Limits): Promise<Reply>[] =>
  names.map((name) => sender.get(name, limits));

const gistsOf = async (replies: readonly Promise<Reply>[]): Promise<string[]> =>
  (await Promise.all(replies)).map(gistOf);

describe('a request', () => {
  it('goes out with its limit, and comes back with status, body and date', async () => {
    wire.onExchange = (exchange) =>
      exchange.answer(404, '{"ä":"€"}', { date: 'Tue, 05 Mar 2030 10:00:00 GMT' });
    const call = { method: 'PUT', path: '/x', body: '{"ö":1}' } as const;
    const reply = await sender.send(call, { limitMs: 4_200 });
    expect(reply).toEqual({
      ...{ kind: 'answer', status: 404, body: '{"ä":"€"}' },
      answeredAt: Date.UTC(2030, 2, 5, 10),
    });
    expect(wire.exchanges).toMatchObject([{ method: 'PUT', path: '/x', body: '{"ö":1}' }]);
    expect(Object.fromEntries(wire.exchanges[0]?.query ?? [])).toEqual({ timeout: '5s' });
  });

  it.each([
    [300, '1s'],
    [1_000, '1s'],
    [1_001, '2s'],
    [8_000, '8s'],
  ])(
    'with a limit of %d ms asks the server to end it after ?timeout=%s',
    async (limitMs, timeout) => {
      await sender.get('a', { limitMs });
      expect(wire.exchanges[0]?.query.get('timeout')).toBe(timeout);
    },
  );

  it('hands on a page that is no JSON, and a date that is none', async () => {
    wire.onExchange = (exchange) =>
      exchange.answer(502, '<html>Bad Gateway</html>', { date: 'soon' });
    expect(await sender.get('a')).toEqual({
      ...{ kind: 'answer', status: 502, body: '<html>Bad Gateway</html>', answeredAt: null },
    });
  });

  it('shares a connection with those before it', async () => {
    for (const name of ['a', 'b', 'c']) await sender.get(name);
    expect(wire.connections).toBe(1);
  });

  it('keeps its place until its connection is free, which may be after the answer', async () => {
    wire.onExchange = (exchange) => exchange.answerEarly();
    expect(await gistsOf(getAll(['a', 'b']))).toEqual(['200', '200']);
    const third = sender.get('c');
    await clock.advance(100);
    expect(wire.names).toEqual(['a', 'b']);
    wire.exchanges[1]?.free();
    expect(gistOf(await third)).toBe('200');
    expect(wire.exchanges[2]?.link.number).toBe(2);
  });
});

describe('credentials', () => {
  const asking = (apply: () => Promise<void>): void => {
    sender = new Sender(clock, wire, kubeConfigOf(SERVER, apply));
  };

  it('are asked for again for each request, and the line end of a token file is cut off', async () => {
    let count = 0;
    const kubeConfig = kubeConfigOf(SERVER, (options) => {
      options.headers = { Authorization: `Bearer token-${++count}\n` };
      return Promise.resolve();
    });
    sender = new Sender(clock, wire, kubeConfig);
    await sender.get('a');
    await sender.get('b');
    expect(wire.exchanges.map(({ authorization }) => authorization)).toEqual([
      'Bearer token-1',
      'Bearer token-2',
    ]);
  });

  it('are asked for once by all that leave while the question is open', async () => {
    const asked: number[] = [];
    asking(() => {
      asked.push(clock.monotonic());
      return clock.sleep(20);
    });
    const [first] = getAll(['a', 'b']);
    await clock.advanceUntil(first ?? Promise.reject(new Error('none')));
    await clock.advanceUntil(sender.get('c'));
    expect(asked).toEqual([0, 20]);
    expect(wire.exchanges.map(({ at, name }) => `${name} at ${at}`)).toEqual([
      ...['a at 20', 'b at 20', 'c at 40'],
    ]);
  });

  it('that never come let a request be refused at its deadline', async () => {
    asking(() => new Promise(() => undefined));
    const ends: number[] = [];
    const replies = [50, 60].map(async (inMs) => {
      const reply = await sender.get('a', { inMs });
      ends.push(clock.monotonic());
      return reply;
    });
    await clock.advance(60);
    expect(ends).toEqual([50, 60]);
    expect(await gistsOf(replies)).toEqual(Array(2).fill('refused, transient'));
    expect(wire.exchanges).toEqual([]);
  });

  it('that do not come are asked for again after 5 s: the first question may have been lost', async () => {
    const asked: number[] = [];
    asking(() => {
      asked.push(clock.monotonic());
      return asked.length === 1 ? new Promise(() => undefined) : Promise.resolve();
    });
    expect(gistOf(await clock.advanceUntil(sender.get('a')))).toBe('200');
    expect(asked).toEqual([0, 5_000]);
    expect(wire.exchanges[0]?.at).toBe(5_000);
  });

  it('that do not come keep no connection: what leaves next is what has least time', async () => {
    let give = (): void => undefined;
    asking(() => new Promise((resolve) => (give = resolve)));
    const all = [9_000, 8_000, 7_000].map((inMs) => sender.get(`${inMs}`, { inMs }));
    await clock.advance(100);
    const sent: number[] = [];
    const onSent = (): void => void sent.push(clock.monotonic());
    all.push(sender.get('6000', { inMs: 6_000, onSent }));
    await clock.advance(100);
    wire.onExchange = () => undefined;
    give();
    await clock.advance(0);
    expect(wire.names).toEqual(['6000', '7000']);
    expect(sent).toEqual([200]);
  });

  it('that cannot be had refuse the request for good, and the reason carries none', async () => {
    const secret = 'eyJhbGciOiJSUzI1NiIsImtpZCI6IlRhX3c';
    asking(() => Promise.reject(new Error(`no: ${secret}`)));
    const reply = await sender.get('a');
    expect(reply).toMatchObject({ kind: 'refused', transient: false });
    const error = reply.kind === 'refused' ? reply.error : undefined;
    expect(error).toBeInstanceOf(ApiUnreachableError);
    expect(error).toMatchObject({
      retryable: false,
      message: `the kubeconfig gives no credentials for ${SERVER}: no: …`,
    });
    expect(JSON.stringify(error)).not.toContain(secret);
  });
});

describe('the queue', () => {
  it('sends by earliest deadline, two at a time', async () => {
    const answer = holdAnswers();
    const inMs = { a: 9000, b: 9000, c: 8000, d: 5000, e: 7000, f: 6000 };
    const all = Object.entries(inMs).map(([name, ms]) => sender.get(name, { inMs: ms }));
    await clock.advance(100);
    expect(wire.names).toEqual(['d', 'f']);
    answer();
    await Promise.all(all);
    expect(wire.names).toEqual(['d', 'f', 'e', 'c', 'a', 'b']);
    expect(wire.connections).toBe(2);
  });

  it('sends four at a time when many leases are held', async () => {
    const answer = holdAnswers();
    const all = getAll(['a', 'b', 'c', 'd', 'e', 'f']);
    await clock.advance(0);
    expect(wire.names).toEqual(['a', 'b']);
    sender.transport.holding(101);
    await clock.advance(0);
    expect(wire.names).toEqual(['a', 'b', 'c', 'd']);
    sender.transport.holding(100);
    for (const exchange of wire.exchanges.slice(0, 2)) exchange.answer();
    await clock.advance(0);
    expect(wire.names).toHaveLength(4);
    answer();
    await Promise.all(all);
  });

  it('sends a request of a holder before those that seek', async () => {
    const answer = holdAnswers();
    const all = [...getAll(['a', 'b', 'seeking']), sender.get('holding', { lane: 'holding' })];
    answer();
    await Promise.all(all);
    expect(wire.names).toEqual(['holding', 'a', 'b', 'seeking']);
  });

  it('calls onSent as the request leaves, never while it waits', async () => {
    const answer = holdAnswers();
    const sent: string[] = [];
    const all = ['a', 'b', 'c'].map((name) => sender.get(name, { onSent: () => sent.push(name) }));
    await clock.advance(0);
    expect(sent).toEqual(['a', 'b']);
    answer();
    await Promise.all(all);
    expect(sent).toEqual(['a', 'b', 'c']);
  });

  it('calls onSent after authorizing and before the first byte', async () => {
    const steps: string[] = [];
    const apply = async (): Promise<void> => {
      await clock.sleep(30);
      steps.push('authorized');
    };
    sender = new Sender(clock, wire, kubeConfigOf(SERVER, apply));
    const onSent = (): void => void steps.push(`sent, ${wire.exchanges.length} on the wire`);
    wire.onExchange = (exchange) => {
      steps.push('arrived');
      exchange.answer();
    };
    await clock.advanceUntil(sender.get('a', { onSent }));
    expect(steps).toEqual(['authorized', 'sent, 0 on the wire', 'arrived']);
  });

  it('refuses what is still in it at its deadline, unsent', async () => {
    const answer = holdAnswers();
    const first = getAll(['a', 'b']);
    await clock.advance(0);
    const onSent = (): void => expect('sent').toBe('unsent');
    const late = sender.get('c', { inMs: 60, onSent });
    expect(gistOf(await clock.advanceUntil(late))).toBe('refused, transient');
    expect(clock.monotonic()).toBe(60);
    answer();
    await Promise.all(first);
    expect(wire.names).toEqual(['a', 'b']);
  });

  it('lets no request leave whose deadline has passed', async () => {
    const reply = await sender.get('a', { inMs: 0 });
    expect(gistOf(reply)).toBe('refused, transient');
    expect(reply.kind === 'refused' && reply.error.message).toContain(
      'was not sent: its deadline passed before it could be sent',
    );
    expect(wire.exchanges).toEqual([]);
  });

  it('gives up what is aborted in it; what was sent goes on', async () => {
    const answer = holdAnswers();
    const abort = new AbortController();
    const all = getAll(['a', 'b', 'c'], { signal: abort.signal });
    await clock.advance(0);
    abort.abort();
    expect(gistOf(await all[2]!)).toBe('refused, transient');
    answer();
    expect(await gistsOf(all)).toEqual(['200', '200', 'refused, transient']);
    const signal = AbortSignal.abort();
    expect(gistOf(await sender.get('d', { signal }))).toBe('refused, transient');
    expect(wire.names).toEqual(['a', 'b']);
  });
});

describe('a limit', () => {
  it('ends a request with unknown outcome, to the millisecond', async () => {
    holdAnswers();
    const reply = await clock.advanceUntil(sender.get('a', { limitMs: 100 }));
    expect(reply).toMatchObject({ kind: 'unknown', error: { code: 'ERR_API_UNREACHABLE' } });
    expect(reply.kind === 'unknown' && reply.error.message).toContain('no answer within 100 ms');
    expect(clock.monotonic()).toBe(100);
  });

  it('takes the silent ones past it out of the way of others', async () => {
    holdAnswers();
    const all = getAll(['a', 'b'], { limitMs: 100 });
    const third = sender.get('c');
    await clock.advance(99);
    wire.onExchange = (exchange) => exchange.answer();
    expect(wire.names).toEqual(['a', 'b']);
    expect(gistOf(await clock.advanceUntil(third))).toBe('200');
    expect(await gistsOf(all)).toEqual(['unknown', 'unknown']);
    // A probe: 250 ms after the last attempt.
    expect(wire.exchanges[2]).toMatchObject({ name: 'c', at: 250 });
  });
});

describe('close', () => {
  it('refuses what is queued, ends what was sent, leaves nothing open', async () => {
    holdAnswers();
    const all = getAll(['a', 'b', 'c']);
    await clock.advance(0);
    sender.close();
    const replies = await Promise.all(all);
    expect(replies.map(gistOf)).toEqual(['unknown', 'unknown', 'refused']);
    for (const reply of replies) {
      expect(reply.kind !== 'answer' && reply.error).toBeInstanceOf(ClosedError);
    }
    expect(gistOf(await sender.get('d'))).toBe('refused');
    expect(wire.open).toBe(0);
  });

  it('leaves no timer, whatever state requests are in', async () => {
    holdAnswers();
    const silent = getAll(['a', 'b'], { limitMs: 5_000 });
    await clock.advance(700);
    const others = getAll(['sent', 'queued', 'waiting-for-its-turn']);
    await clock.advance(1);
    expect(clock.timers).toBeGreaterThan(0);
    sender.close();
    expect(clock.timers).toBe(0);
    await Promise.all([...silent, ...others]);
    expect(clock.timers).toBe(0);
  });

  it('leaves no timer while credentials are awaited, and sends nothing afterwards', async () => {
    sender = new Sender(
      clock,
      wire,
      kubeConfigOf(SERVER, () => clock.sleep(100)),
    );
    const reply = sender.get('a');
    await clock.advance(50);
    sender.close();
    expect(gistOf(await reply)).toBe('refused');
    await clock.advance(100);
    expect(wire.exchanges).toEqual([]);
    expect(clock.timers).toBe(0);
  });
});
