import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '../../../src/testing/clock.js';
import { ScriptedWire } from './support/scripted-wire.js';
import type { ScriptedExchange } from './support/scripted-wire.js';
import { SERVER, kubeConfigOf } from './support/kube-config.js';
import { Sender, gistOf } from './support/sending.js';
import type { Limits } from './support/sending.js';
import type { Reply } from '../../../src/lease/kube/transport.js';

let clock: ManualClock;
let wire: ScriptedWire;
let sender: Sender;
/** When a request fell silent, and when it had been sent. */
let silences: { at: number; sentAt: number }[];

beforeEach(() => {
  clock = new ManualClock();
  wire = new ScriptedWire(clock);
  silences = [];
  sender = new Sender(clock, wire, kubeConfigOf(), {
    onSilence: (sentAt) => silences.push({ at: clock.monotonic(), sentAt }),
  });
});

afterEach(() => sender.close());

const answer = (exchange: ScriptedExchange): void => exchange.answer();
const answerAfter =
  (ms: number, status = 200) =>
  (exchange: ScriptedExchange): void =>
    void clock.after(ms, () => exchange.answer(status));

/** Names and times of the requests, in the order of sending. */
const sent = (): string[] => wire.exchanges.map(({ name, at }) => `${name} at ${at}`);

/** Asks again and again, as a keeper does, until an answer comes. */
async function persist(name: string, options: Limits = {}): Promise<number> {
  for (let attempts = 1; ; attempts++) {
    const reply = await sender.get(name, options);
    if (reply.kind === 'answer' && reply.status === 200) return attempts;
    if (reply.kind === 'refused' && !reply.transient) throw reply.error;
    if (attempts > 100) throw new Error('asked over and over');
  }
}

