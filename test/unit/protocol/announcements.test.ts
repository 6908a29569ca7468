// Turns: when a waiter announces itself, for how long the others leave a vacancy alone, and what ends an announcement.
import { describe, expect, it } from '@jest/globals';
import { turnOf } from '../../../src/lease/protocol/announcements.js';
import type { Step } from '../../../src/lease/protocol/state.js';
import type { Announcement, Lease } from '../../../src/lease/record.js';
import {
  foreignLease,
  idOf,
  leaseWith,
  terms,
  vacantLease,
} from '../../../tools/harness/protocol/fixtures.js';
import { Player } from '../../../tools/harness/protocol/player.js';

const ID = idOf('n1');

/** Held by a process of this library, in a term of its own. */
function heldBy(nonce: string, version: bigint, over: Partial<Lease> = {}): Lease {
  const times = { acquireTime: 1, renewTime: Number(version) };
  const record = { holder: `pod-${nonce}`, durationMs: 15_000, ...times, transitions: 3 };
  return leaseWith({ record, mark: { nonce, token: version - 1n } }, version, over);
}

function announcement(id: string, waitedMs: number, standBackMs = 100): Announcement {
  return { id, waitedMs, standBackMs };
}

/** It watches, and has seen the term of `a` and then that of `b`. */
function passedOver(over: Partial<Lease> = {}): Player {
  const player = new Player().event({ type: 'watch', live: true, gap: false });
  return player.read(heldBy('a', 10n)).learn(heldBy('b', 11n, over));
}

function announced(step: Step): Announcement | null | undefined {
  return step.do === 'announce' ? step.announcement : undefined;
}

/** Sends the announcement that is due, and hears that it stands there. */
function announce(player: Player, version: bigint): Player {
  const { step, sight } = player;
  if (step.do !== 'announce' || step.announcement === null) throw new Error(step.do);
  if (sight.kind !== 'present') throw new Error(sight.kind);
  player.event({ type: 'begun', step });
  player.learn({ ...sight.lease, version, waiting: [step.announcement] });
  return player.event({ type: 'answered', request: 'announce', verdict: { kind: 'ok' } });
}

