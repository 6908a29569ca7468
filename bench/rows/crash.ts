// A holder that is killed: how long until the next one holds, since the last renewal was committed.
import { ms } from '../../tools/harness/processes/figures.js';
import { WatchProbe } from '../../tools/harness/processes/watch-probe.js';
import {
  oursOf,
  takeovers,
  theirsOf,
  type Start,
} from '../../tools/harness/processes/takeovers.js';
import type { Result, Row, Stage } from '../stage.js';

const DURATION_MS = 15_000;
const LANES = 3;

async function run(stage: Stage): Promise<Result> {
  const size = { rounds: stage.isQuick ? 1 : 8, lanes: LANES };
  const probe = await WatchProbe.open(stage.cluster);
  const sinceCommits = async (start: Start, kind: string): Promise<number[]> => {
    const took = await takeovers(start, kind, probe, size);
    return took.map(({ sinceCommit }) => sinceCommit);
  };
  try {
    const { rival: program } = stage;
    const hasRival = program !== null;
    const [ours, theirs] = await Promise.all([
      sinceCommits(oursOf(stage), 'crash-ours'),
      hasRival ? sinceCommits(theirsOf(stage, program), 'crash-theirs') : [],
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
    probe.close();
  }
}

export const crash: Row = { name: 'crash', run };
