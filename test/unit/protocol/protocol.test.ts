import { describe, expect, it } from '@jest/globals';
import { ApiError, ApiUnreachableError, UnsupportedLeaseError } from '../../../src/errors.js';
import type { Lease } from '../../../src/lease/record.js';
import { advance } from '../../../src/lease/protocol/advance.js';
import { seek } from '../../../src/lease/protocol/seeking.js';
import { nothingSeen, observe } from '../../../src/lease/protocol/sight.js';
import {
  IllegalEventError,
  transitions,
  type Event,
  type State,
  type Terms,
} from '../../../src/lease/protocol/state.js';
import { nextStep } from '../../../src/lease/protocol/step.js';
import {
  at,
  foreignLease,
  leaseWith,
  pace,
  terms,
  vacantLease,
} from '../../../tools/harness/protocol/fixtures.js';
import { Player, landed, type WriteStep } from '../../../tools/harness/protocol/player.js';

const ours = terms('n1');

/** A player that holds since time 0, with token 10 and version 11. */
function holder(over: Partial<Terms> = {}): { player: Player; claim: WriteStep } {
  const player = new Player(terms('n1', over)).read(vacantLease(10n));
  const claim = player.send('claim');
  player.won(claim, 11n);
  expect(player.state.kind).toBe('holding');
  return { player, claim };
}