describe('a waiter announces itself', () => {
  it('when it has waited for two seconds and the lease has changed hands', () => {
    const player = passedOver();
    expect(player.step).toEqual({ do: 'wait', ms: 2_000 });
    player.wait(2_000);
    expect(announced(player.step)).toEqual({ id: ID, waitedMs: 2_000, standBackMs: 70 });
  });

  it('not behind one holder, however long it lasts', () => {
    const player = new Player().event({ type: 'watch', live: true, gap: false });
    player.read(heldBy('a', 10n));
    for (let n = 0; n < 20; n++) {
      player.wait(2_000).learn({ ...heldBy('a', 11n + BigInt(n)) });
      expect(player.step.do).toBe('wait');
    }
  });

  it('not onto the record of another library, which would not leave anything alone', () => {
    const player = passedOver().wait(1_000).learn(foreignLease(12n, 99)).wait(1_500);
    expect(player.step.do).toBe('wait');
    player.learn(heldBy('c', 13n));
    expect(announced(player.step)).toBeDefined();
  });

  it('after another term of another library, too', () => {
    const player = new Player().event({ type: 'watch', live: true, gap: false });
    player.read(foreignLease(10n, 5)).wait(2_000).learn(heldBy('b', 11n));
    expect(announced(player.step)).toBeDefined();
  });

  it('not beside eight others', () => {
    const eight = Array.from({ length: 8 }, (_, n) => announcement(idOf(`w${n}`), 3_000));
    const player = passedOver({ waiting: eight }).wait(2_000);
    expect(player.step.do).toBe('wait');
    player.learn(heldBy('b', 12n, { waiting: eight.slice(1) }));
    expect(announced(player.step)).toBeDefined();
  });

  it.each(['try', 'observe'] as const)('never when its aim is to %s', (aim) => {
    const player = new Player(terms('n1', { aim, announceAfterMs: null }));
    player.event({ type: 'watch', live: true, gap: false });
    player.read(heldBy('a', 10n)).learn(heldBy('b', 11n)).wait(2_000);
    expect(player.step.do).not.toBe('announce');
  });

  it('asks for more time when it is far away, for 200 ms more without a watch, for 500 ms at most', () => {
    const ask = (roundTripMs: number, live: boolean): number | undefined => {
      const player = new Player().event({ type: 'watch', live, gap: false });
      player.read(heldBy('a', 10n)).learn(heldBy('b', 11n));
      const pace = { holdOffMs: 0, roundTripMs };
      const sight = { ...player.sight, serial: player.sight.serial + 1 };
      player.event({ type: 'news', sight, pace });
      return announced(player.wait(2_000).step)?.standBackMs;
    };
    expect(ask(60, true)).toBe(290);
    expect(ask(5, false)).toBe(270);
    expect(ask(300, true)).toBe(500);
  });

  it('again when its turn was in vain, half a second after the last time at the earliest', () => {
    const player = announce(passedOver().wait(2_000), 12n);
    expect(player.step.do).toBe('wait');
    player.wait(100).learn(heldBy('c', 14n));
    expect(player.step).toEqual({ do: 'wait', ms: 400 });
    player.wait(400);
    expect(announced(player.step)).toMatchObject({ waitedMs: 2_500 });
  });

  it('and claims meanwhile: an announcement on its way holds up nothing', () => {
    const player = passedOver().wait(2_000);
    player.event({ type: 'begun', step: player.step });
    player.learn(vacantLease(12n));
    player.send('claim');
  });

  it('by compare-and-swap where patches are refused, which is no failure', () => {
    const player = passedOver().wait(2_000);
    player.event({ type: 'begun', step: player.step });
    const error = new Error('403') as never;
    const verdict = { kind: 'refused', error, transient: false } as const;
    player.event({ type: 'answered', request: 'announce', verdict });
    const write = player.send('announce');
    expect(write.base.version).toBe(11n);
    expect(write.change).toMatchObject({
      record: write.base.record,
      announcement: { id: ID, waitedMs: 2_000 },
    });
    player.settle(write, 'conflict');
    // It is tried again, and no read is made for it.
    expect(player.step).toEqual({ do: 'wait', ms: 500 });
  });

  it('and looks each 200 ms until then, if it may not watch', () => {
    const player = new Player().read(heldBy('a', 10n)).learn(heldBy('b', 11n)).wait(2_000);
    announce(player, 12n);
    player.wait(199);
    expect(player.step).toEqual({ do: 'wait', ms: 1 });
    player.wait(1);
    expect(player.step).toMatchObject({ do: 'read', why: 'poll' });
  });
});

describe('a vacancy with announcements', () => {
  const [long, short] = [
    announcement(idOf('long'), 9_000, 300),
    announcement(idOf('short'), 3_000),
  ];

  it('belongs to the longest wait', () => {
    expect(turnOf({ waiting: [short, long] })).toBe(long);
    expect(turnOf({ waiting: [long, short] })).toBe(long);
    expect(turnOf({ waiting: [] })).toBeUndefined();
    const [first, second] = [announcement('0a', 9_000), announcement('0b', 9_000)];
    expect(turnOf({ waiting: [second, first] })).toBe(first);
  });

  it('is left alone for as long as that one asks, and the hold-off besides', () => {
    const player = new Player().read(vacantLease(10n, { waiting: [short, long] }));
    expect(player.step).toEqual({ do: 'wait', ms: 300 });
    player.wait(300);
    expect(player.send('claim').change.ended).toEqual([long.id]);
  });

  it('is claimed at once by the one whose turn it is, whatever rivals there are', () => {
    const own = announcement(ID, 9_500, 300);
    const player = new Player().read(heldBy('a', 10n));
    player.learn(vacantLease(11n, { waiting: [own, short] }));
    const pace = { holdOffMs: 400, roundTripMs: 5 };
    player.event({ type: 'news', sight: player.sight, pace });
    expect(player.send('claim').change.ended).toEqual([ID]);
  });

  it('is left alone by one that tries once, too, which gives way when it is taken', () => {
    const player = new Player(terms('n1', { aim: 'try' })).read(
      vacantLease(10n, { waiting: [long] }),
    );
    expect(player.step).toEqual({ do: 'wait', ms: 300 });
    player.learn(heldBy('long', 11n));
    expect(player.step.do).toBe('yield');
  });

  it('is not what a silent record is: that one is claimed as ever', () => {
    const player = new Player().read(heldBy('a', 10n, { waiting: [long] })).wait(15_000);
    expect(player.send('claim').change.ended).toBeUndefined();
  });

  it('is waited for by no more than one pause for each announcement of a waiter that is gone', () => {
    const player = new Player().read(vacantLease(10n, { waiting: [short, long] }));
    player.wait(300);
    const claim = player.send('claim');
    player.won(claim, 11n).event({ type: 'stop' });
    const release = player.send('vacate');
    player.won(release, 12n);
    const next = new Player(terms('n2'), player.sight).wait(player.now);
    expect(next.step).toEqual({ do: 'wait', ms: short.standBackMs });
  });
});

