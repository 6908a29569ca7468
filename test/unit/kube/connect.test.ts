import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { NoClusterConfigError } from '../../../src/errors.js';
import { connect, connectThrough } from '../../../src/lease/kube/connect.js';
import type { ConnectOptions } from '../../../src/lease/kube/connect.js';
import { Endpoint } from '../../../src/lease/kube/endpoint.js';
import type { Connection } from '../../../src/lease/store.js';
import { ManualClock } from '../../../src/testing/clock.js';
import { WatchRecorder } from '../../support/watch-recorder.js';
import { SERVER, kubeConfigOf } from './support/kube-config.js';
import { ScriptedWire } from './support/scripted-wire.js';

const key = { namespace: 'default', name: 'a' };

let clock: ManualClock;
let wire: ScriptedWire;
let connection: Connection;

function options(): ConnectOptions {
  return { clock, random: () => 0, warn: () => undefined };
}

beforeEach(() => {
  clock = new ManualClock();
  wire = new ScriptedWire(clock);
  const endpoint = new Endpoint(kubeConfigOf(), SERVER, clock);
  connection = connectThrough({ endpoint, wire, namespace: 'team-a' }, options());
});

afterEach(() => connection.close());

function read(limitMs = 900) {
  return connection.store.read(key, { deadline: clock.monotonic() + 5_000, limitMs });
}

function line(type: string, version: number, holder: string): string {
  const metadata = { ...key, uid: 'u', resourceVersion: `${version}` };
  return `${JSON.stringify({ type, object: { metadata, spec: { holderIdentity: holder } } })}\n`;
}

describe('a connection', () => {
  it('opens nothing by itself, and says where it leads', async () => {
    await clock.advance(60_000);
    expect(wire.connections).toBe(0);
    expect(connection.server).toBe(SERVER);
    expect(connection.defaultNamespace).toBe('team-a');
  });

  it('keeps watches off the connections of requests', async () => {
    await read();
    connection.watch.subscribe(key, null, new WatchRecorder());
    await clock.advance(0);
    await read();
    expect(wire.exchanges.map(({ link }) => link.number)).toEqual([1, 1]);
    expect(wire.streams.map(({ link }) => link.number)).toEqual([2]);
  });

  it('keeps Events off the connections of requests', async () => {
    await read();
    await connection.events.record({ key, uid: 'u', identity: 'me', message: 'hello' });
    expect(wire.exchanges.map(({ link }) => link.number)).toEqual([1, 2]);
  });

  it('renews the watches, too, when a request falls silent', async () => {
    const listener = new WatchRecorder();
    connection.watch.subscribe(key, 5n, listener);
    await clock.advance(100);
    await read();
    wire.freeze();
    const silent = read();
    await clock.advance(649);
    expect(listener.words).toEqual(['live']);
    await clock.advance(1);
    expect(listener.words).toEqual(['live', 'dead', 'live']);
    expect(wire.streams.map(({ at, from }) => [at, from])).toEqual([
      [0, '5'],
      [750, '5'],
    ]);
    wire.streams[1]?.send(line('MODIFIED', 8, 'y'));
    expect(listener.told).toEqual(['y']);
    expect((await clock.advanceUntil(silent)).kind).toBe('unknown');
  });

  it('leaves a watch alone that was heard after the silent request was sent', async () => {
    const listener = new WatchRecorder();
    connection.watch.subscribe(key, 5n, listener);
    await clock.advance(100);
    wire.onExchange = () => undefined;
    const silent = read();
    await clock.advance(100);
    wire.streams[0]?.send(line('MODIFIED', 8, 'y'));
    await clock.advanceUntil(silent);
    expect(listener.words).toEqual(['live', 'y']);
  });

  it('allows four requests at a time once it holds many leases', async () => {
    wire.onExchange = () => undefined;
    connection.holding(101);
    for (let count = 0; count < 6; count++) void read(5_000);
    await clock.advance(0);
    expect(wire.exchanges).toHaveLength(4);
  });

  it('ends everything when closed, with no timer left', async () => {
    const listener = new WatchRecorder();
    connection.watch.subscribe(key, null, listener);
    await read();
    wire.onExchange = () => undefined;
    const underWay = read();
    void connection.events.record({ key, uid: 'u', identity: 'me', message: 'hello' });
    await clock.advance(0);
    expect(wire.open).toBe(3);
    connection.close();
    connection.holding(1_000);
    expect(await underWay).toMatchObject({ kind: 'unknown', error: { code: 'ERR_CLOSED' } });
    expect(await read()).toMatchObject({ kind: 'refused', error: { code: 'ERR_CLOSED' } });
    await clock.advance(0);
    expect([wire.open, clock.timers]).toEqual([0, 0]);
  });
});

describe('connect', () => {
  it('without a current cluster: no configuration', async () => {
    const kubeConfig = { ...kubeConfigOf(), getCurrentCluster: () => null };
    const opening = connect({ ...options(), kubeConfig });
    await expect(opening).rejects.toBeInstanceOf(NoClusterConfigError);
  });

  it.each(['10.0.0.1:6443', 'not a url', '', 'localhost:6443', 'ftp://x'])(
    'refuses the address %j, which is no URL of an API server, as configuration',
    async (server) => {
      const opening = connect({ ...options(), kubeConfig: kubeConfigOf(server) });
      await expect(opening).rejects.toBeInstanceOf(NoClusterConfigError);
    },
  );

  it('takes an address with and without a slash at its end', async () => {
    for (const server of ['https://10.0.0.1:6443/', 'https://10.0.0.1:6443']) {
      const opened = await connect({ ...options(), kubeConfig: kubeConfigOf(server) });
      expect(opened.server).toBe('https://10.0.0.1:6443');
      expect(opened.defaultNamespace).toBe('default');
      opened.close();
    }
  });

  it('does not show the credentials that an address carries', async () => {
    const kubeConfig = kubeConfigOf('https://admin:hunter2@127.0.0.1:1');
    const secret = await connect({ ...options(), kubeConfig });
    const outcome = await secret.store.read(key, { deadline: 0, limitMs: 500 });
    secret.close();
    expect(outcome.kind).toBe('refused');
    expect(JSON.stringify(outcome)).toContain('127.0.0.1:1');
    expect(JSON.stringify(outcome)).not.toContain('hunter2');
    expect(secret.server).not.toContain('hunter2');
  });
});
