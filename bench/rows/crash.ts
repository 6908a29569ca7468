// A holder that is killed: how long until the next one holds, since the last renewal was committed.
import { setTimeout as sleep } from 'node:timers/promises';
import type { CandidateCalls } from '../../test/integration/workers/candidate.js';
import { ms } from '../../test/integration/workers/figures.js';
import { Observer } from '../../test/integration/workers/observer.js';
import { Rival } from '../../test/integration/workers/rival.js';
import type { Result, Row, Stage } from '../stage.js';

const DURATION_MS = 15_000;
const LANES = 3;
const SETTLING_MS = 2_500;
const LIMIT_MS = 60_000;

interface Contender {
  leading(): Promise<number>;
  kill(): Promise<unknown>;
}
type Start = (lease: string, identity: string) => Promise<Contender>;

async function takeovers(start: Start, kind: string, rounds: number, observer: Observer) {
  const lane = async (_: unknown, index: number): Promise<number[]> => {
    const lease = `crash-${kind}-${index}`;
    let leader = await start(lease, `${kind}-0`);
    await leader.leading();
    const took: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      const next = await start(lease, `${kind}-${round}`);
      await sleep(SETTLING_MS + Math.random() * 2_000);
      await leader.kill();
      const at = await next.leading();
      const last = observer.of(lease).findLast(({ holder }) => holder === `${kind}-${round - 1}`);
      took.push(at - (last?.at ?? NaN));
      leader = next;
    }
    await leader.kill();
    return took;
  };
  return (await Promise.all(Array.from({ length: LANES }, lane))).flat();
}

function oursOf({ cluster, crew }: Stage): Start {
  return async (name, identity) => {
    const worker = await crew.start<CandidateCalls>('candidate', cluster, { name, identity });
    await worker.call('start', undefined);
    const leading = async (): Promise<number> => {
      return (await worker.call('term', 0, LIMIT_MS)).at;
    };
    return { leading, kill: () => worker.kill() };
  };
}

function theirsOf({ cluster, crew, rival }: Stage): Start {
  return async (lease, identity) => {
    if (rival === null) throw new Error('there is no rival');
    const timings = { duration: '15s', deadline: '10s', retry: '2s' };
    const candidate = await Rival.start(crew, rival, cluster, { lease, identity, ...timings });
    const leading = async (): Promise<number> => (await candidate.next('leading', 0, LIMIT_MS)).at;
    return { leading, kill: () => candidate.kill() };
  };
}

async function run(stage: Stage): Promise<Result> {
  const rounds = stage.isQuick ? 1 : 8;
  const observer = await Observer.open(stage.cluster);
  try {
    const hasRival = stage.rival !== null;
    const [ours, theirs] = await Promise.all([
      takeovers(oursOf(stage), 'ours', rounds, observer),
      hasRival ? takeovers(theirsOf(stage), 'theirs', rounds, observer) : [],
    ]);
    const mean = (of: readonly number[]): number => of.reduce((a, b) => a + b, 0) / of.length;
    const late = Math.max(...ours) - DURATION_MS;
    const sooner = mean(theirs) - mean(ours);
    const rival = `client-go: mean ${ms(mean(theirs))}, at most ${ms(Math.max(...theirs))}`;
    const figures = [
      {
        figure: 'crash takeover since the last renewal’s commit, beyond the lease’s 15 s, at most',
        ...{ goal: '≤ 100 ms', measured: `${ms(late)} (n=${ours.length})`, isMet: late <= 100 },
        rival: hasRival ? rival : '',
      },
    ];
    const than = {
      figure: 'the same, mean, sooner than client-go',
      ...{ goal: '≥ 2 s', measured: ms(sooner), isMet: sooner >= 2_000, rival },
    };
    const series = { 'this package': ours, 'client-go': theirs };
    return { figures: hasRival ? [...figures, than] : figures, series };
  } finally {
    observer.close();
  }
}

export const crash: Row = { name: 'crash', run };
