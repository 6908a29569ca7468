// What every row works with: one API server, one pool of processes, one rival.
import { findClientGo, type BuiltClientGo } from '../tools/harness/client-go/find.js';
import { startControlPlane } from '../tools/harness/control-plane/index.js';
import { openReal } from '../tools/harness/open.js';
import type { Cluster } from '../tools/harness/cluster.js';
import type { WorkerPool } from '../tools/harness/processes/pool.js';

export interface Stage {
  readonly cluster: Cluster;
  /** Of the etcd behind it. */
  readonly etcdUrl: string;
  readonly pool: WorkerPool;
  /** `null` where there is no Go to build it. */
  readonly rival: BuiltClientGo | null;
  readonly isQuick: boolean;
  readonly say: (line: string) => void;
}

/** One figure of the table. */
export interface Figure {
  readonly figure: string;
  /** In words; empty where there is none. */
  readonly goal: string;
  readonly measured: string;
  /** `null` where there is no goal. */
  readonly isMet: boolean | null;
  /** The same of the rival, in the same run; empty where there is none. */
  readonly rival: string;
}

export interface Result {
  readonly figures: readonly Figure[];
  /** For plots: values by the name of their line. */
  readonly series?: Readonly<Record<string, readonly number[]>>;
  /** For plots of one thing against another: points by the name of their line. */
  readonly points?: Points;
}

export type Points = Readonly<Record<string, readonly (readonly [number, number])[]>>;

export interface Row {
  readonly name: string;
  run(stage: Stage): Promise<Result>;
}

/** Runs with all of it, and leaves nothing behind. */
export async function withStage<T>(
  isQuick: boolean,
  say: Stage['say'],
  act: (stage: Omit<Stage, 'pool'>) => Promise<T>,
): Promise<T> {
  const plane = await startControlPlane();
  if (plane.kind === 'none') throw new Error(plane.reason);
  try {
    const found = await findClientGo();
    if (found.kind === 'none') say(found.reason);
    const cluster = await openReal(plane);
    try {
      const rival = found.kind === 'built' ? found : null;
      return await act({ cluster, etcdUrl: plane.etcdUrl, rival, isQuick, say });
    } finally {
      await cluster.close();
    }
  } finally {
    await plane.stop();
  }
}
