// Suites that run on every cluster of this test run, or on a control plane of their own.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { clusters } from '../../tools/harness/cluster.js';
import type { Cluster } from '../../tools/harness/cluster.js';
import {
  hasGo,
  sharedCluster,
  startControlPlane,
} from '../../tools/harness/control-plane/index.js';
import type { ControlPlane } from '../../tools/harness/control-plane/index.js';

/**
 * Runs a suite on every cluster there is. The global set-up says in one line when no real one is;
 * where one was asked for and could have been built, its absence is a failure.
 */
export function describeEachCluster(name: string, suite: (cluster: () => Cluster) => void): void {
  for (const { title, open } of clusters()) {
    describe(`${name}, ${title}`, () => {
      let cluster: Cluster | undefined;
      beforeAll(async () => {
        cluster = await open();
      });
      afterAll(() => cluster?.close());
      suite(() => cluster ?? missing());
    });
  }
  demandReal(name);
}

/** A test of its own that fails where a real API server was asked for, could be had, and is not there. */
export function demandReal(name: string): void {
  if (process.env.SYNC_TEST_REAL !== '1') return;
  it(`${name}: a real API server took part, or none can be built here`, () => {
    expect(clusters().some(({ real }) => real) || !hasGo()).toBe(true);
  });
}

/**
 * Runs a suite on a control plane of its own, which it may pause and restart. Only where the real
 * API server of this run is ours too: elsewhere it shows as skipped, and one line says why.
 */
export function describeControlPlane(name: string, suite: (own: () => ControlPlane) => void): void {
  const found = sharedCluster();
  if (found?.kind !== 'local') {
    const why = found?.kind === 'named' ? 'a named cluster is not ours to pause' : 'there is none';
    process.stderr.write(`${name}: skipped, it needs a real API server of its own (${why})\n`);
    describe.skip(name, () => suite(() => missing()));
    return;
  }
  describe(`${name}, kube-apiserver ${found.version}`, () => {
    let plane: ControlPlane | undefined;
    beforeAll(async () => {
      const started = await startControlPlane();
      if (started.kind === 'none') throw new Error(started.reason);
      plane = started;
    }, 90_000);
    afterAll(() => plane?.stop());
    suite(() => plane ?? missing());
  });
}

function missing(): never {
  throw new Error('a cluster is there only while tests run');
}
