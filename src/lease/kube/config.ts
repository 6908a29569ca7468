import { readFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { homedir } from 'node:os';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { InvalidOptionError, NoClusterConfigError } from '../../errors.js';
import { asArray, asObject, asString } from './json.js';
import { wordsOf } from './words.js';

/**
 * What this library needs of a `KubeConfig`: where the API server is and how to authenticate. Structural, so
 * that the class of `@kubernetes/client-node` 1.x and of 2.x fit, and any object of one's own.
 */
export interface KubeConfigLike {
  getCurrentCluster(): {
    readonly server: string;
    /** Requests then go through the `agent` that `applyToHTTPSOptions` sets. */
    readonly proxyUrl?: string | undefined;
  } | null;
  getCurrentContext(): string;
  getContextObject(name: string): { readonly namespace?: string | undefined } | null;
  /** Called before every request; sets `headers`, `auth`, `ca`, `cert`, `key` and the like. */
  applyToHTTPSOptions(options: RequestOptions): Promise<void>;
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Where client-node ends when it has found nothing; it refuses to talk to it itself. */
const NOTHING_FOUND = 'http://localhost:8080';

/** What is chosen by hand, as kubectl has it. */
export interface Chosen {
  /** A file in place of those of the environment. */
  readonly file?: string | undefined;
  /** Name of a context in place of the current one. */
  readonly context?: string | undefined;
}

/**
 * The kubeconfig of the environment, as kubectl finds it, else the service account of the pod.
 * @throws NoClusterConfigError when there is neither, or what is there cannot be read
 * @throws InvalidOptionError when there is no context of the chosen name
 */
export async function loadKubeConfig({ file, context }: Chosen = {}): Promise<KubeConfigLike> {
  // Half a second and 80 MB that nobody pays who brings a KubeConfig along.
  const { KubeConfig, loadYaml } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  try {
    if (file === undefined) config.loadFromDefault();
    else config.loadFromFile(file);
  } catch (error) {
    const looked = file === undefined ? placesLookedAt(error) : [`${file} (${wordsOf(error)})`];
    throw new NoClusterConfigError(looked, error);
  }
  if (context !== undefined) choose(config, context);
  const server = config.getCurrentCluster()?.server;
  if (server === undefined || server === NOTHING_FOUND) {
    throw new NoClusterConfigError(placesLookedAt());
  }
  adoptTokenFile(config, file === undefined ? kubeConfigFiles() : [file], loadYaml);
  return config;
}

interface Contexts {
  getContexts(): readonly { readonly name: string }[];
  setCurrentContext(name: string): void;
}

function choose(config: Contexts, context: string): void {
  const names = config.getContexts().map(({ name }) => name);
  if (!names.includes(context)) {
    throw new InvalidOptionError('context', context, `must be one of ${names.join(', ')}`);
  }
  config.setCurrentContext(context);
}

function kubeConfigFiles(): readonly string[] {
  const named = (process.env.KUBECONFIG ?? '').split(delimiter).filter((file) => file !== '');
  return named.length > 0 ? named : [join(process.env.HOME ?? homedir(), '.kube', 'config')];
}

function placesLookedAt(error?: unknown): readonly string[] {
  const named = process.env.KUBECONFIG ?? '';
  const why = error === undefined ? '' : ` (${wordsOf(error)})`;
  return [
    named === '' ? '$KUBECONFIG (not set)' : `$KUBECONFIG (${named})${why}`,
    `~/.kube/config${named === '' ? why : ''}`,
    `the service account of a pod (${SERVICE_ACCOUNT})`,
  ];
}

interface MutableUsers {
  getCurrentUser(): { readonly name: string; readonly authProvider?: unknown } | null;
  users: { readonly name: string }[];
}

/**
 * client-node knows `token-file`, read once, but not `tokenFile`, the spelling of kubectl: such a user would
 * go without any credential. Handed on as the file authenticator, the token follows rotation, too.
 */
function adoptTokenFile(
  config: MutableUsers,
  files: readonly string[],
  loadYaml: (text: string) => unknown,
): void {
  const user = config.getCurrentUser();
  if (user === null || user.authProvider !== undefined) return;
  for (const file of files) {
    const tokenFile = findTokenFile(file, user.name, loadYaml);
    if (tokenFile === undefined) continue;
    const authProvider = { name: 'tokenFile', config: { tokenFile } };
    config.users = config.users.map((other) =>
      other.name === user.name ? { ...other, token: undefined, authProvider } : other,
    );
    return;
  }
}

function findTokenFile(
  file: string,
  userName: string,
  loadYaml: (text: string) => unknown,
): string | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  const entries = asArray(asObject(loadYaml(text)).users).map(asObject);
  const entry = entries.find(({ name }) => name === userName);
  const tokenFile = asString(asObject(entry?.user).tokenFile);
  if (tokenFile === '') return undefined;
  return isAbsolute(tokenFile) ? tokenFile : join(dirname(file), tokenFile);
}

/** Kubeconfig context, else the pod's service account, else POD_NAMESPACE, else `default`. */
export function defaultNamespace(config: KubeConfigLike): string {
  // client-node hands on the service account's file as it is, line end included.
  const ofContext = config.getContextObject(config.getCurrentContext())?.namespace;
  const candidates = [ofContext, ofServiceAccount(), process.env.POD_NAMESPACE];
  const found = candidates.map((candidate) => candidate?.trim() ?? '').find((name) => name !== '');
  return found ?? 'default';
}

function ofServiceAccount(): string {
  try {
    return readFileSync(join(SERVICE_ACCOUNT, 'namespace'), 'utf8');
  } catch {
    return '';
  }
}
