import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NoClusterConfigError } from '../../../src/errors.js';
import { defaultNamespace, loadKubeConfig } from '../../../src/lease/kube/config.js';
import type { KubeConfigLike } from '../../../src/lease/kube/config.js';

const NAMES = ['HOME', 'KUBECONFIG', 'POD_NAMESPACE'] as const;
const before = NAMES.map((name) => [name, process.env[name]] as const);
let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'config-'));
  process.env.HOME = home;
  delete process.env.KUBECONFIG;
  delete process.env.POD_NAMESPACE;
});

afterEach(async () => {
  for (const [name, value] of before) {
    if (value === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = value;
  }
  await rm(home, { recursive: true });
});

function yaml(user: object, { server = 'https://api.test', namespace = '' } = {}): string {
  const context = { cluster: 'c', user: 'u', ...(namespace === '' ? {} : { namespace }) };
  return JSON.stringify({
    clusters: [{ name: 'c', cluster: { server } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context }],
    'current-context': 'x',
  });
}

async function writeDefault(text: string): Promise<void> {
  await mkdir(join(home, '.kube'));
  await writeFile(join(home, '.kube', 'config'), text);
}

async function authorization(config: KubeConfigLike): Promise<unknown> {
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  return (options.headers as Record<string, unknown>).Authorization;
}

async function failure(): Promise<NoClusterConfigError> {
  const error: unknown = await loadKubeConfig().catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(NoClusterConfigError);
  return error as NoClusterConfigError;
}

describe('the configuration of the environment', () => {
  it('is ~/.kube/config', async () => {
    await writeDefault(yaml({ token: 't' }));
    const config = await loadKubeConfig();
    expect(config.getCurrentCluster()?.server).toBe('https://api.test');
    expect(await authorization(config)).toBe('Bearer t');
  });

  it('is the file that KUBECONFIG names, before that', async () => {
    await writeDefault(yaml({ token: 't' }));
    process.env.KUBECONFIG = join(home, 'other');
    await writeFile(process.env.KUBECONFIG, yaml({ token: 'other' }));
    expect(await authorization(await loadKubeConfig())).toBe('Bearer other');
  });

  it('is missing: says where it was looked for, and the way out', async () => {
    const { message, looked } = await failure();
    expect(looked).toEqual([
      '$KUBECONFIG (not set)',
      '~/.kube/config',
      'the service account of a pod (/var/run/secrets/kubernetes.io/serviceaccount)',
    ]);
    expect(message).toContain('@metaparticle/sync/testing');
  });

  it('names a file that is not there: says which', async () => {
    process.env.KUBECONFIG = join(home, 'nowhere');
    const { looked, cause } = await failure();
    expect(looked[0]).toContain(`$KUBECONFIG (${join(home, 'nowhere')})`);
    expect(looked[0]).toContain('ENOENT');
    expect(cause).toMatchObject({ code: 'ENOENT' });
  });

  it('has no current context: no configuration', async () => {
    await writeDefault(JSON.stringify({ clusters: [], users: [], contexts: [] }));
    await failure();
  });
});

describe('a user with tokenFile, as kubectl spells it', () => {
  it('is understood, relative to the file it stands in', async () => {
    await writeDefault(yaml({ tokenFile: 'token' }));
    await writeFile(join(home, '.kube', 'token'), 'from-file');
    expect(await authorization(await loadKubeConfig())).toBe('Bearer from-file');
  });

  it('is understood with an absolute path, in any of several files', async () => {
    const files = [join(home, 'one'), join(home, 'two')];
    await writeFile(join(home, 'one'), JSON.stringify({ clusters: [], users: [], contexts: [] }));
    await writeFile(join(home, 'two'), yaml({ tokenFile: join(home, 'token') }));
    await writeFile(join(home, 'token'), 'from-file');
    process.env.KUBECONFIG = files.join(':');
    expect(await authorization(await loadKubeConfig())).toBe('Bearer from-file');
  });

  it('wins over a token beside it, as with kubectl', async () => {
    await writeDefault(yaml({ tokenFile: 'token', token: 'old' }));
    await writeFile(join(home, '.kube', 'token'), 'from-file');
    expect(await authorization(await loadKubeConfig())).toBe('Bearer from-file');
  });

  it('whose file is missing gets no credentials, and says so when asked', async () => {
    await writeDefault(yaml({ tokenFile: 'token' }));
    await expect(authorization(await loadKubeConfig())).rejects.toThrow('ENOENT');
  });
});

describe('the default namespace', () => {
  const config = (namespace?: string) => ({
    ...{ getCurrentCluster: () => null, getCurrentContext: () => 'x' },
    getContextObject: (name: string) => (name === 'x' ? { namespace } : null),
    applyToHTTPSOptions: () => Promise.resolve(),
  });

  it('is that of the context, without the line end of the file it may come from', () => {
    process.env.POD_NAMESPACE = 'team-b';
    expect(defaultNamespace(config('team-a\n'))).toBe('team-a');
  });

  it('is POD_NAMESPACE without one', () => {
    process.env.POD_NAMESPACE = ' team-b\n';
    expect(defaultNamespace(config())).toBe('team-b');
    expect(defaultNamespace({ ...config(), getContextObject: () => null })).toBe('team-b');
  });

  it('is default without either', () => {
    expect(defaultNamespace(config(' '))).toBe('default');
    process.env.POD_NAMESPACE = '';
    expect(defaultNamespace(config())).toBe('default');
  });
});
