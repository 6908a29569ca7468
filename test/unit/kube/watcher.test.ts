import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerResponse } from 'node:http';
import type { KubeLeaseWatch } from '../../../src/lease/kube/watch.js';
import { Recorder, watchOf } from './support/listener.js';
import { now } from './support/sending.js';
import { ScriptedServer, json } from './support/server.js';
import { until } from '../../support/until.js';

const key = { namespace: 'team-a', name: 'a' };

let server: ScriptedServer;
let watch: KubeLeaseWatch;
let listener: Recorder;
let stream: ServerResponse | undefined;

beforeEach(async () => {
  server = await ScriptedServer.start((_seen, response) => {
    stream = response;
    response.writeHead(200).flushHeaders();
  });
  ({ watch } = watchOf(server.kubeConfig));
  listener = new Recorder();
  stream = undefined;
});

afterEach(async () => {
  watch.close();
  await server.stop();
});

async function live(): Promise<ServerResponse> {
  await until('it is live', () => listener.isLive);
  if (stream === undefined) throw new Error('no stream');
  return stream;
}

function line(type: string, version: number, holder = `v${version}`): string {
  const metadata = { name: 'a', namespace: 'team-a', uid: 'u', resourceVersion: `${version}` };
  return `${JSON.stringify({ type, object: { metadata, spec: { holderIdentity: holder } } })}\n`;
}

const versionsAsked = (): (string | null)[] =>
  server.seen.map(({ query }) => query.get('resourceVersion'));

it('asks for one name, with bookmarks, for four to eight minutes, always from a version', async () => {
  watch.subscribe(key, null, listener);
  await live();
  const [seen] = server.seen;
  expect(seen?.path).toBe('/apis/coordination.k8s.io/v1/namespaces/team-a/leases');
  const { timeoutSeconds, ...query } = Object.fromEntries(seen?.query ?? []);
  expect(query).toEqual({
    ...{ fieldSelector: 'metadata.name=a', watch: 'true' },
    ...{ allowWatchBookmarks: 'true', resourceVersion: '0' },
  });
  expect(Number(timeoutSeconds)).toBeGreaterThanOrEqual(240);
  expect(Number(timeoutSeconds)).toBeLessThanOrEqual(480);
});

it('continues from the last version, whichever line said it', async () => {
  watch.subscribe(key, 5n, listener);
  (await live()).end(line('MODIFIED', 7));
  await until('it is back', () => server.seen.length === 2 && listener.isLive);
  stream?.end(line('BOOKMARK', 30));
  await until('it is back again', () => server.seen.length === 3);
  expect(versionsAsked()).toEqual(['5', '7', '30']);
  expect(listener.told).toEqual(['v7']);
});

it('tells of a gap when it comes back without ever having known a version', async () => {
  watch.subscribe(key, null, listener);
  (await live()).destroy();
  await until('it is back', () => server.seen.length === 2 && listener.isLive);
  expect(listener.words).toEqual(['live', 'dead', 'live', 'gap']);
  expect(versionsAsked()).toEqual(['0', '0']);
});

it('continues from no version of a state that was told in part', async () => {
  const wide: ServerResponse[] = [];
  server.handler = (seen, response) => {
    response.writeHead(200).flushHeaders();
    if (!seen.query.has('fieldSelector')) wide.push(response);
  };
  for (let index = 0; index < 9; index++) {
    watch.subscribe({ ...key, name: index === 0 ? 'a' : `n${index}` }, null, listener);
  }
  await until('it is open', () => wide.length === 1);
  wide[0]?.end(line('ADDED', 100));
  await until('it is open again', () => wide.length === 2);
  wide[1]?.end(line('ADDED', 100) + line('MODIFIED', 120));
  await until('it is open a third time', () => wide.length === 3);
  const asked = server.seen.filter(({ query }) => !query.has('fieldSelector'));
  expect(asked.map(({ query }) => query.get('resourceVersion'))).toEqual(['0', '0', '120']);
});

it('reads characters and lines that are spread over chunks', async () => {
  watch.subscribe(key, 5n, listener);
  const response = await live();
  for (const byte of Buffer.from(line('MODIFIED', 7, 'pöd-€-🙂'))) {
    response.write(Buffer.from([byte]));
  }
  await until('the line', () => listener.told.length > 0);
  expect(listener.told).toEqual(['pöd-€-🙂']);
});

it('goes on after a line without sense, and tells of a gap after one without measure', async () => {
  watch.subscribe(key, 5n, listener);
  const response = await live();
  response.write('{"type":"MODIFIED","object":{}}\nno json\n');
  response.write(`${'x'.repeat(2 * 2 ** 20)}\n`);
  response.write(line('MODIFIED', 8));
  await until('the last line', () => listener.has('v8'));
  expect(listener.words).toEqual(['live', 'gap', 'v8']);
});

