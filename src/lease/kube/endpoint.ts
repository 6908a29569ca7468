import { request as requestHttp } from 'node:http';
import type { Agent, ClientRequest } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { RequestOptions } from 'node:https';
import { ApiUnreachableError } from '../../errors.js';
import type { KubeConfigLike } from './config.js';
import { scrub } from './words.js';

/** Everything a request needs before its path and body; credentials inside, so never log one. */
export interface Authorized {
  readonly options: RequestOptions;
  /** Set only when the cluster is behind a proxy: this agent knows the way. */
  readonly proxyAgent: Agent | null;
}

/** One API server and how to knock at it. Shared by requests and watches, which keep sockets of their own. */
export class Endpoint {
  /** As the kubeconfig has it, without a trailing slash. */
  readonly server: string;
  readonly isSecure: boolean;
  readonly #url: URL;
  readonly #config: KubeConfigLike;

  constructor(config: KubeConfigLike, server: string) {
    this.#config = config;
    this.server = server.replace(/\/+$/, '');
    this.#url = new URL(this.server);
    this.isSecure = this.#url.protocol === 'https:';
  }

  /**
   * Asks the kubeconfig anew for every request, so that rotated tokens and certificates are followed.
   * @throws ApiUnreachableError when it has no credentials to give
   */
  async authorize(): Promise<Authorized> {
    const options: RequestOptions = {};
    try {
      await this.#config.applyToHTTPSOptions(options);
    } catch (error) {
      // Not handed on as a cause: the words of an exec plugin may carry anything.
      const words = scrub(error instanceof Error ? error.message : String(error));
      const message = `the kubeconfig gives no credentials for ${this.server}: ${words}`;
      throw new ApiUnreachableError(message, this.server, { retryable: false });
    }
    const { agent, headers, ...rest } = options;
    const hasProxy = (this.#config.getCurrentCluster()?.proxyUrl ?? '') !== '';
    return {
      options: { ...rest, headers: trimmed(headers) },
      proxyAgent: hasProxy && typeof agent === 'object' ? agent : null,
    };
  }

  /** Builds the request; nothing is written before its `end()`. May throw on unusable certificates. */
  open(
    { options }: Authorized,
    agent: Agent,
    method: string,
    path: string,
    headers: Readonly<Record<string, string | number>>,
  ): ClientRequest {
    const { hostname, port, pathname } = this.#url;
    return (this.isSecure ? requestHttps : requestHttp)({
      ...options,
      agent,
      method,
      hostname: hostname.replace(/^\[|\]$/g, ''),
      port,
      path: `${pathname === '/' ? '' : pathname}${path}`,
      headers: { ...(options.headers as object), 'User-Agent': 'metaparticle-sync', ...headers },
    });
  }
}

/** Token files end in a line break more often than not, which no header may contain. */
function trimmed(headers: RequestOptions['headers']): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (value !== undefined) result[name] = String(value).trim();
  }
  return result;
}
