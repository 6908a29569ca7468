// Tests that mostly wait: for a lease to run out, for an outage to end. Each runs on every cluster
// there is, and all those of one file run at the same time, each with a cluster and workers to itself.
import { afterAll, it } from '@jest/globals';
import { sharedClientGo } from '../../tools/harness/client-go/find.js';
import type { BuiltClientGo } from '../../tools/harness/client-go/find.js';
import { demandReal } from '../support/each-cluster.js';
import { clusters, openReal } from '../../tools/harness/cluster.js';
import type { Cluster, ClusterKind } from '../../tools/harness/cluster.js';
import {
  hasGo,
  sharedCluster,
  startControlPlane,
} from '../../tools/harness/control-plane/index.js';
import type { ControlPlane } from '../../tools/harness/control-plane/index.js';
import { WorkerPool } from '../../tools/harness/processes/pool.js';

export interface TestBed {
  readonly cluster: Cluster;
  readonly pool: WorkerPool;
}

/** Tells it on the embedded server, and on the real API server of this run if there is one. */
export function testOnAllClusters(
  name: string,
  limitMs: number,
  story: (of: TestBed) => Promise<void>,
): void {
  for (const kind of clusters()) tell(name, limitMs, kind, story);
  demandReal(name);
}

/** Tells it on an embedded server, which it may pause. */
export function testOnEmbedded(
  name: string,
  limitMs: number,
  story: (of: TestBed) => Promise<void>,
): void {
  for (const kind of clusters()) if (!kind.real) tell(name, limitMs, kind, story);
}

/**
 * Tells it on a control plane that it may pause and restart. Only where the real API server of this
 * run is ours too: elsewhere it shows as skipped, and one line says why.
 */
export function testOnControlPlane(
  name: string,
  limitMs: number,
  story: (of: TestBed & { readonly plane: ControlPlane }) => Promise<void>,
): void {
  const found = sharedCluster();
  if (found?.kind !== 'local') {
    const why = found?.kind === 'named' ? 'a named cluster is not ours to pause' : 'there is none';
    process.stderr.write(`${name}: skipped on a real API server (${why})\n`);
    it.skip(`${name}, real API server`, () => undefined);
    return;
  }
  let plane: ControlPlane | undefined;
  const open = async (): Promise<Cluster> => {
    const started = await startControlPlane();
    if (started.kind === 'none') throw new Error(started.reason);
    plane = started;
    return openReal(started);
  };
  const title = `kube-apiserver ${found.version}`;
  tell(name, limitMs, { title, open }, async (of) => {
    if (plane === undefined) throw new Error('the control plane was not started');
    await story({ ...of, plane });
  });
  afterAll(() => plane?.stop());
}

export interface ClientGoBed extends TestBed {
  readonly program: BuiltClientGo;
}

/**
 * Tells it on the real API server of this run, with client-go's elector beside ours. Where that cannot be
 * built it shows as skipped; where it could be and is not there, it fails.
 */
export function testWithClientGo(
  name: string,
  limitMs: number,
  story: (of: ClientGoBed) => Promise<void>,
): void {
  const program = sharedClientGo();
  if (program?.kind === 'built') {
    for (const kind of clusters().filter(({ real }) => real)) {
      const title = `${kind.title}, client-go ${program.version}`;
      tell(name, limitMs, { ...kind, title }, (of) => story({ ...of, program }));
    }
    return;
  }
  const hasServer = clusters().some(({ real }) => real);
  const why = hasServer ? 'there is no client-go' : 'there is no real API server';
  if (hasServer && hasGo()) {
    it(`${name}: client-go takes part`, () => Promise.reject(new Error(why)));
    return;
  }
  process.stderr.write(`${name}: skipped (${why})\n`);
  it.skip(`${name}, client-go`, () => undefined);
}

/** Says that a story is for measurements only, and how to have it told. */
export function skipUnlessFull(name: string): void {
  process.stderr.write(`${name}: skipped (SYNC_TEST_FULL=1 runs it)\n`);
  it.skip(name, () => undefined);
}

function tell(
  name: string,
  limitMs: number,
  { title, open }: Pick<ClusterKind, 'title' | 'open'>,
  story: (of: TestBed) => Promise<void>,
): void {
  const pool = new WorkerPool();
  let cluster: Cluster | undefined;
  it.concurrent(
    `${name}, ${title}`,
    async () => {
      cluster = await open();
      await story({ cluster, pool });
    },
    limitMs,
  );
  afterAll(async () => {
    await pool.killAll();
    await cluster?.close();
  }, 30_000);
}
