/**
 * Draws who believes what, and when, on an axis of time: a holder that is cut off and a candidate that waits. Both
 * are played with the protocol itself, every half second.
 */
import { claimableAt } from '../../src/lease/protocol/step.js';
import { terms, vacantLease } from '../harness/protocol/fixtures.js';
import { Player, landed } from '../harness/protocol/player.js';

const STEP_MS = 500;
const LAST_MS = 21_000;
const CUT_OFF_MS = 5_000;
const LABEL = 14;

/** What the page says of the marks. */
const WHAT = {
  renewals: 'A renews',
  belief: 'A.isHeld()',
  claim: 'B may claim',
} as const;

export function beliefTimeline(): string {
  const holder = new Player(terms('A'));
  const waiter = new Player(terms('B'));
  let lease = vacantLease(100n);
  holder.read(lease);
  const rows = { renewals: '', belief: '', claim: '' };
  const at = { sent: 0, ended: 0, claim: 0 };
  for (let now = 0; now <= LAST_MS; now += STEP_MS) {
    const sends = holder.step.do === 'write';
    const isHeard = now < CUT_OFF_MS;
    if (sends) {
      const step = holder.send(now === 0 ? 'claim' : 'renew');
      if (isHeard) {
        lease = landed(step, (lease.version ?? 0n) + 1n);
        holder.won(step, lease.version ?? 0n);
        waiter.learn(lease);
        at.sent = now;
      } else holder.settle(step, 'unknown');
    }
    const mayClaim =
      waiter.sight.kind === 'present' && claimableAt(waiter.sight, 0, waiter.terms) <= now;
    rows.renewals += !sends ? ' ' : isHeard ? 'o' : 'x';
    rows.belief += holder.held ? '#' : ' ';
    rows.claim += mayClaim ? '#' : ' ';
    if (holder.held) at.ended = now + STEP_MS;
    if (!mayClaim) at.claim = now + STEP_MS;
    holder.wait(STEP_MS);
    waiter.wait(STEP_MS);
  }
  return [
    `${'seconds'.padEnd(LABEL)}${axis()}`,
    ...(['renewals', 'belief', 'claim'] as const).map((row) =>
      `${WHAT[row].padEnd(LABEL)}${rows[row]}`.trimEnd(),
    ),
    '',
    `${''.padEnd(LABEL)}o landed, x lost. The last one that landed was sent at ${seconds(at.sent)}.`,
    `${''.padEnd(LABEL)}A stops believing at ${seconds(at.ended)}, B may claim from ${seconds(at.claim)}.`,
  ].join('\n');
}

function axis(): string {
  const perMark = 5_000 / STEP_MS;
  const marks = Array.from({ length: Math.floor(LAST_MS / 5_000) + 1 }, (_, index) =>
    String(index * 5).padEnd(perMark),
  );
  return marks.join('').trimEnd();
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
