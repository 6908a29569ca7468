// Credentials in files, which others replace while the process runs.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, rename, rm, utimes, writeFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { NoClusterConfigError } from '../../../src/errors.js';
import { defaultNamespace, loadKubeConfig } from '../../../src/lease/kube/config.js';
import type { KubeConfigLike } from '../../../src/lease/kube/config.js';
import type { Surroundings } from '../../../src/lease/kube/surroundings.js';
import { selfSigned } from '../../support/certificate.js';
import { rejection } from '../../support/promises.js';

let home: string;
let nowMs: number;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'files-'));
  nowMs = 0;
});

afterEach(() => rm(home, { recursive: true }));

function around(env: Surroundings['env'] = {}): Surroundings {
  return { env, platform: 'linux', root: home, now: () => nowMs };
}

let writes = 0;

/** As a kubelet and cert-manager do: a new file takes the place of the old one. */
async function put(name: string, content: string | Buffer): Promise<void> {
  const path = join(home, name);
  const draft = `${path}.new`;
  await writeFile(draft, content);
  // Some file systems tell times in seconds only.
  const time = new Date(1_700_000_000_000 + ++writes * 1_000);
  await utimes(draft, time, time);
  await rename(draft, path);
}

async function optionsOf(config: KubeConfigLike): Promise<RequestOptions> {
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  return options;
}

function text(content: unknown): string {
  return (content as Buffer).toString();
}

async function authorization(config: KubeConfigLike): Promise<unknown> {
  return ((await optionsOf(config)).headers as Record<string, unknown>).Authorization;
}