describe('acquiring', () => {
  it('reads first, creates a vacant lease where there is none, then claims it by its version', () => {
    const player = new Player().read(null);
    const { step } = player;
    expect(step).toMatchObject({ do: 'create', change: { record: { holder: '' }, mark: null } });
    player.event({ type: 'begun', step }).learn(vacantLease(10n));
    player.event({ type: 'answered', request: 'create', verdict: { kind: 'ok' } });
    const claim = player.send('claim');
    expect(claim.base.version).toBe(10n);
    expect(claim.change.mark).toEqual({ nonce: 'n1', token: 10n });
    expect(claim.change.record).toMatchObject({ holder: 'pod-n1', transitions: 4 });
  });

  it('claims what it knows to be vacant without reading', () => {
    const sight = observe(nothingSeen, { kind: 'present', lease: vacantLease(7n), asked: null }, 0);
    expect(new Player(ours, sight).send('claim').base.version).toBe(7n);
  });

  it('fails by a claim that was stored without its mark, also when the watch shows it first, and vacates it', () => {
    for (const isWatched of [false, true]) {
      const player = new Player(terms('n1', { aim: 'try' })).read(vacantLease(10n));
      const claim = player.send('claim');
      const stored = { ...landed(claim, 11n), mark: null };
      if (isWatched) player.learn(stored);
      expect(player.step).toEqual({ do: 'wait', ms: Infinity });
      player.answered(claim, stored);
      expect(player.step).toMatchObject({ do: 'fail', error: { code: 'ERR_UNSUPPORTED_LEASE' } });
      const vacate = player.event({ type: 'stop' }).send('vacate');
      expect(vacate.base.version).toBe(11n);
      player.answered(vacate, landed(vacate, 12n));
      expect(player.state.kind).toBe('over');
    }
  });

  it('takes as token the version that its claim replaced', () => {
    const { player } = holder();
    expect(player.state).toMatchObject({ token: 10n, heldUntil: 13_000 });
  });

  it('waits out the record of a holder, by its own duration and our clock since we first saw it', () => {
    const lease = foreignLease(10n, 5, {});
    const record = { ...lease.record, durationMs: 7_000 };
    const player = new Player().event({ type: 'watch', live: true, gap: false });
    for (let looks = 0; looks < 3; looks++) player.read({ ...lease, record }).wait(2_000);
    player.read({ ...lease, record }).wait(999);
    expect(player.step).toEqual({ do: 'wait', ms: 1 });
    player.wait(1);
    expect(player.step).toMatchObject({ do: 'write', write: { intent: 'claim', base: 10n } });
  });

  it('starts waiting anew when the spec changed, not when only labels did', () => {
    const first = foreignLease(10n, 5);
    const player = new Player().event({ type: 'watch', live: true, gap: false }).read(first);
    player.wait(10_000).learn({ ...first, version: 11n });
    player.wait(5_000);
    expect(player.step).toMatchObject({ do: 'write', write: { base: 11n } });
    player.learn(foreignLease(12n, 6));
    expect(player.step.do).toBe('wait');
  });

  it('does not count time that the machine was suspended as waiting', () => {
    const player = new Player().event({ type: 'watch', live: true, gap: false });
    player.read(foreignLease(10n, 5));
    player.elapsed += 60_000;
    player.event({ type: 'tick' });
    expect(player.step.do).toBe('wait');
  });

  it.each([
    ['is long dead by the server clock', { idleMs: 35_000 }, {}, true],
    ['is dead by less than that', { idleMs: 34_999 }, {}, false],
    [
      'is dead but the server clock is not trusted',
      { idleMs: 35_000 },
      { trustServerClock: false },
      false,
    ],
    ['does not tell', { idleMs: null }, {}, false],
  ])('claims at first sight only what %s', (_, lease, over, expected) => {
    const player = new Player(terms('n1', over)).read(foreignLease(10n, 5, lease));
    expect(player.step.do === 'write').toBe(expected);
  });

  it('gives way at once when impatient, but only after a look of its own', () => {
    const known = { kind: 'present', lease: foreignLease(10n, 5), asked: null } as const;
    const player = new Player(terms('n1', { aim: 'try' }), observe(nothingSeen, known, 0));
    player.read(foreignLease(10n, 5));
    expect(player.step).toMatchObject({ do: 'yield', lease: { record: { holder: 'other' } } });
  });

  it('holds off after a release when rivals are about', () => {
    const player = new Player().read(foreignLease(10n, 5));
    const sight = observe(
      player.sight,
      { kind: 'present', lease: vacantLease(11n), asked: null },
      0,
    );
    player.event({ type: 'news', sight, pace: { ...pace, holdOffMs: 40 } });
    expect(player.step).toEqual({ do: 'wait', ms: 40 });
    player.wait(40);
    expect(player.step).toMatchObject({ do: 'write', write: { intent: 'claim' } });
  });

  it('does not look shortly before a claim is due, which finds out itself', () => {
    const player = new Player().event({ type: 'watch', live: true, gap: false });
    const lease = (version: bigint, time: number): Lease => {
      const { record } = foreignLease(version, time);
      return leaseWith({ record: { ...record, durationMs: 4_000 }, mark: null }, version);
    };
    player.read(lease(10n, 5)).wait(1_000).learn(lease(11n, 6)).wait(2_000);
    expect(player.step).toEqual({ do: 'read', why: 'silence' });
    player.read(lease(11n, 6));
    expect(player.step).toEqual({ do: 'wait', ms: 2_000 });
    player.wait(2_000);
    expect(player.step).toMatchObject({ do: 'write', write: { intent: 'claim' } });
  });

  it('looks again after silence of twice the heartbeat, and polls without a watch', () => {
    const player = new Player().event({ type: 'watch', live: true, gap: false });
    player.read(foreignLease(10n, 5)).wait(2_000).learn(foreignLease(11n, 6)).wait(3_999);
    expect(player.step.do).toBe('wait');
    player.wait(1);
    expect(player.step).toEqual({ do: 'read', why: 'silence' });
    player.event({ type: 'watch', live: false, gap: false });
    expect(player.step).toEqual({ do: 'read', why: 'poll' });
  });

  it('will not take what belongs to coordinated election, nor what has no order', () => {
    for (const over of [{ strategy: 'OldestEmulationVersion' }, { version: null }]) {
      const player = new Player().read(vacantLease(10n, over));
      expect(player.step).toMatchObject({ do: 'fail' });
      expect((player.step as { error: Error }).error).toBeInstanceOf(UnsupportedLeaseError);
    }
  });
});

