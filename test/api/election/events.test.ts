// Kubernetes Events of an election. What they hold is shown on a real API server; here is when they are written.
import { describe, expect, it } from '@jest/globals';
import { Election } from '@metaparticle/sync';
import type { LeaseClientOptions } from '@metaparticle/sync';
import type { HttpWire } from '../../../src/lease/kube/http-wire.js';
import { simulationOf, type Simulation } from '../../../src/lease/kube/simulation.js';
import { Cluster, quick } from '../../support/cluster.js';
import { aborted, rejection } from '../../support/promises.js';

type KubeConfig = NonNullable<LeaseClientOptions['kubeConfig']>;

/** The embedded server has no Events: these are taken before they reach it, and answered after `answerMs`. */
function recordingEvents({ api }: Cluster, answerMs: number) {
  const simulation = simulationOf(api.kubeConfig);
  if (simulation === undefined) throw new Error('the cluster is not on virtual time');
  const messages: string[] = [];
  const wire: HttpWire = {
    stream: (request) => simulation.wire.stream(request),
    async exchange(request) {
      if (!request.path.includes('/events')) return simulation.wire.exchange(request);
      messages.push((JSON.parse(request.body ?? '') as { message: string }).message);
      await Promise.race([api.sleep(answerMs), aborted(request.signal)]);
      request.onFree();
      if (!request.signal.aborted) return { kind: 'answered', status: 201, headers: {}, body: '' };
      const error = request.signal.reason as Error;
      return { kind: 'broken', error, mayHaveLeft: true, wasIdle: false };
    },
  };
  const kubeConfig = Object.assign(Object.create(api.kubeConfig) as KubeConfig, {
    [Symbol.for('metaparticle.sync.simulation')]: { ...simulation, wire } satisfies Simulation,
  });
  return { messages, kubeConfig };
}

/** A leader whose Events are taken. */
async function leading(cluster: Cluster, answerMs: number) {
  const { messages, kubeConfig } = recordingEvents(cluster, answerMs);
  const client = cluster.client({ kubeConfig, identity: 'pod-1' });
  const onStartedLeading = (): Promise<void> => new Promise(() => undefined);
  const options = { client, recordEvents: true, drainTimeoutMs: 1_000, onStartedLeading };
  const election = new Election('crown', { ...quick, ...options });
  const stop = new AbortController();
  const running = rejection(election.run({ signal: stop.signal }));
  await cluster.until('a leader', () => election.isLeader());
  return { messages, client, running, stop };
}

describe('the last Event of a term', () => {
  it('is written when the client is closed under its leader, before its connections are closed', async () => {
    await using cluster = await Cluster.start();
    const { messages, client, running } = await leading(cluster, 500);
    await cluster.advance(1_000);
    expect(messages).toEqual(['pod-1 became leader']);
    expect(await cluster.elapsed(client.close())).toBe(500);
    expect(messages).toEqual(['pod-1 became leader', 'pod-1 stopped leading']);
    expect(await running).toMatchObject({ code: 'ERR_CLOSED' });
    expect(cluster.holder('crown')).toBe('');
  });

  it('is waited for by close for a second: Events that are not answered do not keep it', async () => {
    await using cluster = await Cluster.start();
    const { messages, client } = await leading(cluster, 60_000);
    await cluster.advance(5_000);
    expect(await cluster.elapsed(client.close())).toBe(1_000);
    expect(messages).toEqual(['pod-1 became leader', 'pod-1 stopped leading']);
  });

  it('is written as soon as the leadership has ended, also if the release is not answered', async () => {
    await using cluster = await Cluster.start();
    const { messages, client } = await leading(cluster, 0);
    cluster.api.faults.hang({ match: { verb: ['update', 'get'] } });
    const closing = client.close();
    await cluster.advance(0);
    expect(messages).toEqual(['pod-1 became leader', 'pod-1 stopped leading']);
    expect(await cluster.elapsed(closing)).toBe(5_000);
  });
});