function kubeConfig(user: object, cluster: object = {}): string {
  return JSON.stringify({
    clusters: [{ name: 'c', cluster: { server: 'https://api.test', ...cluster } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  });
}

async function load(user: object, cluster: object = {}): Promise<KubeConfigLike> {
  await put('config', kubeConfig(user, cluster));
  return loadKubeConfig({}, around({ KUBECONFIG: join(home, 'config') }));
}

describe('a token file', () => {
  it('is looked at again once a second, and read when it has changed', async () => {
    await put('token', 'one\n');
    const config = await load({ tokenFile: 'token' });
    expect(await authorization(config)).toBe('Bearer one');
    await put('token', 'two\n');
    nowMs = 999;
    expect(await authorization(config)).toBe('Bearer one');
    nowMs = 1_000;
    expect(await authorization(config)).toBe('Bearer two');
  });

  it('that is gone or empty for a while leaves the last token in use', async () => {
    await put('token', 'one');
    const config = await load({ tokenFile: 'token', token: 'inline' });
    expect(await authorization(config)).toBe('Bearer one');
    await rm(join(home, 'token'));
    nowMs = 1_000;
    expect(await authorization(config)).toBe('Bearer one');
    await put('token', '');
    nowMs = 2_000;
    expect(await authorization(config)).toBe('Bearer one');
    await put('token', 'two');
    nowMs = 3_000;
    expect(await authorization(config)).toBe('Bearer two');
  });

  it('that takes its time holds up one request, and no other', async () => {
    await put('token', 'one');
    const config = await load({ tokenFile: 'token' });
    await authorization(config);
    await put('token', 'two');
    nowMs = 1_000;
    const [first, second] = [authorization(config), authorization(config)];
    expect(await second).toBe('Bearer one');
    expect(await first).toBe('Bearer two');
  });

  it('that appears only later is found then', async () => {
    const config = await load({ tokenFile: 'token' });
    await expect(authorization(config)).rejects.toThrow('ENOENT');
    await put('token', 'one');
    expect(await authorization(config)).toBe('Bearer one');
  });
});

describe('a client certificate in files', () => {
  it('is followed, and never used with the key of another one', async () => {
    const [first, second] = [selfSigned(), selfSigned()];
    await put('tls.crt', first.cert);
    await put('tls.key', first.key);
    const config = await load({ 'client-certificate': 'tls.crt', 'client-key': 'tls.key' });
    const used = async (): Promise<unknown> => {
      const { cert, key } = await optionsOf(config);
      return { cert: text(cert), key: text(key) };
    };
    expect(await used()).toEqual(first);
    await put('tls.key', second.key);
    nowMs = 1_000;
    expect(await used()).toEqual(first);
    expect(await used()).toEqual(first);
    await put('tls.crt', second.cert);
    nowMs = 2_000;
    expect(await used()).toEqual(second);
  });

  it('is handed on as it is at first, so that a mistake in it is found', async () => {
    await put('tls.crt', 'C');
    await put('tls.key', 'K');
    const config = await load({ 'client-certificate': 'tls.crt', 'client-key': 'tls.key' });
    const { cert, key } = await optionsOf(config);
    expect([text(cert), text(key)]).toEqual(['C', 'K']);
  });

  it('is the same object until it changes: connections are kept by it', async () => {
    await put('tls.crt', 'C');
    await put('tls.key', 'K');
    const config = await load({ 'client-certificate': 'tls.crt', 'client-key': 'tls.key' });
    const before = await optionsOf(config);
    await put('tls.crt', 'C');
    nowMs = 1_000;
    expect((await optionsOf(config)).cert).toBe(before.cert);
  });
});

it('a CA file is followed', async () => {
  await put('ca.crt', 'old');
  const config = await load({}, { 'certificate-authority': 'ca.crt' });
  expect(String((await optionsOf(config)).ca)).toBe('old');
  await put('ca.crt', 'new');
  nowMs = 1_000;
  expect(String((await optionsOf(config)).ca)).toBe('new');
});

const SERVICE_ACCOUNT = 'var/run/secrets/kubernetes.io/serviceaccount';
const ADDRESS = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' };

describe('in a pod', () => {
  beforeEach(async () => {
    await mkdir(join(home, SERVICE_ACCOUNT), { recursive: true });
    await put(`${SERVICE_ACCOUNT}/token`, 'of the pod\n');
    await put(`${SERVICE_ACCOUNT}/ca.crt`, 'CA');
    await put(`${SERVICE_ACCOUNT}/namespace`, 'team-a\n');
  });

  it('the service account is used, and its token followed', async () => {
    const config = await loadKubeConfig({}, around(ADDRESS));
    expect(config.getCurrentCluster()).toEqual({ server: 'https://10.0.0.1:443' });
    expect(defaultNamespace(config, around())).toBe('team-a');
    const { ca, headers } = await optionsOf(config);
    expect([String(ca), headers]).toEqual(['CA', { Authorization: 'Bearer of the pod' }]);
    await put(`${SERVICE_ACCOUNT}/token`, 'rotated');
    nowMs = 1_000;
    expect(await authorization(config)).toBe('Bearer rotated');
  });

  it.each([
    ['10.0.0.1', '443', 'https://10.0.0.1:443'],
    ['fd00::1', '6443', 'https://[fd00::1]:6443'],
    ['kubernetes.default.svc', '443', 'https://kubernetes.default.svc:443'],
    // client-node would turn to http: here, and then refuse it.
    ['10.0.0.1', '8080', 'https://10.0.0.1:8080'],
  ])('the API server is at %s, port %s: %s', async (host, port, server) => {
    const env = { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port };
    const config = await loadKubeConfig({}, around(env));
    expect(config.getCurrentCluster()).toEqual({ server });
  });

  it('without an address: says which variable is missing', async () => {
    const error = await rejection(loadKubeConfig({}, around()));
    expect(error).toBeInstanceOf(NoClusterConfigError);
    expect((error as NoClusterConfigError).looked[2]).toContain('KUBERNETES_SERVICE_HOST');
  });

  it('a kubeconfig comes first, and takes the namespace of the pod if it has none', async () => {
    const config = await load({ token: 't' });
    expect(await authorization(config)).toBe('Bearer t');
    expect(defaultNamespace(config, around())).toBe('team-a');
  });

  it('there is one context to choose', async () => {
    const config = await loadKubeConfig({ context: 'inClusterContext' }, around(ADDRESS));
    expect(config.getCurrentContext()).toBe('inClusterContext');
    await expect(loadKubeConfig({ context: 'kind' }, around(ADDRESS))).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringContaining('inClusterContext'),
    });
  });
});