describe('a silent connection', () => {
  it('is replaced after 650 ms: the next attempt beside it is answered 250 ms later', async () => {
    await sender.get('warm-up');
    wire.freeze();
    let second: Promise<unknown> | undefined;
    const onSilent = (): void => void (second = sender.get('again'));
    const first = sender.get('first', { onSilent, limitMs: 1_500 });
    await clock.advance(649);
    expect(second).toBeUndefined();
    await clock.advance(1);
    expect(silences).toEqual([{ at: 650, sentAt: 0 }]);
    await clock.advanceUntil(second ?? Promise.reject(new Error('no second attempt')));
    expect(sent()).toEqual(['warm-up at 0', 'first at 0', 'again at 650']);
    expect(gistOf(await clock.advanceUntil(first))).toBe('unknown');
    expect(clock.monotonic()).toBe(1_500);
    expect(wire.connections).toBe(2);
  });

  it('is replaced as soon after a late answer to what was asked before the last one', async () => {
    await sender.get('warm-up');
    wire.onExchange = (exchange) => answerAfter(exchange.name === 'late' ? 1_200 : 0)(exchange);
    const late = sender.get('late', { limitMs: 5_000 });
    await clock.advance(650);
    expect(silences).toHaveLength(1);
    await clock.advanceUntil(sender.get('fast'));
    await clock.advanceUntil(late);
    wire.freeze();
    void sender.get('frozen', { limitMs: 5_000 });
    const begun = clock.monotonic();
    await clock.advanceUntil(() => silences.length === 2);
    expect(silences[1]).toEqual({ at: begun + 650, sentAt: begun });
  });

  it('is replaced as soon after refusals that took long: they say nothing of how long an answer takes', async () => {
    await sender.get('warm-up');
    // A load balancer without a backend, say, which gives up after a while.
    wire.onExchange = answerAfter(1_200, 503);
    await clock.advanceUntil(sender.get('refused'));
    expect(silences).toEqual([{ at: 650, sentAt: 0 }]);
    wire.onExchange = () => undefined;
    void sender.get('swallowed', { limitMs: 5_000 });
    await clock.advanceUntil(() => silences.length > 1);
    expect(silences[1]).toEqual({ at: 1_850, sentAt: 1_200 });
  });

  it('takes the idle ones beside it along', async () => {
    await Promise.all([sender.get('a'), sender.get('b')]);
    wire.freeze();
    void sender.get('first', { limitMs: 1_500 });
    await clock.advance(650);
    expect(gistOf(await clock.advanceUntil(sender.get('again')))).toBe('200');
    expect(clock.monotonic()).toBe(650);
    expect(wire.connections).toBe(3);
  });

  it('frees the queue behind it, also when both connections are frozen', async () => {
    await Promise.all([sender.get('a'), sender.get('b')]);
    wire.freeze();
    const stuck = ['a', 'b'].map((name) => sender.get(name, { limitMs: 2_000 }));
    const queued = Array.from({ length: 20 }, (_, index) => sender.get(`q${index}`));
    const gists = await clock.advanceUntil(Promise.all(queued));
    expect(gists.map(gistOf)).toEqual(Array(20).fill('200'));
    expect(clock.monotonic()).toBe(650);
    expect((await clock.advanceUntil(Promise.all(stuck))).map(gistOf)).toEqual([
      'unknown',
      'unknown',
    ]);
    expect(clock.monotonic()).toBe(2_000);
  });

  it('keeps its place until then: no third request leaves beside two that are waited for', async () => {
    wire.onExchange = () => undefined;
    for (const name of ['a', 'b', 'c']) void sender.get(name);
    await clock.advance(649);
    expect(wire.names).toEqual(['a', 'b']);
    await clock.advance(1);
    expect(sent()).toEqual(['a at 0', 'b at 0', 'c at 650']);
  });

  it('is told of once, with the time when the request was sent', async () => {
    wire.onExchange = () => undefined;
    await clock.advance(300);
    let sentAt = -1;
    const onSent = (): void => void (sentAt = clock.monotonic());
    await clock.advanceUntil(sender.get('a', { limitMs: 900, onSent }));
    expect(sentAt).toBe(300);
    expect(silences).toEqual([{ at: 950, sentAt: 300 }]);
  });

  it('is told of at the limit when that comes before 650 ms', async () => {
    wire.onExchange = () => undefined;
    await clock.advanceUntil(sender.get('a', { limitMs: 400 }));
    expect(silences).toEqual([{ at: 400, sentAt: 0 }]);
  });

  it('may still answer, late, and is heard', async () => {
    wire.onExchange = answerAfter(1_000);
    let silent = 0;
    const reply = await clock.advanceUntil(sender.get('a', { onSilent: () => silent++ }));
    expect([gistOf(reply), silent]).toEqual(['200', 1]);
    expect(clock.monotonic()).toBe(1_000);
  });

  it('is waited for longer when the last answer was slow, until one is fast again', async () => {
    const isSilentAfter = async (delayMs: number): Promise<boolean> => {
      wire.onExchange = answerAfter(delayMs);
      let silent = false;
      const reply = sender.get('a', { onSilent: () => (silent = true) });
      expect(gistOf(await clock.advanceUntil(reply))).toBe('200');
      return silent;
    };
    expect(await isSilentAfter(900)).toBe(true);
    // Half as long again as the last answer took.
    expect(await isSilentAfter(1_349)).toBe(false);
    expect(await isSilentAfter(10)).toBe(false);
    expect(await isSilentAfter(649)).toBe(false);
    expect(await isSilentAfter(10)).toBe(false);
    expect(await isSilentAfter(651)).toBe(true);
  });

  it('is never waited for longer than 3 s', async () => {
    wire.onExchange = answerAfter(2_900);
    await clock.advanceUntil(sender.get('slow'));
    const begun = clock.monotonic();
    wire.onExchange = () => undefined;
    void sender.get('swallowed');
    await clock.advanceUntil(() => silences.length === 2);
    expect(clock.monotonic() - begun).toBe(3_000);
  });

  it('is not waited for longer than its request allows, nor less than 650 ms', async () => {
    wire.onExchange = answerAfter(1_900);
    await clock.advanceUntil(sender.get('slow'));
    wire.onExchange = () => undefined;
    const silentAfter = async (patienceMs: number): Promise<number> => {
      const [begun, count] = [clock.monotonic(), silences.length];
      void sender.get('swallowed', { patienceMs });
      await clock.advanceUntil(() => silences.length > count);
      return clock.monotonic() - begun;
    };
    expect(await silentAfter(1_000)).toBe(1_000);
    expect(await silentAfter(100)).toBe(650);
    expect(await silentAfter(4_000)).toBe(2_850);
  });

  it('does not speak against the connection that replaced it', async () => {
    wire.onExchange = () => undefined;
    const early = sender.get('early', { limitMs: 2_000 });
    await clock.advance(300);
    const late = sender.get('late', { limitMs: 2_000 });
    await clock.advance(350);
    expect(silences).toHaveLength(1);
    wire.onExchange = answer;
    await clock.advanceUntil(sender.get('new'));
    await clock.advanceUntil(() => silences.length === 2);
    expect(clock.monotonic()).toBe(950);
    expect(gistOf(await sender.get('new-too'))).toBe('200');
    const links = wire.exchanges.filter(({ name }) => name.startsWith('new'));
    expect(links.map(({ link }) => link.number)).toEqual([3, 3]);
    for (const exchange of wire.exchanges) exchange.answer();
    expect((await Promise.all([early, late])).map(gistOf)).toEqual(['200', '200']);
    // Those that were replaced are closed.
    expect(wire.open).toBe(1);
  });
});

