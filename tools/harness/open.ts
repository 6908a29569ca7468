// Opens the clusters of cluster.ts for one test file.
import { KubeConfig } from '@kubernetes/client-node';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLeaseServer } from '../../src/testing/index.js';
import type { Cluster } from './cluster.js';
import type { LocalCluster, NamedCluster } from './control-plane/index.js';
import { embeddedNamespace, realNamespace } from './namespace.js';
import type { Namespace } from './namespace.js';
import { RawClient } from './raw.js';
import type { RawTarget } from './raw.js';
import { embeddedUser, realUser } from './user.js';
import type { User } from './user.js';

/** Opens a real cluster; a test that started a control plane of its own opens that. */
export async function openReal(found: NamedCluster | LocalCluster): Promise<Cluster> {
  const config = new KubeConfig();
  config.loadFromFile(found.kubeConfigFile);
  const { version, server } = found;
  const target = await targetOf(config, server);
  const admin = new RawClient(target);
  const isLocal = found.kind === 'local';
  const controlPlane = isLocal ? found : undefined;
  return assemble(config, target, admin, {
    ...{ real: true, version, server, controlPlane, embedded: undefined },
    makeNamespace: (name) => realNamespace(admin, name, isLocal),
    makeUser: (name, namespace, clientWith) => realUser(admin, clientWith, namespace, name),
    end: () => Promise.resolve(),
  });
}

/** Starts an embedded server for one test file. */
export async function openEmbedded(): Promise<Cluster> {
  const embedded = await startLeaseServer({ namespaces: [] });
  const config = new KubeConfig();
  config.loadFromString(embedded.kubeConfigYaml());
  const target = await targetOf(config, embedded.url);
  return assemble(config, target, new RawClient(target), {
    ...{ real: false, version: 'embedded', server: embedded.url, controlPlane: undefined },
    embedded,
    makeNamespace: (name) => Promise.resolve(embeddedNamespace(embedded, name)),
    makeUser: (name) => Promise.resolve(embeddedUser(embedded, name)),
    end: () => embedded.close(),
  });
}

/** In what the two kinds of clusters differ. */
interface Base extends Pick<Cluster, 'real' | 'version' | 'server' | 'controlPlane' | 'embedded'> {
  readonly makeNamespace: (name: string) => Promise<Namespace>;
  readonly makeUser: (
    name: string,
    namespace: string,
    clientWith: Cluster['clientWith'],
  ) => Promise<User>;
  readonly end: () => Promise<void>;
}

async function assemble(
  kubeConfig: KubeConfig,
  target: RawTarget,
  admin: RawClient,
  { makeNamespace, makeUser, end, ...base }: Base,
): Promise<Cluster> {
  const cleanup: (() => void | Promise<void>)[] = [end, () => admin.close()];
  const newNamespace = async (): Promise<Namespace> => {
    const namespace = await makeNamespace(`sync-test-${randomBytes(5).toString('hex')}`);
    cleanup.unshift(namespace.remove);
    return namespace;
  };
  const clientWith = (token: string | undefined): RawClient => {
    const other = new RawClient(withToken(target, token));
    cleanup.unshift(() => other.close());
    return other;
  };
  const { name: namespace, leases } = await newNamespace();
  const folder = await mkdtemp(join(tmpdir(), 'cluster-'));
  cleanup.push(() => rm(folder, { recursive: true, force: true }));
  let users = 0;
  return {
    ...{ ...base, namespace, leases, newNamespace, clientWith, kubeConfig },
    kubeConfigFile: await writeConfig(kubeConfig, namespace, folder),
    request: (method, path, body, headers) => admin.request(method, path, body, headers),
    watch: (path) => admin.watch(path),
    newUser: () => makeUser(`user-${++users}`, namespace, clientWith),
    close: async () => {
      const errors: unknown[] = [];
      for (const step of cleanup) {
        await Promise.resolve()
          .then(step)
          .catch((error: unknown) => errors.push(error));
      }
      if (errors.length > 0) throw new AggregateError(errors, 'the cluster was not left clean');
    },
  };
}

/** Makes the namespace the one of the current context, and writes all of it to a file. */
async function writeConfig(config: KubeConfig, namespace: string, folder: string): Promise<string> {
  const current = config.getCurrentContext();
  config.contexts = config.contexts.map((context) =>
    context.name === current ? { ...context, namespace } : context,
  );
  const file = join(folder, 'kubeconfig');
  await writeFile(file, config.exportConfig(), { mode: 0o600 });
  return file;
}

/** The credentials of the current context, as of now: exec plugins are asked once. */
async function targetOf(config: KubeConfig, server: string): Promise<RawTarget> {
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const { ca, cert, key, pfx, passphrase, servername, rejectUnauthorized } = options;
  const tls = { ca, cert, key, pfx, passphrase, servername, rejectUnauthorized };
  return { server, headers: options.headers as Record<string, string>, tls };
}

function withToken({ server, tls }: RawTarget, token: string | undefined): RawTarget {
  const { ca, servername, rejectUnauthorized } = tls ?? {};
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return { server, headers, tls: { ca, servername, rejectUnauthorized } };
}
