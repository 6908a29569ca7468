import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { InvalidOptionError, NoClusterConfigError } from '../../errors.js';
import { loadWithClientNode, searchWithClientNode } from './client-node-config.js';
import { CredentialFile, inline } from './credential-file.js';
import type { CredentialSource } from './credential-file.js';
import type { KubeConfigLike } from './kube-config-like.js';
import { KubeConfigError, KubeConfigFiles } from './kubeconfig-file.js';
import type { Selection } from './kubeconfig-file.js';
import { PlainKubeConfig } from './plain-config.js';
import { namespaceOf, SERVICE_ACCOUNT, serviceAccount } from './service-account.js';
import { processSurroundings, type Surroundings } from './surroundings.js';
import { wordsOf } from './words.js';

export type { KubeConfigLike } from './kube-config-like.js';

/** What is chosen by hand, as kubectl has it. */
export interface Chosen {
  /** A file in place of those of the environment. */
  readonly file?: string | undefined;
  /** Name of a context in place of the current one. */
  readonly context?: string | undefined;
}

/**
 * The kubeconfig of the environment, as kubectl finds it, else the service account of the pod. Loads client-node, which
 * takes 0.6 s of processor time and 60 MB, only for what is left to it: exec plugins, auth providers and proxies.
 * @throws NoClusterConfigError when there is neither, or what is there cannot be read
 * @throws InvalidOptionError when there is no context of the chosen name
 */
export async function loadKubeConfig(
  { file, context }: Chosen = {},
  around: Surroundings = processSurroundings,
): Promise<KubeConfigLike> {
  const paths = file === undefined ? pathsOf(around) : [file];
  try {
    if (paths.length > 0) return await fromFiles(paths, context, around);
    const config = serviceAccount(around) ?? (await fromOtherPlaces(around));
    if (config !== null) return chosenOf(config, context);
  } catch (error) {
    if (error instanceof InvalidOptionError) throw error;
    throw new NoClusterConfigError(placesLookedAt({ file, paths }, around, error), causeOf(error));
  }
  throw new NoClusterConfigError(placesLookedAt({ file, paths }, around));
}

/** Empty when the environment names none and there is none in the home directory. */
function pathsOf({ env, platform }: Surroundings): readonly string[] {
  const named = (env.KUBECONFIG ?? '').split(delimiter).filter((path) => path !== '');
  if (named.length > 0) return named;
  const { HOME = '', HOMEDRIVE = '', HOMEPATH = '', USERPROFILE = '' } = env;
  const homes = platform === 'win32' ? [HOME, HOMEDRIVE + HOMEPATH, USERPROFILE] : [HOME];
  const inHome = homes
    .filter((home) => home !== '')
    .map((home) => join(home, '.kube', 'config'))
    .find((path) => existsSync(path));
  return inHome === undefined ? [] : [inHome];
}

async function fromFiles(
  paths: readonly string[],
  context: string | undefined,
  { now }: Surroundings,
): Promise<KubeConfigLike> {
  const files = await KubeConfigFiles.read(paths);
  checkContext(context, files.contexts);
  const selection = files.select(context);
  checkImpersonation(selection);
  return isPlain(selection) ? plainOf(selection, now) : loadWithClientNode(selection);
}

/** On Windows client-node looks into the Linux beside it. */
async function fromOtherPlaces({ platform }: Surroundings): Promise<KubeConfigLike | null> {
  return platform === 'win32' ? searchWithClientNode() : null;
}

function chosenOf(config: KubeConfigLike, context: string | undefined): KubeConfigLike {
  checkContext(context, [config.getCurrentContext()]);
  return config;
}

function checkContext(context: string | undefined, names: readonly string[]): void {
  if (context === undefined || names.includes(context)) return;
  throw new InvalidOptionError('context', context, `must be one of ${names.join(', ')}`);
}

function isPlain({ cluster, user }: Selection): boolean {
  const { exec, authProvider } = user;
  return exec === undefined && authProvider === undefined && cluster.proxyUrl === undefined;
}

/** To leave out a part of whom to impersonate would be to go as another user, perhaps with more rights. */
function checkImpersonation(selection: Selection): void {
  const { name, impersonatesGroups, impersonateUid } = selection.user;
  const isUidLost = impersonateUid !== undefined && !isPlain(selection);
  if (!impersonatesGroups && !isUidLost) return;
  const what = impersonatesGroups ? 'as-groups and as-user-extra' : 'as-uid beside exec or a proxy';
  throw new KubeConfigError(`user "${name}": ${what} cannot be sent by this package`);
}

function plainOf({ context, cluster, user }: Selection, now: () => number): KubeConfigLike {
  const source = (data: string | undefined, path: string | undefined): CredentialSource | null => {
    if (data !== undefined) return inline(Buffer.from(data, 'base64'));
    return path === undefined ? null : new CredentialFile(path, now);
  };
  const { username, password = '', impersonateUser, impersonateUid } = user;
  return new PlainKubeConfig({
    context,
    server: cluster.server,
    ca: source(cluster.caData, cluster.caFile),
    isInsecure: cluster.isInsecure,
    tlsServerName: cluster.tlsServerName,
    certificate: source(user.certData, user.certFile),
    key: source(user.keyData, user.keyFile),
    tokenFile: source(undefined, user.tokenFile),
    token: user.token,
    basic: username === undefined ? null : { username, password },
    impersonate: {
      ...(impersonateUser === undefined ? {} : { 'Impersonate-User': impersonateUser }),
      ...(impersonateUid === undefined ? {} : { 'Impersonate-Uid': impersonateUid }),
    },
  });
}

interface Looked {
  readonly file: string | undefined;
  readonly paths: readonly string[];
}

/** The places in the order in which they count, with what was wrong at the one that was taken. */
function placesLookedAt(
  { file, paths }: Looked,
  { env, root }: Surroundings,
  error?: unknown,
): readonly string[] {
  const why = error === undefined ? '' : ` (${wordsOf(error)})`;
  if (file !== undefined) return [`${file}${why}`];
  const named = env.KUBECONFIG ?? '';
  const isInHome = named === '' && paths.length > 0;
  return [
    named === '' ? '$KUBECONFIG (not set)' : `$KUBECONFIG (${named})${why}`,
    `~/.kube/config${isInHome ? why : ''}`,
    `the service account of a pod (${root}${SERVICE_ACCOUNT})${paths.length === 0 ? why : ''}`,
  ];
}

/** Errors of the file system name a path and nothing else; our own say all there is to say. */
function causeOf(error: unknown): unknown {
  return error instanceof KubeConfigError ? undefined : error;
}

/** Kubeconfig context, else the pod's service account, else POD_NAMESPACE, else `default`. */
export function defaultNamespace(
  config: KubeConfigLike,
  around: Surroundings = processSurroundings,
): string {
  // client-node hands on the service account's file as it is, line end included.
  const ofContext = config.getContextObject(config.getCurrentContext())?.namespace;
  const candidates = [ofContext, namespaceOf(around), around.env.POD_NAMESPACE];
  const found = candidates.map((candidate) => candidate?.trim() ?? '').find((name) => name !== '');
  return found ?? 'default';
}