describe('refusals', () => {
  const error = new ApiError(422, 'Invalid', 'no');
  const refused = { kind: 'refused', error, transient: false } as const;

  it('are told at once on the first attempt', () => {
    const player = new Player();
    player.event({ type: 'begun', step: player.step });
    player.event({ type: 'answered', request: 'read', verdict: refused });
    expect(player.step).toEqual({ do: 'fail', error });
  });

  it('are waited out when the same request was allowed before', () => {
    const player = new Player().read(foreignLease(10n, 5)).wait(2_000);
    player.event({ type: 'begun', step: player.step });
    player.event({ type: 'answered', request: 'read', verdict: refused });
    expect(player.step).toEqual({ do: 'wait', ms: 1_000 });
  });

  it('that pass by themselves are retried soon', () => {
    const busy = new ApiUnreachableError('busy', 'server');
    const verdict = { kind: 'refused', error: busy, transient: true } as const;
    const player = new Player();
    player.event({ type: 'begun', step: player.step });
    player.event({ type: 'answered', request: 'read', verdict });
    expect(player.step).toEqual({ do: 'wait', ms: 250 });
  });

  it('do not end a term', () => {
    const { player } = holder();
    const renewal = player.wait(2_000).send('renew');
    player.event({ type: 'settled', stamp: renewal.write.stamp, verdict: refused });
    expect(player.held).toBe(true);
    expect(player.step).toEqual({ do: 'wait', ms: 1_000 });
  });
});

describe('a holder whose watch missed something', () => {
  const gap = { type: 'watch', live: true, gap: true } as const;

  it('renews at once, without a read before', () => {
    const { player } = holder();
    player.wait(500).event(gap);
    const renewal = player.send('renew');
    player.learn(landed(renewal, 12n)).settle(renewal, 'ok');
    expect(player.state).toMatchObject({ heldUntil: 13_500, renewAt: 2_500 });
  });

  it('does not put a renewal off that is overdue', () => {
    const { player } = holder();
    player.wait(2_500).event(gap);
    expect(player.state).toMatchObject({ renewAt: 2_000 });
  });

  it('reads once the renewal has met another version, since there is nothing to write onto', () => {
    const { player } = holder();
    player.wait(500).event(gap);
    player.settle(player.send('renew'), 'conflict');
    expect(player.step).toEqual({ do: 'read', why: 'doubt' });
  });
});