describe('several files in KUBECONFIG', () => {
  async function merged(...files: readonly object[]): Promise<Surroundings> {
    const paths = files.map((_, index) => join(home, `config-${index}`));
    await Promise.all(files.map((file, index) => put(`config-${index}`, JSON.stringify(file))));
    return around({ KUBECONFIG: ['', ...paths, join(home, 'nowhere')].join(':') });
  }

  const context = (name: string, cluster: string, user: string): object => ({
    ...{ name, context: { cluster, user } },
  });

  it('are merged as kubectl does: the first of a name counts, for the current context, too', async () => {
    const surroundings = await merged(
      { users: [{ name: 'u', user: { token: 'first' } }] },
      {
        'current-context': 'x',
        clusters: [{ name: 'c', cluster: { server: 'https://one.test' } }],
        contexts: [context('x', 'c', 'u')],
      },
      {
        'current-context': 'y',
        clusters: [{ name: 'c', cluster: { server: 'https://two.test' } }],
        users: [{ name: 'u', user: { token: 'second' } }],
        contexts: [context('x', 'none', 'none'), context('y', 'c', 'u')],
      },
    );
    const config = await loadKubeConfig({}, surroundings);
    expect(config.getCurrentContext()).toBe('x');
    expect(config.getCurrentCluster()?.server).toBe('https://one.test');
    expect(await authorization(config)).toBe('Bearer first');
    const other = await loadKubeConfig({ context: 'y' }, surroundings);
    expect(other.getCurrentContext()).toBe('y');
  });

  it('name their paths each from its own folder', async () => {
    await mkdir(join(home, 'users'));
    await put('users/token', 'from the folder of the users');
    await put(
      'users/config',
      JSON.stringify({ users: [{ name: 'u', user: { tokenFile: 'token' } }] }),
    );
    const file = { ...(JSON.parse(kubeConfig({})) as object), users: [] };
    await put('config', JSON.stringify(file));
    const paths = [join(home, 'config'), join(home, 'users/config')];
    const config = await loadKubeConfig({}, around({ KUBECONFIG: paths.join(':') }));
    expect(await authorization(config)).toBe('Bearer from the folder of the users');
  });

  it('of which one cannot be read are refused, with its name', async () => {
    const surroundings = await merged(JSON.parse(kubeConfig({ token: 't' })) as object);
    await writeFile(join(home, 'config-0'), 'users: [}');
    const error = await rejection(loadKubeConfig({}, surroundings));
    expect(error).toBeInstanceOf(NoClusterConfigError);
    expect((error as Error).message).toContain(`${join(home, 'config-0')}: not YAML at line 1`);
  });
});

describe('what is secret', () => {
  const SECRET = 'hunter2';

  function shownOf(value: unknown): string {
    const options = { depth: Infinity, showHidden: true, getters: true };
    return inspect(value, options) + JSON.stringify(value) + String(value);
  }

  it('is not shown by the configuration', async () => {
    const data = Buffer.from(SECRET).toString('base64');
    const config = await load({
      ...{ token: SECRET, username: 'u', password: SECRET },
      ...{ 'client-key-data': data, 'client-certificate-data': data },
    });
    await optionsOf(config);
    expect(shownOf(config)).not.toMatch(new RegExp(`${SECRET}|${data}|68 75 6e`));
  });

  it.each([
    ['no YAML', `users:\n- name: u\n  user: {token: ${SECRET}\n`],
    ['no YAML at the secret itself', `users:\n- name: u\n  user:\n    token: "${SECRET}\n`],
    ['an alias', `users: *${SECRET}\n`],
    ['a tag', `users: !${SECRET} x\n`],
    ['half of a JSON text', `{"users": [{"name": "u", "user": {"token": "${SECRET}"}}`],
    ['a key twice', `${SECRET}: 1\n${SECRET}: 2\n`],
    ['no mapping', `- ${SECRET}\n`],
    ['no context', `token: ${SECRET}\n`],
  ])('is not shown by the error for a file with %s', async (_, text) => {
    await put('config', text);
    const error = await rejection(loadKubeConfig({}, around({ KUBECONFIG: join(home, 'config') })));
    expect(error).toBeInstanceOf(NoClusterConfigError);
    expect((error as Error).message).toContain(join(home, 'config'));
    expect(shownOf(error)).not.toContain(SECRET);
  });
});
