import type { Candidates } from '../candidates.js';
import type { Member } from '../crew.js';
import type { Stage } from '../stage.js';

export async function leadership(stage: Stage, pods: Candidates): Promise<void> {
  const { timeline, expectations, sleep } = stage;
  timeline.chapter(
    '1  Leadership',
    'Three processes run the same election. One leads and does the work, here: it writes to a store. The ' +
      'others wait, and hear from the API server when there is something to win.',
  );
  await Promise.all([pods.start(), pods.next(pods.members, 'leads', 'a first leader')]);
  const { name } = pods.leader.by;
  const sees = (other: Member): boolean => pods.leaderOf(other) === name;
  for (const other of pods.others) {
    if (!sees(other)) await pods.next([other], 'sees', `${other.name} to see the leader`);
    timeline.add({ who: other.name, what: `waits: it sees that ${name} leads` });
  }
  await pods.next([pods.leader.by], 'renewed', 'a renewal by the leader');
  const leading = pods.terms.filter(({ until }) => until === null).length;
  const waiting = pods.others.filter(sees).length;
  const measured = `${leading} leads, ${waiting} wait`;
  timeline.conclude(`${measured}; the leader goes on renewing its lease`);
  expectations.check(
    'leadership: how many of three lead',
    '1 leads, 2 wait',
    measured,
    leading === 1 && waiting === 2,
  );
  await sleep(1_000);
}