describe('a reset', () => {
  const resetOnce = (exchange: ScriptedExchange): void => {
    wire.onExchange = answer;
    exchange.reset();
  };

  it('of a connection that was idle does not slow the next attempt down', async () => {
    await sender.get('warm-up');
    wire.onExchange = resetOnce;
    expect(gistOf(await sender.get('a'))).toBe('unknown');
    expect(gistOf(await sender.get('a'))).toBe('200');
    expect(clock.monotonic()).toBe(0);
    expect(wire.connections).toBe(2);
  });

  it('of a new connection has unknown outcome and makes the next one wait its turn', async () => {
    wire.onExchange = resetOnce;
    expect(gistOf(await sender.get('a'))).toBe('unknown');
    expect(gistOf(await clock.advanceUntil(sender.get('a')))).toBe('200');
    expect(sent()).toEqual(['a at 0', 'a at 250']);
  });

  it('of everything costs each request one more attempt at most', async () => {
    await sender.get('warm-up');
    wire.onExchange = () => undefined;
    const all = ['a', 'b', 'c', 'd'].map((name) => persist(name));
    await clock.advance(0);
    expect(wire.names).toEqual(['warm-up', 'a', 'b']);
    wire.onExchange = answer;
    for (const exchange of wire.exchanges) exchange.reset();
    expect(await clock.advanceUntil(Promise.all(all))).toEqual([2, 2, 1, 1]);
    // The second of the two ran on a new connection: that speaks against the server.
    expect(clock.monotonic()).toBeLessThanOrEqual(250);
  });
});

describe('a server that is down', () => {
  it('refuses: nothing was sent, worth trying again', async () => {
    wire.onExchange = (exchange) => exchange.refuse();
    const reply = await sender.get('a');
    expect(reply).toMatchObject({ kind: 'refused', transient: true });
    const error = reply.kind === 'refused' ? reply.error : undefined;
    expect(error).toMatchObject({ code: 'ERR_API_UNREACHABLE', retryable: true });
    expect(error?.message).toContain(`${SERVER} cannot be reached: scripted: ECONNREFUSED`);
  });

  it('is asked by one probe at a time, and when it is back the queue drains by deadline', async () => {
    wire.onExchange = (exchange) => exchange.refuse();
    const answered: { index: number; deadline: number }[] = [];
    const persistent = async (index: number): Promise<void> => {
      for (;;) {
        const inMs = 60_000 - index;
        const deadline = clock.monotonic() + inMs;
        const reply = await sender.get(`${index}`, { inMs });
        if (reply.kind === 'answer') return void answered.push({ index, deadline });
        expect(gistOf(reply)).toBe('refused, transient');
        if (wire.exchanges.length > 500) throw new Error('asked over and over');
      }
    };
    const all = Array.from({ length: 50 }, (_, index) => persistent(index));
    await clock.advance(1_400);
    // Two leave before the first has failed; from then on 250 ms apart, the most urgent first.
    expect(sent()).toEqual([
      ...['49 at 0', '48 at 0', '47 at 250', '46 at 500', '45 at 750', '44 at 1000', '43 at 1250'],
    ]);
    wire.onExchange = answer;
    const before = wire.connections;
    await clock.advanceUntil(Promise.all(all));
    // The next probe opens the way for all.
    expect(clock.monotonic()).toBe(1_500);
    expect(wire.connections - before).toBe(2);
    expect(wire.exchanges).toHaveLength(7 + 50);
    const hadFailed = ({ index }: { index: number }): boolean =>
      wire.exchanges.filter(({ name }) => name === `${index}`).length > 1;
    const others = answered.filter((one) => !hadFailed(one)).map(({ deadline }) => deadline);
    expect(others).toHaveLength(43);
    expect(others).toEqual([...others].sort((a, b) => a - b));
    // The others do not wait for them, nor they for the others: in turn.
    expect(answered.findLastIndex(hadFailed)).toBeLessThanOrEqual(2 * 7);
  });

  it('is probed by one request at a time, also while that takes long', async () => {
    wire.onExchange = (exchange) => void clock.after(300, () => exchange.reset());
    const all = ['a', 'b', 'c', 'd'].map((name) => sender.get(name));
    await clock.advanceUntil(Promise.all(all));
    expect(sent()).toEqual(['a at 0', 'b at 0', 'c at 300', 'd at 600']);
  });

  it('is probed by the next request once a probe has been silent for 650 ms', async () => {
    wire.onExchange = (exchange) => exchange.reset();
    await sender.get('a');
    wire.onExchange = () => undefined;
    for (const name of ['b', 'c', 'd']) void sender.get(name);
    await clock.advance(1_600);
    expect(sent()).toEqual(['a at 0', 'b at 250', 'c at 900', 'd at 1550']);
  });
});