it.each([
  ['the same event', line('MODIFIED', 7)],
  ['a page', '<html>\n</html>\n'],
])('backs off from a server that says %s and hangs up, over and over', async (_what, body) => {
  server.handler = (_seen, response) => response.writeHead(200).end(body);
  watch.subscribe(key, 5n, listener);
  await sleep(1200);
  expect(server.seen.length).toBeGreaterThan(1);
  expect(server.seen.length).toBeLessThan(6);
});

it('waits before it asks a server again that said nothing of use', async () => {
  server.handler = (_seen, response) => response.writeHead(200).end('<html>');
  watch.subscribe(key, 5n, listener);
  await until('the second try', () => server.seen.length === 2);
  const [first, second] = server.seen;
  expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThan(240);
});

it.each([
  ['in the answer', 200, '{"type":"ERROR","object":{"kind":"Status","code":410}}\n'],
  ['by the answer', 410, '{"kind":"Status","code":410}'],
])('starts over at once from a version that is too old, told %s', async (_how, status, body) => {
  server.handler = ({ query }, response) => {
    if (query.get('resourceVersion') === '5') response.writeHead(status).end(body);
    else response.writeHead(200).flushHeaders();
  };
  watch.subscribe(key, 5n, listener);
  await until('the gap', () => listener.gaps === 1);
  expect(versionsAsked()).toEqual(['5', '0']);
  const [first, second] = server.seen;
  expect((second?.at ?? 0) - (first?.at ?? 0)).toBeLessThan(200);
});

it('takes an ERROR other than 410 for a break: waits, continues, and starts over when it persists', async () => {
  server.handler = (_seen, response) => {
    response.writeHead(200);
    response.end('{"type":"ERROR","object":{"kind":"Status","code":500,"message":"etcd"}}\n');
  };
  watch.subscribe(key, 5n, listener);
  const begin = now();
  await until('three tries', () => server.seen.length >= 3);
  expect(now() - begin).toBeGreaterThan(600);
  expect(versionsAsked()).toEqual(['5', '5', '0']);
});

it('gives up on a server that accepts and never answers', async () => {
  server.handler = () => undefined;
  watch.subscribe(key, 5n, listener);
  await sleep(300);
  server.handler = (_seen, response) => response.writeHead(200).flushHeaders();
  await until('it is live on a new connection', () => listener.isLive, 8000);
  expect(versionsAsked()).toEqual(['5', '5']);
}, 10_000);

it('waits as long as a 503 asks for', async () => {
  server.handler = (_seen, response) => {
    server.handler = (_next, second) => second.writeHead(200).flushHeaders();
    json(response, 503, {}, { 'retry-after': '1' });
  };
  watch.subscribe(key, 5n, listener);
  const begin = now();
  await until('it is live', () => listener.isLive);
  expect(now() - begin).toBeGreaterThan(1000);
});

it('is tried again soon after a first refusal, and ever later after more', async () => {
  const at: number[] = [];
  server.handler = (_seen, response) => {
    at.push(now());
    if (at.length === 5) response.writeHead(200).flushHeaders();
    else json(response, 403, {});
  };
  // The longest pause: five tries in a tenth of it.
  const longestMs = 12_800;
  watch.close();
  ({ watch } = watchOf(server.kubeConfig, longestMs));
  watch.subscribe(key, null, listener);
  await until('it is live', () => listener.isLive, 9_000);
  const pauses = at.slice(1).map((time, index) => time - (at[index] ?? 0));
  pauses.forEach((pause, index) => {
    expect(pause).toBeGreaterThan((longestMs / 64) * 2 ** index - 5);
  });
});

it('opens eight connections at a time, the rest as these are answered', async () => {
  const open: ServerResponse[] = [];
  server.handler = (seen, response) => {
    if (seen.query.has('fieldSelector')) open.push(response);
    else json(response, 403, {});
  };
  const listeners = Array.from({ length: 20 }, () => new Recorder());
  listeners.forEach((each, index) => watch.subscribe({ ...key, name: `n${index}` }, null, each));
  await until('eight', () => open.length >= 8);
  await sleep(100);
  expect(open).toHaveLength(8);
  const answered = new Set<ServerResponse>();
  while (answered.size < 20) {
    const next = open.find((response) => !answered.has(response));
    if (next !== undefined) next.writeHead(200).flushHeaders();
    if (next !== undefined) answered.add(next);
    await sleep(5);
  }
  await until('all are live', () => listeners.every(({ isLive }) => isLive));
});

it('starts nothing after it was closed', async () => {
  watch.close();
  watch.subscribe(key, null, listener).close();
  await sleep(50);
  expect(server.seen).toEqual([]);
});
