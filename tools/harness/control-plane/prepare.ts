import { join } from 'node:path';
import type { Binaries } from './binaries.js';
import { Daemon, freePort } from './daemon.js';
import {
  writeClientCertificate,
  writeKubeConfig,
  writeServiceAccountKey,
  writeTokens,
} from './files.js';
import type { ClientCertificate, Tokens } from './files.js';

/** What there is to know about a control plane of our own. Plain data: it fits into JSON. */
export interface LocalCluster {
  readonly kind: 'local';
  /** Where its programs came from. */
  readonly source: Binaries['source'];
  /** As the API server reports it, e.g. `v1.36.3`. */
  readonly version: string;
  readonly server: string;
  /** A kubeconfig of a user in `system:masters`. */
  readonly kubeConfigFile: string;
  readonly adminToken: string;
  readonly caFile: string;
  readonly tokens: Tokens;
  /** Undefined with KUBEBUILDER_ASSETS where Go is missing, which builds what makes one. */
  readonly clientCertificate: ClientCertificate | undefined;
  readonly pids: { readonly apiserver: number; readonly etcd: number };
}

/** The programs of a control plane. */
export type Program = 'apiserver' | 'etcd';

/** A control plane before its first start: files written, ports chosen, programs at hand. */
export interface Prepared extends Omit<LocalCluster, 'kind' | 'version' | 'pids'> {
  readonly folder: string;
  readonly etcdUrl: string;
  readonly keyFile: string;
  /** One more API server beside the one of `daemons`. */
  readonly serverDaemon: (port: number, etcdUrl: string) => Daemon;
  readonly daemons: Readonly<Record<Program, Daemon>>;
}

export async function prepare(
  binaries: Binaries,
  folder: string,
  extraArgs: readonly string[],
): Promise<Prepared> {
  const at = (name: string): string => join(folder, name);
  const [port, etcdPort, peerPort] = [await freePort(), await freePort(), await freePort()];
  const server = `https://127.0.0.1:${port}`;
  const caFile = at('apiserver/apiserver.crt');
  const { adminToken, tokens } = await writeTokens(at('tokens.csv'));
  await writeServiceAccountKey(at('service-account.key'));
  await writeKubeConfig(at('kubeconfig'), { server, caFile, token: adminToken });
  const clientCertificate =
    binaries.certificate === undefined
      ? undefined
      : await writeClientCertificate(binaries.certificate, at('client'));
  const etcdUrl = `http://127.0.0.1:${etcdPort}`;
  const serverDaemon = (ownPort: number, ownEtcdUrl: string): Daemon => {
    const args = apiserverArgs(at, ownPort, ownEtcdUrl, clientCertificate?.ca);
    const log = at(`apiserver-${ownPort}.log`);
    return new Daemon(binaries.apiserver, [...args, ...extraArgs], log);
  };
  const etcd = etcdArgs(at, etcdUrl, `http://127.0.0.1:${peerPort}`);
  return {
    source: binaries.source,
    kubeConfigFile: at('kubeconfig'),
    daemons: {
      apiserver: serverDaemon(port, etcdUrl),
      etcd: new Daemon(binaries.etcd, etcd, at('etcd.log')),
    },
    ...{ serverDaemon, keyFile: at('apiserver/apiserver.key') },
    ...{ folder, etcdUrl, server, caFile, adminToken, tokens, clientCertificate },
  };
}

function apiserverArgs(
  at: (name: string) => string,
  port: number,
  etcdUrl: string,
  clientCa: string | undefined,
): string[] {
  return [
    `--etcd-servers=${etcdUrl}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    `--cert-dir=${at('apiserver')}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${at('service-account.key')}`,
    `--service-account-signing-key-file=${at('service-account.key')}`,
    '--service-cluster-ip-range=10.0.0.0/24',
    '--authorization-mode=RBAC',
    `--token-auth-file=${at('tokens.csv')}`,
    '--endpoint-reconciler-type=none',
    '--profiling=false',
    ...(clientCa === undefined ? [] : [`--client-ca-file=${clientCa}`]),
  ];
}

function etcdArgs(at: (name: string) => string, url: string, peerUrl: string): string[] {
  return [
    `--data-dir=${at('etcd')}`,
    `--listen-client-urls=${url}`,
    `--advertise-client-urls=${url}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=default=${peerUrl}`,
    '--log-level=warn',
    // No test cuts the power of this machine; but figures are measured on an etcd as in production.
    ...(process.env.SYNC_TEST_FULL === '1' ? [] : ['--unsafe-no-fsync']),
  ];
}
