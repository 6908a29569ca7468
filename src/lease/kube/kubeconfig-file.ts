import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { asArray, asObject, asString, isObject, type JsonObject } from './json.js';
import { readYaml } from './yaml.js';

/** Why a kubeconfig cannot be used. Names files, contexts, clusters and users, and no value. */
export class KubeConfigError extends Error {
  override readonly name = 'KubeConfigError';
}

/** The current context of a kubeconfig, as it is written there, with absolute paths. */
export interface Selection {
  readonly context: { readonly name: string; readonly namespace: string | undefined };
  readonly cluster: ClusterEntry;
  readonly user: UserEntry;
}

export interface ClusterEntry {
  readonly name: string;
  readonly server: string;
  readonly caData: string | undefined;
  readonly caFile: string | undefined;
  readonly isInsecure: boolean;
  readonly tlsServerName: string | undefined;
  readonly proxyUrl: string | undefined;
}

export interface UserEntry {
  readonly name: string;
  readonly token: string | undefined;
  readonly tokenFile: string | undefined;
  readonly certData: string | undefined;
  readonly certFile: string | undefined;
  readonly keyData: string | undefined;
  readonly keyFile: string | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly impersonateUser: string | undefined;
  readonly impersonateUid: string | undefined;
  /** What takes a program, or more than one header of a name. */
  readonly exec: unknown;
  readonly authProvider: unknown;
  readonly impersonatesGroups: boolean;
}

interface Entry {
  readonly name: string;
  readonly fields: JsonObject;
  /** Of the file that has it: relative paths begin there. */
  readonly folder: string;
}

/** One or more kubeconfig files as one: of entries with the same name the first one counts, as in kubectl. */
export class KubeConfigFiles {
  readonly #contexts = new Map<string, Entry>();
  readonly #clusters = new Map<string, Entry>();
  readonly #users = new Map<string, Entry>();
  #currentContext = '';

  /**
   * A file that does not exist is passed over as long as there is another one.
   * @throws KubeConfigError, or the error of the file system
   */
  static async read(paths: readonly string[]): Promise<KubeConfigFiles> {
    const files = new KubeConfigFiles();
    let missing: unknown;
    let found = 0;
    for (const path of paths) {
      try {
        files.#add(await contentOf(path), dirname(resolve(path)));
        found++;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
        missing ??= error;
      }
    }
    if (found === 0) throw missing;
    return files;
  }

  get contexts(): readonly string[] {
    return [...this.#contexts.keys()];
  }

  /**
   * @param name default: the `current-context`
   * @throws KubeConfigError
   */
  select(name = this.#currentContext): Selection {
    if (name === '') throw new KubeConfigError('current-context is not set');
    const { fields } = find(this.#contexts, 'context', name);
    const cluster = textOf(fields.cluster);
    const user = textOf(fields.user);
    if (cluster === undefined) throw new KubeConfigError(`context "${name}" names no cluster`);
    return {
      context: { name, namespace: textOf(fields.namespace) },
      cluster: clusterOf(find(this.#clusters, 'cluster', cluster)),
      user: userOf(user === undefined ? NO_USER : find(this.#users, 'user', user)),
    };
  }

  #add(content: JsonObject, folder: string): void {
    if (this.#currentContext === '') {
      this.#currentContext = textOf(content['current-context']) ?? '';
    }
    collect(this.#contexts, content.contexts, 'context', folder);
    collect(this.#clusters, content.clusters, 'cluster', folder);
    collect(this.#users, content.users, 'user', folder);
  }
}

const NO_USER: Entry = { name: '', fields: {}, folder: '' };

async function contentOf(path: string): Promise<JsonObject> {
  const text = await readFile(path, 'utf8');
  const content = await readYaml(text).catch((error: unknown) => {
    throw new KubeConfigError(`${path}: ${(error as Error).message}`);
  });
  // An empty file is an empty kubeconfig.
  if (content === null || content === undefined) return {};
  if (isObject(content)) return content;
  throw new KubeConfigError(`${path}: not a mapping`);
}

function collect(entries: Map<string, Entry>, list: unknown, kind: string, folder: string): void {
  for (const item of asArray(list)) {
    const name = textOf(asObject(item).name);
    if (name === undefined || entries.has(name)) continue;
    entries.set(name, { name, fields: asObject(asObject(item)[kind]), folder });
  }
}

function find(entries: ReadonlyMap<string, Entry>, kind: string, name: string): Entry {
  const entry = entries.get(name);
  if (entry === undefined) throw new KubeConfigError(`there is no ${kind} "${name}"`);
  return entry;
}

function clusterOf({ name, fields, folder }: Entry): ClusterEntry {
  const server = textOf(fields.server);
  if (server === undefined) throw new KubeConfigError(`cluster "${name}" has no server`);
  return {
    name,
    server: server.replace(/\/$/, ''),
    ...{
      caData: textOf(fields['certificate-authority-data']),
      caFile: pathOf(fields['certificate-authority'], folder),
    },
    isInsecure: fields['insecure-skip-tls-verify'] === true,
    tlsServerName: textOf(fields['tls-server-name']),
    proxyUrl: textOf(fields['proxy-url']),
  };
}

function userOf({ name, fields, folder }: Entry): UserEntry {
  // The second spelling is that of client-node.
  const tokenFile = fields.tokenFile ?? fields['token-file'];
  return {
    name,
    token: textOf(fields.token),
    tokenFile: pathOf(tokenFile, folder),
    certData: textOf(fields['client-certificate-data']),
    certFile: pathOf(fields['client-certificate'], folder),
    keyData: textOf(fields['client-key-data']),
    keyFile: pathOf(fields['client-key'], folder),
    username: textOf(fields.username),
    password: textOf(fields.password),
    impersonateUser: textOf(fields.as),
    impersonateUid: textOf(fields['as-uid']),
    exec: fields.exec ?? undefined,
    authProvider: fields['auth-provider'] ?? undefined,
    impersonatesGroups: isGiven(fields['as-groups']) || isGiven(fields['as-user-extra']),
  };
}

/** A scalar as text; `undefined` when it is missing or empty. */
function textOf(value: unknown): string | undefined {
  const text = typeof value === 'number' || typeof value === 'boolean' ? String(value) : value;
  return asString(text) === '' ? undefined : asString(text);
}

function pathOf(value: unknown, folder: string): string | undefined {
  const path = textOf(value);
  return path === undefined || isAbsolute(path) ? path : join(folder, path);
}

function isGiven(value: unknown): boolean {
  return Object.keys(asObject(value)).length > 0 || asArray(value).length > 0;
}
