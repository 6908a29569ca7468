import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { request } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  MemoryStore,
  StaleTokenError,
  createService,
  putDocument,
} from '../../examples/http-guard.js';
import { rejection, until } from '../support/promises.js';

let store: MemoryStore;
let service: Server;
let url: string;
const { signal } = new AbortController();

beforeAll(async () => {
  service = createService({ put: (...given) => store.put(...given) }).listen(0, '127.0.0.1');
  await once(service, 'listening');
  url = `http://127.0.0.1:${(service.address() as AddressInfo).port}/d`;
});

beforeEach(() => {
  store = new MemoryStore();
});

afterAll(() => {
  service.close();
  service.closeAllConnections();
});

it('takes an equal and a greater token, and refuses a smaller one with what it has seen', async () => {
  for (const [body, fencingToken] of [
    ['first', 9n],
    ['again', 9n],
    ['next', 10n],
  ] as const) {
    await putDocument(url, body, { fencingToken, signal });
    expect(store.documents.get('/d')).toEqual({ body, fencingToken });
  }
  const late = await rejection(putDocument(url, 'late', { fencingToken: 9n, signal }));
  expect(late).toBeInstanceOf(StaleTokenError);
  expect(late).toMatchObject({ message: expect.stringContaining('has seen 10') as unknown });
  expect(store.documents.get('/d')).toEqual({ body: 'next', fencingToken: 10n });
});

it('compares all digits', async () => {
  const great = 2n ** 53n;
  await putDocument(url, 'next', { fencingToken: great + 1n, signal });
  const late = putDocument(url, 'late', { fencingToken: great, signal });
  expect(await rejection(late)).toBeInstanceOf(StaleTokenError);
});

it.each([
  [{}, 428],
  [{ 'fencing-token': '-1' }, 400],
  [{ 'fencing-token': '1e3' }, 400],
  [{ 'fencing-token': '' }, 400],
])('writes nothing without a usable token: %j', async (headers, status) => {
  const response = await fetch(url, { method: 'PUT', headers, body: 'x' });
  expect([response.status, store.documents.size]).toEqual([status, 0]);
});

it('refuses a late write also when it began before the holder wrote', async () => {
  const slow = request(url, { method: 'PUT', headers: { 'fencing-token': '9' } });
  const answered = once(slow, 'response') as Promise<[{ statusCode: number; resume(): void }]>;
  let isHeard = false;
  service.once('request', () => (isHeard = true));
  slow.write('half of it, ');
  await until('the first half to arrive', () => isHeard);
  await putDocument(url, 'next', { fencingToken: 10n, signal });
  slow.end('and the rest');
  const [answer] = await answered;
  answer.resume();
  expect(answer.statusCode).toBe(412);
  expect(store.documents.get('/d')?.body).toBe('next');
});

it('ends a call with the lock', async () => {
  const lost = AbortSignal.abort(new Error('lost'));
  const call = putDocument(url, 'x', { fencingToken: 9n, signal: lost });
  expect(await rejection(call)).toMatchObject({ message: 'lost' });
  expect(store.documents.size).toBe(0);
});
