import type { Candidates } from '../candidates.js';
import { duration } from '../expectations.js';
import { now, timings } from '../messages.js';
import type { Stage } from '../stage.js';
import { countDown } from './countdown.js';

/** The others count from when they saw the renewal, a little later than it was sent. */
const SLACK_MS = 1_000;

export async function crash(stage: Stage, pods: Candidates): Promise<void> {
  const { timeline, expectations, sleep } = stage;
  const least = timings.leaseDurationMs;
  const most = least + SLACK_MS;
  timeline.chapter(
    '3  Crash',
    'The leader is killed, and releases nothing. The others cannot tell whether it is dead or slow, so they ' +
      `leave its lease alone until it has run out: ${least / 1_000} s after the last renewal (15 s by default).`,
  );
  const renewedAt = await pods.betweenRenewals();
  const { by: leader } = pods.leader;
  const leads = pods.next(pods.others, 'leads', 'a takeover');
  const killedAt = now();
  pods.kill(leader, killedAt);
  const since = duration(killedAt - renewedAt);
  const what = `KILLED (SIGKILL), ${since} after it sent its last renewal`;
  timeline.add({ at: killedAt, who: leader.name, phase: 'killed', what });
  await countDown(stage, renewedAt, 'if it still ran, its isLeader() would say false from here on');
  const next = await leads;
  const [took, sinceKill] = [next.at - renewedAt, next.at - killedAt];
  await pods.next([next.by], 'wrote', 'a write by the next leader');
  timeline.conclude(
    `${duration(took)} from the last renewal to the next leader, ${duration(sinceKill)} from the kill`,
  );
  expectations.check(
    'crash: last renewal to next leader',
    `${least / 1_000} s to ${most / 1_000} s`,
    `${duration(took)}; ${duration(sinceKill)} from the kill`,
    took >= least && took <= most,
  );
  await sleep(1_000);
}