describe('holes that a model checker found in naive versions', () => {
  it('1: a renewal is credited by its own stamp, not by the nonce of the term', () => {
    const { player, claim } = holder();
    player.wait(2_000);
    const renewal = player.send('renew');
    player.event({ type: 'silent', stamp: renewal.write.stamp });
    player.settle(player.wait(250).send('renew'), 'conflict');
    player.read(landed(claim, 11n));
    expect(player.state).toMatchObject({ heldUntil: 13_000 });
    player.learn(landed(renewal, 12n));
    expect(player.state).toMatchObject({ heldUntil: 15_000 });
  });

  it('2: stamps grow by a second and more although the wall clock stands still', () => {
    const { player, claim } = holder();
    player.wait(2_000);
    const stuck = { ...player.instant, wall: claim.change.record.renewTime! };
    const step = nextStep(player.state, stuck, ours) as WriteStep;
    expect(step.change.record.renewTime).toBe(claim.change.record.renewTime! + 1_000);
  });

  it('2: an answer with the version that was replaced extends nothing', () => {
    const { player, claim } = holder();
    const renewal = player.wait(2_000).send('renew');
    player.learn(landed(claim, 11n)).settle(renewal, 'ok');
    expect(player.state).toMatchObject({ heldUntil: 13_000 });
    expect(player.wait(250).send('renew').write.stamp).toBeGreaterThan(renewal.write.stamp);
  });

  it('3: a deleted lease is lost at once, also when it was made again', () => {
    expect(holder().player.learn(null, { version: 12n }).state).toMatchObject({
      end: { how: 'lost', reason: 'deleted', token: 10n },
    });
    const again = vacantLease(13n, { uid: 'uid-2' });
    expect(holder().player.learn(again).state).toMatchObject({ end: { reason: 'deleted' } });
  });

  it('4: a win that is learnt after its belief ended is no win, and may be replaced at once', () => {
    const player = new Player().read(vacantLease(10n));
    const claim = player.send('claim');
    player.wait(13_000).learn(landed(claim, 11n)).settle(claim, 'ok');
    expect(player.state.kind).toBe('seeking');
    const again = player.send('claim');
    expect(again.base.version).toBe(11n);
    expect(again.change.mark?.token).toBe(11n);
  });

  it('5: news older than what is known says nothing', () => {
    const { player } = holder();
    player.learn(foreignLease(9n, 5));
    expect(player.held).toBe(true);
  });

  it('6: a record with our identity and another nonce is not ours', () => {
    const { player, claim } = holder();
    const mark = { nonce: 'n0', token: 10n };
    player.learn({ ...landed(claim, 12n), mark });
    expect(player.state).toMatchObject({ end: { how: 'lost', reason: 'taken-over' } });
    player.learn({ ...landed(claim, 13n), mark: null });
    expect(player.held).toBe(false);
  });

  it('8: giving up a claim in doubt moves the version by a unique value until a read shows it', () => {
    const player = new Player().read(vacantLease(10n));
    const claim = player.send('claim');
    player.settle(claim, 'unknown').event({ type: 'stop' });
    player.read(vacantLease(10n)).wait(250);
    const first = player.send('bump');
    player.settle(first, 'unknown').read(vacantLease(10n)).wait(250);
    const second = player.send('bump');
    expect(second.change.bump).not.toBe(first.change.bump);
    player.settle(second, 'conflict').read(vacantLease(11n));
    expect(player.state).toEqual({ kind: 'over', end: { how: 'withdrawn' } });
  });

  it('a claim that landed too late to win is vacated when it is given up, whatever is asked meanwhile', () => {
    const player = new Player().read(vacantLease(10n));
    const claim = player.send('claim');
    player.wait(13_000).event({ type: 'silent', stamp: claim.write.stamp });
    const { step } = player;
    player.event({ type: 'begun', step }).learn(landed(claim, 11n)).event({ type: 'stop' });
    player.event({ type: 'answered', request: 'read', verdict: { kind: 'ok' } });
    expect(player.send('vacate').base.version).toBe(11n);
  });

  it('8: a claim that landed although it was given up is vacated', () => {
    const player = new Player().read(vacantLease(10n));
    const claim = player.send('claim');
    player.settle(claim, 'unknown').event({ type: 'stop' }).read(landed(claim, 11n));
    const vacate = player.send('vacate');
    expect(vacate.change).toMatchObject({ record: { holder: '', durationMs: 1_000 }, mark: null });
    player.won(vacate, 12n);
    expect(player.state.kind).toBe('over');
  });

  it('a conflict that nothing explains is no reason for a tight loop', () => {
    const { player, claim } = holder();
    player.settle(player.wait(2_000).send('renew'), 'conflict').read(landed(claim, 11n));
    expect(player.step).toEqual({ do: 'wait', ms: 250 });
    player.event({ type: 'stop' });
    player.settle(player.send('vacate'), 'conflict').read(landed(claim, 11n));
    expect(player.step).toEqual({ do: 'wait', ms: 250 });
  });

  it('nobody is refused on what was heard before: it may be mended', () => {
    const lease = vacantLease(10n, { strategy: 'OldestEmulationVersion' });
    const player = new Player(
      ours,
      observe(nothingSeen, { kind: 'present', lease, asked: null }, 0),
    );
    player.read(vacantLease(11n));
    expect(player.send('claim').base.version).toBe(11n);
  });

  it('who tries once does not hold off for rivals', () => {
    const player = new Player(terms('n1', { aim: 'try' }));
    const known = { kind: 'present', lease: vacantLease(10n), asked: null } as const;
    const sight = observe(player.sight, known, 0);
    player.event({ type: 'news', sight, pace: { ...pace, holdOffMs: 400 } });
    expect(player.step).toMatchObject({ do: 'write', write: { intent: 'claim' } });
  });

  it('9: a silent watch is found out, and the wait starts from what the read shows', () => {
    const player = new Player().event({ type: 'watch', live: true, gap: false });
    player.read(foreignLease(10n, 5)).wait(7_500).read(foreignLease(20n, 9));
    player.wait(7_500);
    expect(player.step).not.toMatchObject({ do: 'write' });
  });

  it('11: suspension counts against belief', () => {
    const { player } = holder();
    player.elapsed += 13_000;
    expect(player.held).toBe(false);
    expect(player.event({ type: 'tick' }).state).toMatchObject({ end: { reason: 'expired' } });
  });
});

