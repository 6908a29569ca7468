import { describe, expect, it } from '@jest/globals';
import type { News } from '../../../src/lease/protocol/sight.js';
import type { Lease } from '../../../src/lease/record.js';
import { LINGER_MS, LeaseView } from '../../../src/lease/view.js';
import { ManualClock } from '../../../src/testing/clock.js';
import { seededRandom } from '../../../src/testing/random.js';
import { ScriptedWatch } from './manual.js';
import {
  foreignLease,
  key,
  leaseWith,
  vacantLease,
} from '../../../tools/harness/protocol/fixtures.js';

function scene() {
  const clock = new ManualClock();
  const watch = new ScriptedWatch();
  let idle = 0;
  const view = new LeaseView(key, { watch, clock, random: seededRandom(1) }, () => idle++);
  return { clock, watch, view, idle: () => idle };
}

function listener(view: LeaseView, nonce = 'n') {
  const heard: string[] = [];
  const leave = view.join({
    nonce,
    news: () => heard.push('news'),
    watch: (live, gap) => heard.push(`${live ? 'live' : 'dead'}${gap ? ', gap' : ''}`),
  });
  return { heard, leave };
}

const event = (lease: Lease): News => ({ kind: 'present', lease, asked: null });
const holder = (version: bigint, name: string): News =>
  event(
    leaseWith(
      {
        record: {
          holder: name,
          durationMs: 15_000,
          acquireTime: 1,
          renewTime: Number(version),
          transitions: 1,
        },
        mark: null,
      },
      version,
    ),
  );

describe('what one client knows of one lease', () => {
  it('is told to all who listen, and only when it is new', () => {
    const { view } = scene();
    const [a, b] = [listener(view), listener(view)];
    view.learn(event(foreignLease(5n, 1)));
    view.learn(event(foreignLease(5n, 1)));
    view.learn(event(foreignLease(4n, 0)));
    expect(a.heard).toEqual(['news']);
    expect(b.heard).toEqual(['news']);
    expect(view.holder).toBe('other');
    view.learn(event(vacantLease(6n)));
    expect(view.holder).toBeNull();
    expect(a.heard).toEqual(['news', 'news']);
  });

  it('has not forgotten an attempt that still listens, however many came after it', () => {
    const { view } = scene();
    listener(view, 'holder');
    for (let n = 0; n < 100; n++) listener(view, `try-${n}`).leave();
    expect(view.isLocal('holder')).toBe(true);
  });

  it('reaches those who listen even if one leaves while it is told', () => {
    const { view } = scene();
    const first = view.join({ nonce: 'a', news: () => first(), watch: () => undefined });
    const second = listener(view);
    view.learn(event(vacantLease(5n)));
    expect(second.heard).toEqual(['news']);
  });

  it('comes by the watch too', () => {
    const { view, watch } = scene();
    const { heard } = listener(view);
    watch.listener?.news({ kind: 'present', lease: vacantLease(5n) });
    expect(heard).toEqual(['news']);
    expect(view.sight).toMatchObject({ kind: 'present', version: 5n });
  });

  it('says which nonces are of attempts of this client', () => {
    const { view } = scene();
    listener(view, 'mine');
    expect(view.isLocal('mine')).toBe(true);
    expect(view.isLocal('theirs')).toBe(false);
    expect(view.isLocal('')).toBe(false);
  });
});

