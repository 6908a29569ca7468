import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { NoClusterConfigError } from '../../../src/errors.js';
import { systemClock } from '../../../src/lease/clock.js';
import { connect } from '../../../src/lease/kube/connect.js';
import type { Connection } from '../../../src/lease/store.js';
import { startLeaseServer } from '../../../src/testing/index.js';
import type { LeaseServer } from '../../../src/testing/index.js';
import { Recorder } from './support/listener.js';
import { FreezingProxy } from './support/proxy.js';
import { now } from './support/sending.js';
import { kubeConfigOf } from './support/server.js';
import { until } from '../../support/until.js';

let server: LeaseServer;
let proxy: FreezingProxy;
let connection: Connection;

beforeEach(async () => {
  server = await startLeaseServer();
  proxy = await FreezingProxy.start(server.port);
  const kubeConfig = kubeConfigOf(`${proxy.url}/`, (options) =>
    server.kubeConfig.applyToHTTPSOptions(options),
  );
  connection = await connect({
    kubeConfig,
    clock: systemClock,
    random: Math.random,
    warn: () => undefined,
  });
});

afterEach(async () => {
  connection.close();
  await proxy.close();
  await server.close();
});

const key = { namespace: 'default', name: 'a' };

function read() {
  return connection.store.read(key, { deadline: now() + 5000, limitMs: 900 });
}

describe('connect', () => {
  it('opens nothing by itself, and says where it leads', () => {
    expect(proxy.connections).toBe(0);
    expect(connection.server).toBe(proxy.url);
    expect(connection.defaultNamespace).toBe('default');
  });

  it('without a current cluster: no configuration', async () => {
    const kubeConfig = { ...kubeConfigOf(''), getCurrentCluster: () => null };
    const opening = connect({
      kubeConfig,
      clock: systemClock,
      random: Math.random,
      warn: () => undefined,
    });
    await expect(opening).rejects.toBeInstanceOf(NoClusterConfigError);
  });

  it('keeps watches off the connections of requests', async () => {
    await read();
    connection.watch.subscribe(key, null, new Recorder());
    await until('the watch', () => proxy.connections === 2);
    await read();
    expect(proxy.connections).toBe(2);
  });

  it('renews the watches, too, when a request falls silent', async () => {
    server.leases.create({ metadata: { name: 'a' }, spec: { holderIdentity: 'x' } });
    const listener = new Recorder();
    connection.watch.subscribe(key, null, listener);
    await until('the state', () => listener.has('x'));
    await read();
    proxy.freeze();
    server.leases.edit('default', 'a', (lease) => {
      Object.assign(lease.spec, { holderIdentity: 'y' });
    });
    const begin = now();
    expect((await read()).kind).toBe('unknown');
    await until('what the frozen watch kept back', () => listener.has('y'));
    expect(now() - begin).toBeLessThan(1500);
  });

  it('ends everything when closed', async () => {
    const listener = new Recorder();
    connection.watch.subscribe(key, null, listener);
    await until('the watch', () => listener.isLive);
    await read();
    connection.holding(1000);
    connection.close();
    expect(await read()).toMatchObject({ kind: 'refused', error: { code: 'ERR_CLOSED' } });
    await until('no connection is left', () => proxy.open === 0);
  });
});

describe('an address that is no URL of an API server', () => {
  it.each(['10.0.0.1:6443', 'not a url', '', 'localhost:6443', 'ftp://x'])(
    '%j is refused as configuration',
    async (server) => {
      const options = {
        kubeConfig: kubeConfigOf(server),
        clock: systemClock,
        random: Math.random,
        warn: () => undefined,
      };
      await expect(connect(options)).rejects.toBeInstanceOf(NoClusterConfigError);
    },
  );

  it('is not shown with the credentials that it carries', async () => {
    const kubeConfig = kubeConfigOf('https://admin:hunter2@127.0.0.1:1');
    const secret = await connect({
      kubeConfig,
      clock: systemClock,
      random: Math.random,
      warn: () => undefined,
    });
    const outcome = await secret.store.read(key, { deadline: now() + 500, limitMs: 500 });
    secret.close();
    expect(JSON.stringify(outcome)).not.toContain('hunter2');
    expect(secret.server).not.toContain('hunter2');
  });
});
