import type { Candidates } from '../candidates.js';
import { duration } from '../expectations.js';
import type { Stage } from '../stage.js';

/** A candidate that asked the API server from time to time would need up to two seconds. */
const LIMIT_MS = 500;

export async function handOff(stage: Stage, pods: Candidates): Promise<void> {
  const { timeline, expectations, sleep } = stage;
  timeline.chapter(
    '2  Graceful hand-off',
    'The leader steps down, as it would when its pod is to end. It keeps the lease until its work has wound ' +
      'down, so that the work of two leaders never overlaps. The next one leads at once.',
  );
  const { by: leader } = pods.leader;
  const asked = pods.next([leader], 'asked', 'the leader to be asked');
  const stopped = pods.next([leader], 'stopped', 'the leader to stop');
  const leads = pods.next(pods.others, 'leads', 'the next leader');
  leader.send({ type: 'step-down' });
  const [{ at: askedAt }, { at: stoppedAt }, next] = await Promise.all([asked, stopped, leads]);
  const took = next.at - stoppedAt;
  await pods.next([next.by], 'wrote', 'a write by the next leader');
  const wound = duration(stoppedAt - askedAt);
  timeline.conclude(
    `${duration(took)} from the release to the next leader (${wound} to wind down)`,
  );
  expectations.check(
    'hand-off: release to next leader',
    `less than ${LIMIT_MS} ms`,
    duration(took),
    took < LIMIT_MS,
  );
  await sleep(1_000);
}
