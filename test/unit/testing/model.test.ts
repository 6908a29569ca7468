// The server by itself, to which simulations bring their own network and time.
import { expect, it } from '@jest/globals';
import { ManualClock } from '../../../src/testing/clock.js';
import { MemoryResponder } from '../../../src/testing/memory.js';
import { LeaseServerModel } from '../../../src/testing/model.js';
import type { StoreEvent } from '../../../src/testing/store.js';

const WATCH = '/apis/coordination.k8s.io/v1/namespaces/default/leases?watch=true&resourceVersion=0';

interface WatchEvent {
  readonly type: string;
  readonly object: {
    readonly metadata: { readonly name: string; readonly resourceVersion: string };
  };
}

/** What a new watch delivers at once, as `TYPE name@version`. */
async function firstEvents(server: LeaseServerModel): Promise<string[]> {
  let text = '';
  const responder = new MemoryResponder({
    begun: () => undefined,
    chunk: (part) => (text += part),
    ended: () => undefined,
    broken: () => undefined,
  });
  const { token } = server.kubeConfig.getCurrentUser();
  const headers = { authorization: `Bearer ${token}` };
  await server.serve({ method: 'GET', url: WATCH, headers, body: '' }, responder);
  await Promise.resolve();
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as WatchEvent)
    .map(
      ({ type, object: { metadata } }) => `${type} ${metadata.name}@${metadata.resourceVersion}`,
    );
}

function modelWith(watchLag: () => number) {
  const changes: StoreEvent[] = [];
  const surroundings = { clock: new ManualClock(), random: () => 0.5, watchLag };
  const options = { initialVersion: 100n };
  const server = new LeaseServerModel(options, surroundings, (event) => changes.push(event));
  server.leases.create({ metadata: { name: 'a' } });
  server.leases.create({ metadata: { name: 'b' } });
  server.leases.delete('default', 'b');
  server.leases.edit('default', 'a', ({ spec }) => (spec.holderIdentity = 'me'));
  return { server, changes };
}

it('reports each change as it is stored, with what it replaced', () => {
  const { changes } = modelWith(() => 0);
  expect(changes.map(({ type, version }) => `${type} ${version}`)).toEqual([
    'ADDED 101',
    'ADDED 102',
    'DELETED 106',
    'MODIFIED 107',
  ]);
  expect(changes.map(({ previous }) => previous?.metadata.resourceVersion)).toEqual([
    undefined,
    undefined,
    '102',
    '101',
  ]);
});

it('begins a watch with the current state', async () => {
  const { server } = modelWith(() => 0);
  expect(await firstEvents(server)).toEqual(['ADDED a@107']);
});

it('begins a watch with a state that is a few changes old, which then follow', async () => {
  const { server } = modelWith(() => 2);
  expect(await firstEvents(server)).toEqual([
    'ADDED a@101',
    'ADDED b@102',
    'DELETED b@106',
    'MODIFIED a@107',
  ]);
});

it('stores a half of a character as U+FFFD, as text in UTF-8 has it', async () => {
  const { server } = modelWith(() => 0);
  const responder = new MemoryResponder({
    begun: () => undefined,
    chunk: () => undefined,
    ended: () => undefined,
    broken: () => undefined,
  });
  const { token } = server.kubeConfig.getCurrentUser();
  const headers = { authorization: `Bearer ${token}` };
  const body = JSON.stringify({
    metadata: { name: 'c', annotations: { cut: '\ude00x' } },
    spec: { holderIdentity: 'pod-\ud83d' },
  });
  const url = WATCH.replace(/\?.*/, '');
  await server.serve({ method: 'POST', url, headers, body }, responder);
  const stored = server.leases.get('default', 'c');
  expect(stored?.spec.holderIdentity).toBe('pod-\ufffd');
  expect(stored?.metadata.annotations).toEqual({ cut: '\ufffdx' });
});