describe('an announcement ends', () => {
  it('with the claim of its own waiter, and with its next write if it came too late for that', () => {
    const player = passedOver().wait(2_000);
    player.event({ type: 'begun', step: player.step });
    player.learn(vacantLease(12n));
    player.won(player.send('claim'), 13n);
    expect(player.held).toBe(true);
    if (player.sight.kind !== 'present') throw new Error(player.sight.kind);
    player.learn({ ...player.sight.lease, version: 14n, waiting: [announcement(ID, 2_000)] });
    player.event({ type: 'answered', request: 'announce', verdict: { kind: 'ok' } });
    expect(player.held).toBe(true);
    expect(player.wait(2_000).send('renew').change.ended).toEqual([ID]);
  });

  it('with any claim, if eight others wait longer: more in one instant do not see each other', () => {
    const waiting = Array.from({ length: 12 }, (_, n) =>
      announcement(idOf(`waiter ${n}`), 3_000 + n),
    );
    const player = new Player().read(vacantLease(10n, { waiting })).wait(100);
    const { ended } = player.send('claim').change;
    // The one whose turn it was, and the four shortest waits.
    expect(ended).toEqual([11, 3, 2, 1, 0].map((n) => waiting[n]?.id));
  });

  it('with the wait: it is taken back, once, before the attempt is over', () => {
    const player = announce(passedOver().wait(2_000), 12n).event({ type: 'stop' });
    const { step } = player;
    expect(step).toMatchObject({ do: 'announce', announcement: null, base: { version: 12n } });
    player.event({ type: 'begun', step });
    player.event({ type: 'answered', request: 'announce', verdict: { kind: 'unknown' } });
    expect(player.state).toMatchObject({ kind: 'over', end: { how: 'withdrawn' } });
  });

  it('also when it was on its way as the wait ended', () => {
    const player = passedOver().wait(2_000);
    const { step } = player;
    player.event({ type: 'begun', step }).event({ type: 'stop' });
    expect(player.state.kind).toBe('vacating');
    player.learn(heldBy('b', 12n, { waiting: [announcement(ID, 2_000)] }));
    player.event({ type: 'answered', request: 'announce', verdict: { kind: 'ok' } });
    expect(player.step).toMatchObject({ do: 'announce', announcement: null });
  });

  it('not with a release that would delete the lease: it is left for the one that waits', () => {
    const player = new Player(terms('n1', { deleteOnRelease: true })).read(vacantLease(10n));
    player.won(player.send('claim'), 11n);
    const { sight } = player;
    if (sight.kind !== 'present') throw new Error(sight.kind);
    player.learn({ ...sight.lease, version: 12n, waiting: [announcement(idOf('far'), 2_000)] });
    player.event({ type: 'stop' });
    player.won(player.send('vacate'), 13n);
    expect(player.state).toMatchObject({ kind: 'over', end: { how: 'released' } });
  });
});