describe('the watch of a lease', () => {
  it('is one, however many listen, and goes on from the version known', () => {
    const { view, watch } = scene();
    const froms: (bigint | null)[] = [];
    const subscribe = watch.subscribe.bind(watch);
    watch.subscribe = (name, from, told) => {
      froms.push(from);
      return subscribe(name, from, told);
    };
    view.learn(event(vacantLease(7n)));
    listener(view);
    listener(view);
    expect(froms).toEqual([7n]);
  });

  it('tells whether it delivers, also to who comes later', () => {
    const { view, watch } = scene();
    const first = listener(view);
    watch.listener?.live(true);
    const second = listener(view);
    watch.listener?.gap();
    watch.listener?.live(false);
    expect(first.heard).toEqual(['live', 'live, gap', 'dead']);
    expect(second.heard).toEqual(['live', 'live, gap', 'dead']);
    expect(listener(view).heard).toEqual([]);
  });

  it('lingers after the last listener, then ends and says so', async () => {
    const { view, watch, clock, idle } = scene();
    const [a, b] = [listener(view), listener(view)];
    a.leave();
    await clock.advance(LINGER_MS);
    expect(watch.listener).not.toBeNull();
    b.leave();
    await clock.advance(LINGER_MS - 1);
    expect(watch.listener).not.toBeNull();
    expect(idle()).toBe(0);
    await clock.advance(1);
    expect(watch.listener).toBeNull();
    expect(idle()).toBe(1);
  });

  it('stays for who comes back in time, and lingers anew after', async () => {
    const { view, watch, clock, idle } = scene();
    listener(view).leave();
    await clock.advance(LINGER_MS - 1);
    const { leave } = listener(view);
    await clock.advance(LINGER_MS);
    expect(watch.listener).not.toBeNull();
    leave();
    await clock.advance(LINGER_MS - 1);
    expect(idle()).toBe(0);
    await clock.advance(1);
    expect(idle()).toBe(1);
  });

  it('is opened anew after it ended, and is not live by then', async () => {
    const { view, watch, clock } = scene();
    const { leave } = listener(view);
    watch.listener?.live(true);
    leave();
    await clock.advance(LINGER_MS);
    expect(listener(view).heard).toEqual([]);
    expect(watch.listener).not.toBeNull();
  });

  it('ends at once when the view is closed, with no timer left', () => {
    const { view, watch, clock } = scene();
    listener(view).leave();
    view.close();
    expect(watch.listener).toBeNull();
    expect(clock.timers).toBe(0);
  });

  it('is not waited for by those who leave after the view was closed', () => {
    const { view, clock } = scene();
    const { leave } = listener(view);
    view.close();
    leave();
    expect(clock.timers).toBe(0);
  });

  it('can be doubted, also while there is none', () => {
    const { view, watch } = scene();
    view.suspect();
    listener(view);
    view.suspect();
    expect(watch.suspected).toBe(1);
  });
});

describe('the hold-off before a claim', () => {
  /** The widest of many draws. */
  function widest(view: LeaseView, identity = 'me'): number {
    return Math.max(...Array.from({ length: 200 }, () => view.paceOf(identity).holdOffMs));
  }

  /** A claim onto the version, which is vacant, comes too late. */
  function loseTo(view: LeaseView, name: string, version: bigint): void {
    view.learn(event(vacantLease(version)));
    view.lostClaim(vacantLease(version));
    view.learn(holder(version + 1n, name));
  }

  it('is none for a lone waiter, whoever released', () => {
    const { view } = scene();
    view.learn(holder(1n, 'a'));
    view.learn(event(vacantLease(2n)));
    expect(widest(view)).toBe(0);
    view.learn(holder(3n, 'me'));
    view.learn(event(vacantLease(4n)));
    view.learn(holder(5n, 'a'));
    view.learn(event(vacantLease(6n)));
    expect(widest(view)).toBe(0);
  });

  it('grows with the rivals seen, not counting who just released', () => {
    const { view } = scene();
    for (const [index, name] of ['a', 'b', 'c'].entries())
      view.learn(holder(BigInt(index + 1), name));
    view.learn(event(vacantLease(9n)));
    const three = widest(view);
    expect(three).toBeGreaterThan(0);
    for (const [index, name] of ['d', 'e', 'f'].entries())
      view.learn(holder(BigInt(index + 10), name));
    view.learn(event(vacantLease(19n)));
    expect(widest(view)).toBeGreaterThan(three);
  });

  it('is drawn anew each time', () => {
    const { view } = scene();
    for (const [index, name] of ['a', 'b'].entries()) view.learn(holder(BigInt(index + 1), name));
    expect(view.paceOf('me')).not.toEqual(view.paceOf('me'));
  });

  it('follows a lost race, and the round trips measured', () => {
    const { view } = scene();
    expect(widest(view)).toBe(0);
    loseTo(view, 'a', 1n);
    const near = widest(view);
    expect(near).toBeGreaterThan(0);
    for (let count = 0; count < 50; count++) view.measured(200);
    expect(widest(view)).toBeGreaterThan(5 * near);
    for (let count = 1n; count < 50n; count++) loseTo(view, `rival-${count}`, 2n * count);
    // However many rivals it believes in, it goes for a lock that stays free.
    expect(widest(view)).toBeLessThanOrEqual(500);
  });
});
