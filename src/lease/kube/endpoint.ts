import type { Agent } from 'node:http';
import type { RequestOptions } from 'node:https';
import { ApiUnreachableError } from '../../errors.js';
import type { Clock } from '../clock.js';
import type { KubeConfigLike } from './config.js';
import { scrub, wordsOf } from './words.js';

/** Everything a request needs before its path and body; credentials inside, so never log one. */
export interface Authorized {
  readonly options: RequestOptions;
  /** Set only when the cluster is behind a proxy: this agent knows the way. */
  readonly proxyAgent: Agent | null;
}

/** What requests and watches need of an API server. */
export type Door = Pick<Endpoint, 'server' | 'authorize'>;

/** Credentials that take longer are asked for again: the first question may have been lost. */
const SHARED_MS = 5000;

/** One API server and the credentials for it. Shared by requests and watches. */
export class Endpoint {
  /** As the kubeconfig has it, without a trailing slash. */
  readonly server: string;
  readonly #config: KubeConfigLike;
  readonly #clock: Clock;
  #asking: Promise<Authorized> | null = null;
  #askedAt = 0;

  constructor(config: KubeConfigLike, server: string, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    const url = new URL(server.replace(/\/+$/, ''));
    // Not sent as credentials, and not to be shown.
    [url.username, url.password] = ['', ''];
    this.server = url.href.replace(/\/+$/, '');
  }

  /**
   * Asks the kubeconfig anew for every request, so that rotated tokens and certificates are followed. Those
   * who ask in one moment share an answer: there may be a program behind it that runs for seconds.
   * @throws ApiUnreachableError when it has no credentials to give
   */
  authorize(): Promise<Authorized> {
    const now = this.#clock.monotonic();
    // A proxy's agent is never shared: requests and watches keep connections of their own.
    if (this.#hasProxy() || this.#asking === null || now - this.#askedAt > SHARED_MS) {
      const asking = this.#ask().finally(() => {
        if (this.#asking === asking) this.#asking = null;
      });
      this.#asking = asking;
      this.#askedAt = now;
      return asking;
    }
    return this.#asking;
  }

  async #ask(): Promise<Authorized> {
    const options: RequestOptions = {};
    try {
      await this.#config.applyToHTTPSOptions(options);
    } catch (error) {
      // Not handed on as a cause: the words of an exec plugin may carry anything.
      const message = `the kubeconfig gives no credentials for ${this.server}: ${scrub(wordsOf(error))}`;
      throw new ApiUnreachableError(message, this.server, { retryable: false });
    }
    const { agent, headers, ...rest } = options;
    return {
      options: { ...rest, headers: trimmed(headers) },
      proxyAgent: this.#hasProxy() && typeof agent === 'object' ? agent : null,
    };
  }

  #hasProxy(): boolean {
    return (this.#config.getCurrentCluster()?.proxyUrl ?? '') !== '';
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
