// Without this the second leg might run on what the first one has, and prove nothing.
import { describe, expect, it } from '@jest/globals';
import { createRequire } from 'node:module';
import { describeEachCluster } from '../support/each-cluster.js';
import { WorkerPool } from '../../tools/harness/processes/pool.js';
import type { VersionCalls } from '../../tools/harness/processes/version.js';

const expected = {
  node: expect.stringMatching(/^v24\./) as unknown as string,
  clientNode: expect.stringMatching(/^2\./) as unknown as string,
};

describe('The second leg', () => {
  it('is on Node.js 24 and has client-node 2.x', () => {
    const { version } = createRequire(import.meta.url)(
      './node_modules/@kubernetes/client-node/package.json',
    ) as { version: string };
    expect({ node: process.version, clientNode: version }).toEqual(expected);
  });
});

describeEachCluster('A worker of the second leg', (getCluster) => {
  it('is on Node.js 24 and has client-node 2.x', async () => {
    const pool = new WorkerPool();
    try {
      const worker = await pool.spawn<VersionCalls>('version', getCluster());
      expect(await worker.call('versions', undefined)).toEqual(expected);
    } finally {
      await pool.killAll();
    }
  });
});