describe('an answer of 5xx or 429', () => {
  const answerOnce =
    (status: number, retryAfter: string) =>
    (exchange: ScriptedExchange): void => {
      wire.onExchange = answer;
      exchange.answer(status, {}, { 'retry-after': retryAfter });
    };
  const refuse = (name: string, status = 500): void => {
    wire.onExchange = (exchange) => exchange.answer(exchange.name === name ? status : 200);
  };

  it.each([429, 500, 502, 503, 504])(
    'speaks about what was asked: after %d the same is asked again 250 ms later, the rest at once',
    async (status) => {
      wire.onExchange = answerOnce(status, '');
      expect(gistOf(await sender.get('a'))).toBe(`${status}`);
      const again = sender.get('a');
      await sender.get('b');
      expect(gistOf(await clock.advanceUntil(again))).toBe('200');
      expect(sent()).toEqual(['a at 0', 'b at 0', 'a at 250']);
    },
  );

  it.each([429, 503])('with %d and Retry-After leaves it alone for that long', async (status) => {
    wire.onExchange = answerOnce(status, '3');
    await sender.get('a');
    const again = sender.get('a');
    await sender.get('b');
    expect(gistOf(await clock.advanceUntil(again))).toBe('200');
    expect(sent()).toEqual(['a at 0', 'b at 0', 'a at 3000']);
  });

  it('may give the time of Retry-After as a date', async () => {
    const date = new Date(clock.wall() + 4_000).toUTCString();
    wire.onExchange = answerOnce(503, date);
    await sender.get('a');
    await clock.advanceUntil(sender.get('a'));
    expect(sent()).toEqual(['a at 0', 'a at 4000']);
  });

  it.each([
    [429, 'soon'],
    [429, '-5'],
    [429, ''],
    [500, '60'],
  ])('%d with Retry-After: %j is as without it', async (status, retryAfter) => {
    wire.onExchange = answerOnce(status, retryAfter);
    await sender.get('a');
    await clock.advanceUntil(sender.get('a'));
    expect(sent()).toEqual(['a at 0', 'a at 250']);
  });

  it('is asked again all the same one second before the deadline', async () => {
    wire.onExchange = answerOnce(503, '600');
    await sender.get('a');
    expect(gistOf(await clock.advanceUntil(sender.get('a', { inMs: 1_600 })))).toBe('200');
    expect(sent()).toEqual(['a at 0', 'a at 600']);
  });

  it('makes no pause for others, and theirs end once one that failed gets through', async () => {
    wire.onExchange = (exchange) => exchange.answer(429, {}, { 'retry-after': '60' });
    for (const name of ['a', 'b']) await sender.get(name);
    wire.onExchange = answer;
    const far = sender.get('a', { inMs: 60_000 });
    await clock.advance(1_000);
    expect(gistOf(await clock.advanceUntil(sender.get('b', { inMs: 2_000 })))).toBe('200');
    // It was queued before, and knows of the pause alone.
    void far;
    expect(gistOf(await sender.get('a'))).toBe('200');
    expect(sent()).toEqual(['a at 0', 'b at 0', 'b at 2000', 'a at 2000']);
  });

  it('lets retries leave one at a time, what failed longest ago first', async () => {
    wire.onExchange = (exchange) => exchange.answer(500);
    for (const name of ['a', 'b', 'c']) {
      await sender.get(name);
      await clock.advance(10);
    }
    const again = ['c', 'b', 'a'].map((name) => sender.get(name));
    await clock.advanceUntil(Promise.all(again));
    expect(sent().slice(3)).toEqual(['a at 270', 'b at 520', 'c at 770']);
  });

  it('lets them all go once one of them is answered well, which may be a 409', async () => {
    wire.onExchange = (exchange) => exchange.answer(500);
    const names = Array.from({ length: 10 }, (_, n) => `${n}`);
    await Promise.all(names.map((name) => sender.get(name)));
    wire.onExchange = (exchange) => exchange.answer(409);
    const again = names.map((name) => sender.get(name));
    expect((await clock.advanceUntil(Promise.all(again))).map(gistOf)).toEqual(
      Array(10).fill('409'),
    );
    expect(clock.monotonic()).toBe(250);
  });

  it('holds up nothing else: at most every second request that leaves is a retry', async () => {
    wire.onExchange = (exchange) => exchange.answer(exchange.name.startsWith('bad') ? 500 : 200);
    const bad = ['bad-0', 'bad-1', 'bad-2', 'bad-3'];
    await Promise.all(bad.map((name) => sender.get(name)));
    await clock.advance(1_000);
    wire.onExchange = () => undefined;
    const [first] = ['good-0', 'good-1'].map((name) => sender.get(name));
    await clock.advance(0);
    const later = [...bad, 'good-2', 'good-3', 'good-4'].map((name) => sender.get(name));
    await clock.advance(0);
    wire.onExchange = (exchange) => exchange.answer(exchange.name.startsWith('bad') ? 500 : 200);
    for (const exchange of wire.exchanges) exchange.answer();
    await first;
    await clock.advance(0);
    expect(wire.names.slice(4)).toEqual([
      ...['good-0', 'good-1', 'bad-0', 'good-2', 'good-3', 'good-4'],
    ]);
    await clock.advanceUntil(Promise.all(later));
  });

  it('to a write is one to the next read of the same lease, but not the other way round', async () => {
    const call = (method: 'GET' | 'PUT') => sender.send({ method, path: '/a' });
    refuse('a');
    await call('PUT');
    await clock.advanceUntil(call('GET'));
    expect(clock.monotonic()).toBe(250);
    refuse('');
    await clock.advanceUntil(call('PUT'));
    expect(clock.monotonic()).toBe(500);
    refuse('a');
    await clock.advanceUntil(call('GET'));
    await call('PUT');
    expect(clock.monotonic()).toBe(500);
  });
});

