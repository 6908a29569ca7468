// Something between a process and the storage changes what it writes: a mutating admission policy, a proxy.
import { describe, expect, it } from '@jest/globals';
import { UnsupportedLeaseError, type LeaseClient, type Lock } from '@metaparticle/sync';
import type { HttpWire } from '../../../src/lease/kube/http-wire.js';
import { expectError, rejection } from '../../support/promises.js';
import { Cluster } from '../../support/cluster.js';

const SIMULATION = Symbol.for('metaparticle.sync.simulation');

interface Body {
  readonly metadata: { readonly annotations?: Record<string, string> };
  readonly spec: { holderIdentity: string };
}

/** A client whose writes arrive changed. */
function altering(cluster: Cluster, alter: (body: Body) => void): LeaseClient {
  const { kubeConfig } = cluster.api;
  const simulation = (kubeConfig as unknown as Record<symbol, { readonly wire: HttpWire }>)[
    SIMULATION
  ]!;
  const wire: HttpWire = {
    exchange: (request) => simulation.wire.exchange({ ...request, ...altered(request.body) }),
    stream: (request) => simulation.wire.stream(request),
  };
  const altered = (text: string | undefined) => {
    if (text === undefined) return {};
    const body = JSON.parse(text) as Body;
    alter(body);
    return { body: JSON.stringify(body) };
  };
  return cluster.client({
    identity: 'me',
    kubeConfig: Object.assign({ ...kubeConfig }, { [SIMULATION]: { ...simulation, wire } }),
  });
}

const stripped = ({ metadata }: Body): void => {
  delete metadata.annotations?.['sync.metaparticle.io/term'];
};
const renamed = ({ spec }: Body): void => {
  if (spec.holderIdentity !== '') spec.holderIdentity = 'renamed';
};

describe.each([
  ['loses the annotation', stripped, 'removes or changes the annotation'],
  ['gets another holder', renamed, 'stores "renamed" as the holder in place of "me"'],
])('a claim that %s', (_, alter, why) => {
  it.each([
    ['acquire', (lock: Lock) => lock.acquire()],
    ['tryAcquire', (lock: Lock) => lock.tryAcquire()],
  ])('is refused by %s at once, and given back', async (__, call) => {
    await using cluster = await Cluster.start();
    const client = altering(cluster, alter);
    const error = await cluster.settled(rejection(call(cluster.lock('job', { client }))));
    expectError(error, UnsupportedLeaseError, 'ERR_UNSUPPORTED_LEASE', 'default/job', why);
    await cluster.settled(client.close());
    expect(cluster.holder('job')).toBe('');
    expect(cluster.now).toBe(0);
    expect(cluster.warned).toEqual([]);
    const next = await cluster.settled(cluster.elsewhere('job', 'other').acquire());
    expect(cluster.now).toBe(0);
    expect(await next.release()).toBe(true);
  });
});
