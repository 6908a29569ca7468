import type { RequestOptions } from 'node:https';
import { ApiUnreachableError } from '../../errors.js';
import type { Clock } from '../clock.js';
import type { Authorized } from './authorized.js';
import type { KubeConfigLike } from './config.js';
import { Credentials } from './credentials.js';
import { lifetimeOf } from './lifetime.js';
import { scrub, wordsOf } from './words.js';

export type { Authorized } from './authorized.js';

/** What requests and watches need of an API server. */
export type Door = Pick<Endpoint, 'server' | 'authorize' | 'refused'>;

/** One API server and the credentials for it. Shared by requests and watches. */
export class Endpoint {
  /** As the kubeconfig has it, without a trailing slash. */
  readonly server: string;
  readonly #config: KubeConfigLike;
  readonly #clock: Clock;
  readonly #credentials = new Map<object, Credentials>();

  constructor(config: KubeConfigLike, server: string, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    const url = new URL(server.replace(/\/+$/, ''));
    // Not sent as credentials, and not to be shown.
    [url.username, url.password] = ['', ''];
    this.server = url.href.replace(/\/+$/, '');
  }

  /**
   * Credentials for what leaves now.
   * @param asker behind a proxy, what asks for one gets an agent of its own: the connections of watches carry no requests
   * @throws ApiUnreachableError when the kubeconfig has none to give; the reason of the signal
   */
  authorize(asker: object, signal: AbortSignal): Promise<Authorized> {
    const key = this.#hasProxy() ? asker : this;
    let credentials = this.#credentials.get(key);
    if (credentials === undefined) {
      credentials = new Credentials({
        ask: () => this.#ask(),
        lifetimeOf: (answer) => lifetimeOf(this.#config, answer),
        clock: this.#clock,
      });
      this.#credentials.set(key, credentials);
    }
    return credentials.authorize(signal);
  }

  /** The server answered 401 to a request with these. */
  refused(authorized: Authorized): void {
    for (const credentials of this.#credentials.values()) credentials.refused(authorized);
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
