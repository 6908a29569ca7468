import { beforeEach, describe, expect, it } from '@jest/globals';
import { Credentials } from '../../../src/lease/kube/credentials.js';
import type { Authorized } from '../../../src/lease/kube/endpoint.js';
import type { Lifetime } from '../../../src/lease/kube/lifetime.js';
import { ManualClock } from '../../../src/testing/clock.js';

interface Question {
  readonly at: number;
  answer(token: string): void;
  fail(): void;
}

let clock: ManualClock;
let asked: Question[];
let lifetime: Lifetime;
let credentials: Credentials;

beforeEach(() => {
  clock = new ManualClock();
  asked = [];
  lifetime = { endsAt: null, isReusable: false };
  credentials = new Credentials({
    clock,
    lifetimeOf: () => lifetime,
    ask: () =>
      new Promise((resolve, reject) => {
        asked.push({
          at: clock.monotonic(),
          answer: (token) => resolve({ options: { auth: token }, proxyAgent: null }),
          fail: () => reject(new Error('no')),
        });
      }),
  });
});

const never = (): AbortSignal => new AbortController().signal;
const times = (): number[] => asked.map(({ at }) => at);

/** What an asker gets, and when. */
async function got(signal = never()): Promise<string> {
  const what = await credentials.authorize(signal).then(
    ({ options }) => String(options.auth),
    (error: unknown) => (error as Error).message,
  );
  return `${what} at ${clock.monotonic()}`;
}

async function answered(token: string): Promise<Authorized> {
  const authorized = credentials.authorize(never());
  asked.at(-1)?.answer(token);
  return authorized;
}

describe('a question for credentials', () => {
  it('is asked for each request; those who ask while it is open share the answer', async () => {
    const both = [got(), got()];
    asked[0]?.answer('a');
    expect(await Promise.all(both)).toEqual(['a at 0', 'a at 0']);
    await answered('b');
    expect(times()).toEqual([0, 0]);
  });

  it('is waited for while there is nothing else, and asked once more after 5 s', async () => {
    const waiting = got();
    await clock.advance(6_000);
    asked[1]?.answer('b');
    expect(await waiting).toBe('b at 6000');
    expect(times()).toEqual([0, 5_000]);
  });

  it('is never open more than twice, however long there is no answer', async () => {
    void got();
    await clock.advance(500_000);
    void got();
    expect(times()).toEqual([0, 5_000]);
    await clock.advance(100_000);
    expect(times()).toEqual([0, 5_000, 600_000]);
  });

  it('that is answered late still counts: a plugin may take eight seconds each time', async () => {
    const waiting = got();
    await clock.advance(8_000);
    asked[0]?.answer('slow');
    expect(await waiting).toBe('slow at 8000');
  });

  it('is not waited for by what gives up, and is not asked again for it', async () => {
    const abort = new AbortController();
    const waiting = got(abort.signal);
    await clock.advance(100);
    abort.abort(new Error('given up'));
    expect(await waiting).toBe('given up at 100');
    expect(clock.timers).toBe(0);
    expect(await got(AbortSignal.abort(new Error('before')))).toBe('before at 100');
  });
});

describe('the last good answer', () => {
  it('is used once a question is open for 650 ms, and at once from then on', async () => {
    await answered('good');
    const waiting = got();
    await clock.advance(649);
    const second = got();
    await clock.advance(1);
    expect(await Promise.all([waiting, second, got()])).toEqual(Array(3).fill('good at 650'));
    expect(times()).toEqual([0, 0]);
  });

  it('is used no longer once there is a newer one, also of a question that was asked later', async () => {
    await answered('good');
    void got();
    await clock.advance(5_000);
    void got();
    asked[2]?.answer('newer');
    await clock.advance(0);
    // The one that was lost comes in the end, and is older.
    asked[1]?.answer('older');
    await clock.advance(0);
    const waiting = got();
    await clock.advance(650);
    expect(await waiting).toBe('newer at 5650');
  });

  it.each([
    ['for ten minutes when nothing names an end', null, 600_000],
    ['until its end', 20_000, 20_000],
    ['beyond ten minutes when its end is later', 700_000, 700_000],
  ])('is used %s', async (_, endsInMs, lastsMs) => {
    lifetime = { endsAt: endsInMs === null ? null : clock.wall() + endsInMs, isReusable: false };
    await answered('good');
    await clock.advance(lastsMs - 2_000);
    void got();
    await clock.advance(1_999);
    let [last, late] = ['', ''];
    void got().then((what) => (last = what));
    await clock.advance(1);
    void got().then((what) => (late = what));
    await clock.advance(1_000);
    expect([last, late]).toEqual([`good at ${lastsMs - 1}`, '']);
  });

  it('is not used after its end', async () => {
    lifetime = { endsAt: clock.wall() + 20_000, isReusable: false };
    await answered('good');
    void got();
    await clock.advance(20_000);
    let late = '';
    void got().then((what) => (late = what));
    await clock.advance(4_000);
    expect(late).toBe('');
  });

  it('is not used after the server refused it', async () => {
    credentials.refused(await answered('good'));
    let got650 = '';
    void got().then((what) => (got650 = what));
    await clock.advance(4_000);
    expect(got650).toBe('');
  });

  it('stays when the server refuses an older one', async () => {
    const older = await answered('older');
    await answered('good');
    credentials.refused(older);
    const waiting = got();
    await clock.advance(650);
    expect(await waiting).toBe('good at 650');
  });

  it('is not used after a question was answered with an error', async () => {
    await answered('good');
    const failed = got();
    asked[1]?.fail();
    expect(await failed).toBe('no at 0');
    let late = '';
    void got().then((what) => (late = what));
    await clock.advance(4_000);
    expect(late).toBe('');
  });

  it('is not used after an error to a question that was overdue', async () => {
    await answered('good');
    void got();
    await clock.advance(1_000);
    asked[1]?.fail();
    await clock.advance(0);
    let late = '';
    void got().then((what) => (late = what));
    await clock.advance(4_000);
    expect(late).toBe('');
  });
});

describe('an answer that need not be asked for again', () => {
  beforeEach(() => {
    lifetime = { endsAt: null, isReusable: true };
  });

  it('is used for a minute', async () => {
    await answered('plugin');
    await clock.advance(59_999);
    expect(await got()).toBe('plugin at 59999');
    await clock.advance(1);
    void got();
    expect(times()).toEqual([0, 60_000]);
  });

  it('is asked for again after the server refused it', async () => {
    credentials.refused(await answered('plugin'));
    void got();
    expect(times()).toEqual([0, 0]);
  });
});
