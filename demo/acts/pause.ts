import type { Candidates } from '../candidates.js';
import type { Member } from '../crew.js';
import { duration } from '../expectations.js';
import { now, type ReportOf, type Woke } from '../messages.js';
import type { Stage } from '../stage.js';
import { countDown } from './countdown.js';

export async function pause(stage: Stage, pods: Candidates): Promise<void> {
  const { timeline, sleep } = stage;
  timeline.chapter(
    '4  Pause',
    'The leader freezes in the middle of its work, as a process does in a suspended machine. Another one ' +
      'leads by the time it goes on. It must know at once that it leads no more; and the write that it was ' +
      'about to make must not reach the store, which refuses tokens smaller than the greatest it has seen.',
  );
  const renewedAt = await pods.betweenRenewals();
  const { by: leader } = pods.leader;
  const leads = pods.next(pods.others, 'leads', 'a takeover');
  leader.signal('SIGSTOP');
  const what = 'PAUSED (SIGSTOP), while it leads and prepares its next write';
  timeline.add({ at: now(), who: leader.name, phase: 'paused', what });
  await countDown(stage, renewedAt, 'its belief ends here, though it cannot notice now');
  const { by: next } = await leads;
  await pods.next([next], 'wrote', 'a write by the next leader');
  await sleep(500);
  await wake(stage, pods, leader, next);
  await sleep(1_000);
}

async function wake(
  stage: Stage,
  pods: Candidates,
  sleeper: Member,
  leader: Member,
): Promise<void> {
  const woke = pods.next([sleeper], 'woke', 'the paused process to look around');
  const wrote = pods.next([sleeper], 'wrote', 'its late write');
  const stopped = pods.next([sleeper], 'stopped', 'the end of its term');
  const isKnown = ({ leader: seen }: ReportOf<'sees'>): boolean => seen === leader.name;
  const sees = pods.next([sleeper], 'sees', 'it to see the leader', isKnown);
  sleeper.signal('SIGCONT');
  tellBelief(stage, sleeper.name, await woke);
  const late = await wrote;
  await stopped;
  const { at } = await sees;
  const what = `waits: it sees that ${leader.name} leads`;
  stage.timeline.add({ at: Math.max(at, late.at + 0.001), who: sleeper.name, what });
  tellWrite(stage, late);
}

function tellBelief({ timeline, expectations }: Stage, who: string, woke: Woke): void {
  const { at, isLeader, isAborted, requests, pausedMs } = woke;
  const signal = isAborted ? 'aborted' : 'not aborted';
  // Both were so in one instant, before what was reported at `at`.
  const slept = `AWAKE (SIGCONT), after ${duration(pausedMs)}`;
  timeline.add({ at: at - 0.002, who, what: slept, phase: 'waiting' });
  const found = `isLeader() says ${isLeader}; its signal is ${signal}; requests made so far: ${requests}`;
  timeline.add({ at: at - 0.001, who, what: found });
  expectations.check(
    'pause: isLeader() on waking up',
    'false, no request',
    `${isLeader}, ${requests} requests`,
    !isLeader && requests === 0,
  );
  expectations.check('pause: the signal of its work', 'aborted', signal, isAborted);
}

function tellWrite({ timeline, expectations }: Stage, late: ReportOf<'wrote'>): void {
  const { isAccepted, token, greatest } = late;
  const outcome = isAccepted ? 'accepted' : 'refused';
  const why = `${token} ${isAccepted ? 'after' : '<'} ${greatest}`;
  timeline.conclude(`its belief was over, its late write was ${outcome}: token ${why}`);
  const isRefused = !isAccepted && token < greatest;
  const measured = `${outcome}: token ${why}`;
  expectations.check('pause: its late write', 'refused', measured, isRefused);
}