describe('holding', () => {
  it('renews an interval after the send, and believes from the send', () => {
    const { player } = holder();
    expect(player.step).toEqual({ do: 'wait', ms: 2_000 });
    const renewal = player.wait(2_000).send('renew');
    player.wait(1_500).won(renewal, 12n);
    expect(player.state).toMatchObject({ heldUntil: 15_000, renewAt: 4_000 });
    expect(player.step).toEqual({ do: 'wait', ms: 500 });
  });

  it('keeps acquireTime, transitions and token while it renews', () => {
    const { player, claim } = holder();
    const { change } = player.wait(2_000).send('renew');
    expect(change.mark).toEqual(claim.change.mark);
    expect(change.record).toEqual({
      ...claim.change.record,
      renewTime: change.record.renewTime,
    });
  });

  it('tries again beside a silent attempt, and credits the one that lands', () => {
    const { player } = holder();
    const first = player.wait(2_000).send('renew');
    player.wait(650).event({ type: 'silent', stamp: first.write.stamp });
    const second = player.wait(250).send('renew');
    expect(second.write.base).toBe(first.write.base);
    player.wait(3_000).won(first, 12n);
    expect(player.state).toMatchObject({ heldUntil: 15_000 });
    player.settle(second, 'conflict');
    expect(player.step).toMatchObject({ do: 'write', write: { base: 12n } });
  });

  it('takes a conflict for a reason to look, and goes on from an edit by others', () => {
    const { player, claim } = holder();
    const renewal = player.wait(2_000).send('renew');
    player.settle(renewal, 'conflict').read({ ...landed(claim, 12n), raw: 'edited' });
    expect(player.held).toBe(true);
    expect(player.send('renew').base).toMatchObject({ version: 12n, raw: 'edited' });
  });

  it('is over in the instant that belief ends, whatever comes then', () => {
    const { player } = holder();
    const renewal = player.wait(2_000).send('renew');
    player.wait(11_000 - 1);
    expect(player.held).toBe(true);
    player.now += 1;
    player.elapsed += 1;
    player.learn(landed(renewal, 12n));
    expect(player.state).toMatchObject({ kind: 'over', end: { how: 'lost', reason: 'expired' } });
  });

  it('ends belief on time while requests are under way', () => {
    const { player } = holder();
    player.wait(2_000).send('renew');
    expect(player.step).toEqual({ do: 'wait', ms: 11_000 });
  });
});

describe('releasing', () => {
  it('is not held before the write is sent, vacates by version and is confirmed by its stamp', () => {
    const { player, claim } = holder();
    player.event({ type: 'stop' });
    expect(player.held).toBe(false);
    const vacate = player.send('vacate');
    expect(vacate.change.record).toMatchObject({
      holder: '',
      durationMs: 1_000,
      transitions: claim.change.record.transitions,
    });
    player.won(vacate, 12n);
    expect(player.state).toEqual({ kind: 'over', end: { how: 'released' } });
  });

  it('abandons a renewal in flight, and vacates what it left when it lands first', () => {
    const { player } = holder();
    const renewal = player.wait(2_000).send('renew');
    player.event({ type: 'stop' });
    const vacate = player.send('vacate');
    player.settle(vacate, 'conflict').read(landed(renewal, 12n));
    expect(player.send('vacate').base.version).toBe(12n);
  });

  it('leaves the record of another holder alone', () => {
    const { player } = holder();
    player.event({ type: 'stop' });
    player.settle(player.send('vacate'), 'conflict').read(foreignLease(12n, 9));
    expect(player.state).toEqual({ kind: 'over', end: { how: 'left' } });
  });

  it('gives up after five seconds', () => {
    const { player } = holder();
    player.event({ type: 'stop' });
    player.settle(player.send('vacate'), 'unknown').wait(5_000);
    expect(player.state).toEqual({ kind: 'over', end: { how: 'left' } });
  });

  it('waits for another attempt no longer than it goes on at all', () => {
    const { player } = holder();
    player.event({ type: 'stop' });
    player.settle(player.wait(4_900).send('vacate'), 'unknown');
    const { step } = player;
    if (step.do !== 'read') throw new Error(`a read was due, not ${step.do}`);
    player.event({ type: 'begun', step });
    player.event({ type: 'answered', request: 'read', verdict: { kind: 'unknown' } });
    expect(player.step).toEqual({ do: 'wait', ms: 100 });
  });

  it('does nothing after a loss', () => {
    const { player } = holder();
    player.wait(13_000);
    expect(player.step).toEqual({ do: 'end' });
  });

  it('deletes the vacated lease by uid and version when asked to, unless somebody has it', () => {
    const { player } = holder({ deleteOnRelease: true });
    player.event({ type: 'stop' });
    player.won(player.send('vacate'), 12n);
    const { step } = player;
    expect(step).toMatchObject({ do: 'delete', base: { version: 12n, uid: 'uid-1' } });
    player.learn(foreignLease(13n, 9));
    expect(player.state).toEqual({ kind: 'over', end: { how: 'released' } });
  });

  it('leaves no trace when nothing was claimed', () => {
    const player = new Player().read(foreignLease(10n, 5)).event({ type: 'stop' });
    expect(player.state).toEqual({ kind: 'over', end: { how: 'withdrawn' } });
  });
});

