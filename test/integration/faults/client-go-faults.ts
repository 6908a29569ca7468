// Candidates of client-go beside nodes. Only faults that client-go survives itself: what becomes of its belief when it
// is paused is known (see ../mixed), and not for this package to prevent.
import { setTimeout as sleep } from 'node:timers/promises';
import type { BuiltClientGo } from '../../../tools/harness/client-go/find.js';
import { ClientGoCandidate } from '../../../tools/harness/client-go/candidate.js';
import type { ClientGoLine } from '../../../tools/harness/client-go/candidate.js';
import { now } from '../../../tools/harness/processes/time.js';
import type { Justified, Fault } from './fault.js';
import type { Node, NodeGroup } from './nodes.js';

interface Contest {
  readonly group: NodeGroup;
  readonly rivals: readonly ClientGoCandidate[];
  readonly ours: readonly Node[];
  readonly lease: string;
  readonly kill: (rival: ClientGoCandidate) => Promise<void>;
}

const WAIT_LIMIT_MS = 30_000;
const ENDS: readonly string[] = ['resigning', 'cancelled', 'stopped'];

async function until(what: string, isSo: () => boolean): Promise<void> {
  const limit = now() + WAIT_LIMIT_MS;
  while (!isSo()) {
    if (now() > limit) throw new Error(`${what}: not in ${WAIT_LIMIT_MS} ms`);
    await sleep(20);
  }
}

function holderIn({ group, lease }: Contest): string {
  return group.options.commits.newest(lease)?.holder ?? '';
}

async function untilOurs(contest: Contest): Promise<Node> {
  const find = (): Node | undefined =>
    contest.ours.find(({ identity }) => identity === holderIn(contest));
  await until('one of ours leads', () => find() !== undefined);
  return find() ?? contest.group.anyone();
}

/** When another of theirs looks in the same moment, it may be the next one, and has to resign as well. */
async function resignToOurs(contest: Contest): Promise<Node> {
  for (;;) {
    const leader = contest.rivals.find(({ isLeading }) => isLeading);
    await leader?.resign();
    await until('another one leads', () => !['', leader?.identity].includes(holderIn(contest)));
    if (contest.rivals.every(({ identity }) => identity !== holderIn(contest)))
      return untilOurs(contest);
    await until('it knows', () => contest.rivals.some(({ isLeading }) => isLeading));
  }
}

/** Two of theirs, the first of which leads, and two of ours. */
async function contest(
  group: NodeGroup,
  program: BuiltClientGo,
  what: string,
  step: (contest: Contest) => Promise<Justified>,
): Promise<Justified> {
  const { pool } = group.context;
  const { cluster, timings } = group.options;
  // A lease of its own for each contest: that of a killed leader stays.
  const name = `${group.options.name}-${what}-${Math.round(now())}`;
  const lease = `${cluster.namespace}/${name}`;
  const theirs = {
    ...{ lease: name, duration: `${timings.leaseDurationMs}ms`, retry: '400ms', pause: '1s' },
    deadline: `${timings.leaseDurationMs - 1_000}ms`,
  };
  const rivals: ClientGoCandidate[] = [];
  const kill = async (rival: ClientGoCandidate): Promise<void> => {
    const endedAt = now();
    rivals.splice(rivals.indexOf(rival), 1);
    await rival.kill();
    record(group, lease, rival, endedAt);
  };
  const hire = async (n: number): Promise<ClientGoCandidate> => {
    const identity = `${name}-go${n}`;
    const rival = await ClientGoCandidate.start(pool, program, cluster, { ...theirs, identity });
    rivals.push(rival);
    return rival;
  };
  try {
    const leader = await hire(1);
    await until('client-go leads', () => leader.isLeading);
    await hire(2);
    const ours = group.shuffled().slice(0, 2);
    return await group.beside(lease, ours, 'election', () =>
      step({ group, rivals, ours, lease, kill }),
    );
  } finally {
    for (const rival of [...rivals]) await kill(rival);
  }
}

/** What they believed is checked with the rest. */
function record(
  group: NodeGroup,
  lock: string,
  { identity, lines }: ClientGoCandidate,
  endedAt: number,
): void {
  for (const [n, line] of lines.entries()) {
    if (line.event !== 'leading') continue;
    const until = lines.slice(n).find(({ event }) => ENDS.includes(event))?.at ?? endedAt;
    const claim = lines.slice(0, n).findLast((one) => isWon(one, identity));
    // What it replaced is not told; this is as great, and less than any that comes after it.
    const token = BigInt(claim?.version ?? 1) - 1n;
    group.context.history.add({
      ...{ process: identity, lock, term: `${identity} ${n}`, token, from: line.at, until },
    });
  }
}

function isWon({ event, holder }: ClientGoLine, identity: string): boolean {
  return (event === 'create' || event === 'update') && holder === identity;
}

/** What can be had of client-go's candidates, none without them. */
export function clientGoFaults(program: BuiltClientGo): readonly Fault[] {
  return [
    {
      name: 'SIGKILL of a client-go leader, then SIGSTOP of ours',
      inject: (group) =>
        contest(group, program, 'killed', async (of) => {
          const { leaseDurationMs, renewIntervalMs } = group.options.timings;
          await sleep(2 * renewIntervalMs);
          const leader = of.rivals.find(({ isLeading }) => isLeading);
          if (leader === undefined) throw new Error('no candidate of client-go leads');
          await of.kill(leader);
          await until('another candidate took over', () => holderIn(of) !== leader.identity);
          const heir = of.ours.find(({ identity }) => identity === holderIn(of));
          if (heir === undefined) return {};
          await heir.pause(1.3 * leaseDurationMs);
          return { nodes: [heir.identity] };
        }),
    },
    {
      name: 'A client-go leader resigns, then ours',
      quick: true,
      inject: (group) =>
        contest(group, program, 'resigned', async (of) => {
          await sleep(2 * group.options.timings.renewIntervalMs);
          const heir = await resignToOurs(of);
          await heir.stepDown(of.lease.split('/')[1] ?? '');
          await until('another one leads', () => holderIn(of) !== heir.identity);
          return {};
        }),
    },
  ];
}
