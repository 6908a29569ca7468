// How the load of an API server grows with locks and candidates, reckoned: `npm run load` prints the table of
// docs/scaling.md. test/api/client/load.test.ts holds the reckoning against the library on the embedded server.
import { fileURLToPath } from 'node:url';

export interface Fleet {
  readonly locks: number;
  /** Processes that want each of them, the holder included. */
  readonly candidates: number;
  readonly renewIntervalMs: number;
}

export interface Load {
  readonly writesPerSecond: number;
  /** Events of watches that the API server sends. */
  readonly eventsPerSecond: number;
}

/**
 * At rest. A holder writes once an interval, nobody else asks for anything; each write is an event for each
 * candidate of that lock. (A process with more than eight names in a namespace watches all of it, so that it
 * gets the events of the names that it does not want as well.)
 */
export function loadOf({ locks, candidates, renewIntervalMs }: Fleet): Load {
  const writesPerSecond = locks / (renewIntervalMs / 1_000);
  return { writesPerSecond, eventsPerSecond: writesPerSecond * candidates };
}

/** Each node of a cluster has a Lease of its own that it renews every 10 s. */
export function nodesLike({ writesPerSecond }: Load): number {
  return writesPerSecond * 10;
}

const LOCKS = [10, 100, 1_000, 10_000, 100_000];
const TIMINGS = [
  { lease: 15, renewal: 2 },
  { lease: 30, renewal: 5 },
  { lease: 60, renewal: 15 },
  { lease: 300, renewal: 60 },
];
const CANDIDATES = 3;

export function table(): string {
  const columns = TIMINGS.map(({ lease, renewal }) => `${lease} s, renewed each ${renewal} s`);
  const rows = LOCKS.map((locks) => {
    const cells = TIMINGS.map(({ renewal }) => {
      const load = loadOf({ locks, candidates: CANDIDATES, renewIntervalMs: renewal * 1_000 });
      const { writesPerSecond: writes, eventsPerSecond: events } = load;
      return `${rounded(writes)} / ${rounded(events)}, as ${rounded(nodesLike(load))} nodes`;
    });
    return [grouped(locks), ...cells];
  });
  const head = ['locks', ...columns];
  const lines = [head, head.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function rounded(value: number): string {
  return value < 10 ? value.toFixed(1) : grouped(Math.round(value));
}

function grouped(value: number): string {
  return value.toLocaleString('en').replaceAll(',', ' ');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(table());
