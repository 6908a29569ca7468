/** Configurations that lead to this server, in the shapes that clients take. */

export interface KubeConfigOptions {
  /** Default namespace of the context. @defaultValue `'default'` */
  readonly namespace?: string | undefined;
  /** Bearer token; the server accepts it from now on. @defaultValue a random one per user */
  readonly token?: string | undefined;
  /** Who the token belongs to, in refusals and in `match: { user }`. @defaultValue `'admin'` */
  readonly user?: string | undefined;
}

/**
 * The part of `KubeConfig` of `@kubernetes/client-node` that a client reads, without that package.
 * What needs a real one can parse `kubeConfigYaml()`.
 */
export interface TestingKubeConfig {
  getCurrentCluster(): { name: string; server: string; skipTLSVerify: boolean };
  getCurrentContext(): string;
  getContextObject(
    name: string,
  ): { name: string; cluster: string; user: string; namespace: string } | null;
  getCurrentUser(): { name: string; token: string };
  /** Adds the Authorization header. */
  applyToHTTPSOptions(options: object): Promise<void>;
}

export interface Credentials {
  readonly server: string;
  readonly namespace: string;
  readonly token: string;
  readonly user: string;
}

const context = 'testing';

export function makeKubeConfig(credentials: Credentials): TestingKubeConfig {
  const { server, namespace, token, user } = credentials;
  return {
    getCurrentCluster: () => ({ name: context, server, skipTLSVerify: true }),
    getCurrentContext: () => context,
    getContextObject: (name) =>
      name === context ? { name, cluster: context, user, namespace } : null,
    getCurrentUser: () => ({ name: user, token }),
    applyToHTTPSOptions: (options) => {
      const target = options as { headers?: Record<string, unknown> };
      target.headers = { ...target.headers, Authorization: `Bearer ${token}` };
      return Promise.resolve();
    },
  };
}

/** `insecure-skip-tls-verify`, because client-node refuses plain HTTP without it. */
export function makeKubeConfigYaml(credentials: Credentials): string {
  const { server, namespace, token, user } = credentials;
  return [
    'apiVersion: v1',
    'kind: Config',
    'clusters:',
    `  - name: ${context}`,
    `    cluster: { server: ${quote(server)}, insecure-skip-tls-verify: true }`,
    'users:',
    `  - name: ${quote(user)}`,
    `    user: { token: ${quote(token)} }`,
    'contexts:',
    `  - name: ${context}`,
    `    context: { cluster: ${context}, user: ${quote(user)}, namespace: ${quote(namespace)} }`,
    `current-context: ${context}`,
    '',
  ].join('\n');
}

/** JSON strings are YAML strings. */
function quote(text: string): string {
  return JSON.stringify(text);
}