describe('news', () => {
  it('of a missing lease counts only when it was asked after the newest was learnt', () => {
    const { player } = holder();
    const asked = player.sight.serial - 1;
    const late = observe(player.sight, { kind: 'absent', version: null, asked }, player.now);
    expect(late).toBe(player.sight);
    expect(player.learn(null, { asked: true }).state).toMatchObject({ end: { reason: 'deleted' } });
  });

  it('of the version known adds what only a read can tell, also when an event came in between', () => {
    const player = new Player(terms('n1', { aim: 'try' }));
    player.event({ type: 'begun', step: player.step });
    const asked = player.sight.serial;
    player.learn(foreignLease(10n, 5));
    const answer = {
      kind: 'present',
      lease: foreignLease(10n, 5, { idleMs: 35_000 }),
      asked,
    } as const;
    player.sight = observe(player.sight, answer, player.now);
    player.event({ type: 'news', sight: player.sight, pace });
    player.event({ type: 'answered', request: 'read', verdict: { kind: 'ok' } });
    expect(player.step).toMatchObject({ do: 'write', write: { intent: 'claim', base: 10n } });
  });

  it('of an older version counts when a read says so that was asked after: history was rewound', () => {
    const player = new Player().read(foreignLease(100n, 5)).wait(2_000);
    player.read(vacantLease(7n));
    expect(player.sight).toMatchObject({ version: 7n, firstSeenAt: 2_000 });
    const claim = player.send('claim');
    expect(claim.change.mark?.token).toBe(7n);
  });
});

describe('the transition table', () => {
  const kinds = ['seeking', 'holding', 'vacating', 'over'] as const;
  const events: Record<Event['type'], Event> = {
    begun: { type: 'begun', step: { do: 'read', why: 'first' } },
    news: { type: 'news', sight: nothingSeen, pace },
    sent: { type: 'sent', stamp: 1 },
    silent: { type: 'silent', stamp: 1 },
    settled: { type: 'settled', stamp: 1, verdict: { kind: 'ok' } },
    answered: { type: 'answered', request: 'read', verdict: { kind: 'ok' } },
    watch: { type: 'watch', live: true, gap: true },
    tick: { type: 'tick' },
    stop: { type: 'stop' },
    abandon: { type: 'abandon' },
  };

  function stateOf(kind: State['kind']): State {
    const { player } = holder();
    if (kind === 'seeking') return seek(nothingSeen, at(0), pace);
    if (kind === 'vacating') return player.event({ type: 'stop' }).state;
    return kind === 'over' ? player.wait(13_000).state : player.state;
  }

  const cases = kinds.flatMap((kind) =>
    Object.values(events).map((event) => [kind, event.type, event] as const),
  );

  it.each(cases)(
    '%s takes %s as the table says, or throws and stays as it was',
    (kind, type, event) => {
      const state = stateOf(kind);
      const before = structuredClone(state);
      const allowed = transitions[kind][type];
      if (allowed === undefined) {
        expect(() => advance(state, event, at(0), ours)).toThrow(IllegalEventError);
      } else {
        expect(allowed).toContain(advance(state, event, at(0), ours).kind);
      }
      expect(state).toEqual(before);
    },
  );

  it('does not let a second request begin beside one under way, nor a wait', () => {
    const player = new Player();
    player.event({ type: 'begun', step: player.step });
    const { state } = player;
    expect(() => player.event({ type: 'begun', step: { do: 'read', why: 'first' } })).toThrow(
      'illegal event begun in state seeking: a request is under way',
    );
    expect(player.state).toBe(state);
    expect(() => new Player().event({ type: 'begun', step: { do: 'end' } })).toThrow(
      IllegalEventError,
    );
  });
});
