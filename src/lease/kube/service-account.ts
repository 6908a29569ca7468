import { existsSync, readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { CredentialFile } from './credential-file.js';
import { KubeConfigError } from './kubeconfig-file.js';
import { PlainKubeConfig } from './plain-config.js';
import type { Surroundings } from './surroundings.js';

/** Where a kubelet puts what a pod needs to reach its API server. */
export const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * The service account of the pod that this process runs in; `null` outside a pod.
 * @throws KubeConfigError when there is a token, and no address to use it for
 */
export function serviceAccount(around: Surroundings): PlainKubeConfig | null {
  const { env, root, now } = around;
  const folder = join(root, SERVICE_ACCOUNT);
  const token = join(folder, 'token');
  if (!existsSync(token)) return null;
  const host = env.KUBERNETES_SERVICE_HOST ?? '';
  const port = env.KUBERNETES_SERVICE_PORT ?? '';
  if (host === '' || port === '') {
    throw new KubeConfigError('KUBERNETES_SERVICE_HOST or KUBERNETES_SERVICE_PORT is not set');
  }
  return new PlainKubeConfig({
    context: { name: 'inClusterContext', namespace: namespaceOf(around) },
    // Never http:, whatever the port: a token is sent there.
    server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`,
    ca: new CredentialFile(join(folder, 'ca.crt'), now),
    tokenFile: new CredentialFile(token, now),
    ...{ isInsecure: false, tlsServerName: undefined, impersonate: {} },
    ...{ token: undefined, certificate: null, key: null, basic: null },
  });
}

/** The namespace of the pod; `undefined` outside one. */
export function namespaceOf({ root }: Surroundings): string | undefined {
  try {
    return readFileSync(join(root, SERVICE_ACCOUNT, 'namespace'), 'utf8').trim();
  } catch {
    return undefined;
  }
}
