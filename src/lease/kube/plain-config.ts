import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { RequestOptions } from 'node:https';
import type { CredentialSource } from './credential-file.js';
import type { KubeConfigLike } from './kube-config-like.js';

/** A cluster, a user and the context that joins them, with nothing that takes a program or a proxy. */
export interface PlainSettings {
  readonly context: { readonly name: string; readonly namespace: string | undefined };
  readonly server: string;
  readonly ca: CredentialSource | null;
  readonly isInsecure: boolean;
  readonly tlsServerName: string | undefined;
  readonly certificate: CredentialSource | null;
  readonly key: CredentialSource | null;
  /** The token file comes first, and the token while the file cannot be read: as in kubectl. */
  readonly tokenFile: CredentialSource | null;
  readonly token: string | undefined;
  readonly basic: { readonly username: string; readonly password: string } | null;
  readonly impersonate: Readonly<Record<string, string>>;
}

/** A configuration that needs nothing from client-node. Credentials are private fields, which nothing prints. */
export class PlainKubeConfig implements KubeConfigLike {
  readonly #settings: PlainSettings;
  readonly #pair: KeyPair;
  /** Of the token file. */
  #lastToken: string | undefined;

  constructor(settings: PlainSettings) {
    this.#settings = settings;
    this.#pair = new KeyPair(settings.certificate, settings.key);
  }

  getCurrentCluster(): { readonly server: string } {
    return { server: this.#settings.server };
  }

  getCurrentContext(): string {
    return this.#settings.context.name;
  }

  getContextObject(name: string): { readonly namespace: string | undefined } | null {
    const { context } = this.#settings;
    return name === context.name ? { namespace: context.namespace } : null;
  }

  async applyToHTTPSOptions(options: RequestOptions): Promise<void> {
    const { server, ca, isInsecure, tlsServerName, basic, impersonate } = this.#settings;
    if (!isInsecure && /^http:/i.test(server)) {
      throw new Error(
        'the server is an http: address, where anyone on the way can read the credentials; use https:, or set ' +
          'insecure-skip-tls-verify: true in the kubeconfig',
      );
    }
    if (isInsecure) options.rejectUnauthorized = false;
    if (tlsServerName !== undefined) options.servername = tlsServerName;
    if (ca !== null) options.ca = await ca.read();
    Object.assign(options, await this.#pair.read());
    const token = await this.#readToken();
    const authorization = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    options.headers = { ...(options.headers as object), ...authorization, ...impersonate };
    // Node.js prefers the header to these.
    if (basic !== null) options.auth = `${basic.username}:${basic.password}`;
  }

  async #readToken(): Promise<string | undefined> {
    const { tokenFile, token } = this.#settings;
    if (tokenFile === null) return token;
    try {
      const text = (await tokenFile.read()).toString('utf8').trim();
      if (text === '') throw new Error('the token file is empty');
      this.#lastToken = text;
      return text;
    } catch (error) {
      const last = this.#lastToken ?? token;
      if (last === undefined) throw error;
      return last;
    }
  }
}

type Pair = Pick<RequestOptions, 'cert' | 'key'>;

/** A client certificate and its key. They are two files, and cannot be replaced in one step. */
class KeyPair {
  readonly #certificate: CredentialSource | null;
  readonly #key: CredentialSource | null;
  #used: Pair | null = null;
  #rejected: Pair = {};

  constructor(certificate: CredentialSource | null, key: CredentialSource | null) {
    this.#certificate = certificate;
    this.#key = key;
  }

  /** The newest pair whose parts belong together; the first one as it is, so that a mistake in it is found. */
  async read(): Promise<Pair> {
    const pair: Pair = {};
    if (this.#certificate !== null) pair.cert = await this.#certificate.read();
    if (this.#key !== null) pair.key = await this.#key.read();
    if (this.#used !== null) {
      if (isSame(pair, this.#used) || isSame(pair, this.#rejected)) return this.#used;
      if (!belongTogether(pair)) {
        this.#rejected = pair;
        return this.#used;
      }
    }
    this.#used = pair;
    return pair;
  }
}

function isSame(a: Pair, b: Pair): boolean {
  return a.cert === b.cert && a.key === b.key;
}

function belongTogether({ cert, key }: Pair): boolean {
  try {
    return new X509Certificate(cert as Buffer).checkPrivateKey(createPrivateKey(key as Buffer));
  } catch {
    return false;
  }
}
