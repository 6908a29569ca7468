// Tests with processes of their own on a real API server: each has a namespace, a pool of workers, and a witness of what
// this machine did meanwhile.
import { afterAll, it } from '@jest/globals';
import { sharedClientGo } from '../../tools/harness/client-go/find.js';
import type { BuiltClientGo } from '../../tools/harness/client-go/find.js';
import { clusters, openReal } from '../../tools/harness/cluster.js';
import type { Cluster } from '../../tools/harness/cluster.js';
import {
  hasGo,
  sharedCluster,
  startControlPlane,
} from '../../tools/harness/control-plane/index.js';
import type { ControlPlane } from '../../tools/harness/control-plane/index.js';
import { WorkerPool } from '../../tools/harness/processes/pool.js';
import { Witness } from '../../tools/harness/witness.js';
import { demandReal } from '../support/each-cluster.js';

export interface TestBed {
  readonly cluster: Cluster;
  readonly pool: WorkerPool;
  readonly witness: Witness;
}

interface BedOptions {
  /** Whether the witness makes raw PUTs: not where requests are counted, nor where the API server is frozen. */
  readonly puts?: boolean;
}

interface Opening {
  readonly open: () => Promise<Cluster>;
  /** After all else has ended. */
  readonly end?: () => Promise<void>;
}

/** Declares a test on the real API server of this run. Without one it shows as skipped, and one line says why. */
export function testOnCluster(
  name: string,
  limitMs: number,
  run: (bed: TestBed) => Promise<void>,
  options: BedOptions = {},
): void {
  const real = clusters().filter((kind) => kind.real);
  for (const { title, open } of real) {
    declareTest(`${name}, ${title}`, limitMs, { ...options, open }, run);
  }
  if (real.length === 0) skip(name, 'there is no real API server');
  demandReal(name);
}

/**
 * Declares a test of which requests the API server counts: on a control plane of its own, so that no other test asks it
 * for anything. A named cluster has to be left alone meanwhile.
 */
export function testAloneOnCluster(
  name: string,
  limitMs: number,
  run: (bed: TestBed) => Promise<void>,
): void {
  const isNamed = sharedCluster()?.kind === 'named';
  (isNamed ? testOnCluster : testOnControlPlane)(name, limitMs, run, { puts: false });
}

/**
 * Declares a test on a control plane that it may pause and restart, and on which nothing else runs. Only where the real
 * API server of this run is local: elsewhere the test shows as skipped, and one line says why.
 */
export function testOnControlPlane(
  name: string,
  limitMs: number,
  run: (bed: TestBed & { readonly plane: ControlPlane }) => Promise<void>,
  options: BedOptions = {},
): void {
  const found = sharedCluster();
  if (found?.kind !== 'local') {
    skip(name, found?.kind === 'named' ? 'a named cluster may not be paused' : 'there is none');
    return;
  }
  let plane: ControlPlane | undefined;
  const open = async (): Promise<Cluster> => {
    const started = await startControlPlane();
    if (started.kind === 'none') throw new Error(started.reason);
    plane = started;
    return openReal(started);
  };
  const end = async (): Promise<void> => plane?.stop();
  const title = `${name}, kube-apiserver ${found.version}`;
  declareTest(title, limitMs, { ...options, open, end }, (bed) => run({ ...bed, plane: plane! }));
}

export interface ClientGoBed extends TestBed {
  readonly program: BuiltClientGo;
}

/**
 * Declares a test on the real API server of this run, with client-go's elector beside this package. Where client-go
 * cannot be built the test shows as skipped; where it could be built and is missing, the test fails.
 */
export function testWithClientGo(
  name: string,
  limitMs: number,
  run: (bed: ClientGoBed) => Promise<void>,
): void {
  const program = sharedClientGo();
  const real = clusters().filter((kind) => kind.real);
  if (program?.kind === 'built') {
    for (const { title, open } of real) {
      const all = `${name}, ${title}, client-go ${program.version}`;
      declareTest(all, limitMs, { open }, (bed) => run({ ...bed, program }));
    }
    return;
  }
  const why = real.length > 0 ? 'there is no client-go' : 'there is no real API server';
  if (real.length > 0 && hasGo()) {
    it(`${name}: client-go takes part`, () => Promise.reject(new Error(why)));
    return;
  }
  skip(name, why);
}

function skip(name: string, why: string): void {
  process.stderr.write(`${name}: skipped (${why})\n`);
  it.skip(`${name}, real API server`, () => undefined);
}

function declareTest(
  title: string,
  limitMs: number,
  { open, end, puts = true }: BedOptions & Opening,
  run: (bed: TestBed) => Promise<void>,
): void {
  const pool = new WorkerPool();
  let cluster: Cluster | undefined;
  let ended: Promise<void> | undefined;
  const endAll = async (): Promise<void> => {
    await pool.killAll();
    await cluster?.close();
    await end?.();
  };
  it(
    title,
    async () => {
      try {
        cluster = await open();
        const witness = await Witness.start(pool, cluster, { puts });
        await run({ cluster, pool, witness });
        witness.close();
      } finally {
        await (ended ??= endAll());
      }
    },
    limitMs,
  );
  // A test that runs out of time does not get to its end.
  afterAll(() => (ended ??= endAll()), 60_000);
}