describe('requests of one namespace that get no answer', () => {
  const hang = (exchange: ScriptedExchange): void => {
    if (exchange.path.startsWith('/hanging/')) return;
    exchange.answer();
  };
  const put = (path: string): Promise<Reply> => sender.send({ method: 'PUT', path });

  it('make those beside them wait, one at a time, and nothing else', async () => {
    wire.onExchange = hang;
    for (const n of [0, 1, 2, 3, 4, 5]) void put(`/hanging/${n}`);
    const fine = [0, 1, 2, 3].map((n) => put(`/fine/${n}`));
    await clock.advanceUntil(Promise.all(fine));
    expect(sent()).toEqual([
      // Both connections are waited for, then one probe; now two are known to be silent.
      ...['0 at 0', '1 at 0', '2 at 650', '3 at 1300'],
      ...['0 at 1950', '4 at 1950', '1 at 1950', '2 at 1950', '3 at 1950'],
    ]);
    const doubts = silences.length;
    await clock.advance(5_000);
    const later = wire.exchanges.slice(9).map(({ path, at }) => `${path} at ${at}`);
    expect(later).toEqual(['/hanging/5 at 2600']);
    // What hangs beside answers speaks against no connection, after the first ones did.
    expect(silences.length - doubts).toBeLessThanOrEqual(1);
  });

  it('do so until one of them is answered', async () => {
    wire.onExchange = hang;
    for (const n of [0, 1]) void put(`/hanging/${n}`);
    await clock.advance(650);
    wire.onExchange = answer;
    const others = [2, 3, 4].map((n) => put(`/hanging/${n}`));
    await clock.advanceUntil(Promise.all(others));
    expect(clock.monotonic()).toBe(650);
  });
});

describe('answers that take long', () => {
  const inFlight = async (lane: 'holding' | 'seeking'): Promise<number> => {
    wire.onExchange = answerAfter(150);
    const all = Array.from({ length: 20 }, (_, n) => sender.get(`${n}`, { lane }));
    const at = clock.monotonic() + 810;
    await clock.advance(at - clock.monotonic());
    const most = wire.exchanges.filter((one) => at - one.at < 150).length;
    await clock.advanceUntil(Promise.all(all));
    return most;
  };

  it('get two more connections once a renewal had to wait for half a second', async () => {
    expect(await inFlight('seeking')).toBe(2);
    expect(await inFlight('holding')).toBe(4);
    await clock.advance(60_000);
    expect(await inFlight('seeking')).toBe(2);
  });
});
