// A store that a leader writes to, over HTTP as stores are. It remembers the greatest fencing token it has
// seen and refuses smaller ones: that is all that it takes.
import { createServer, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import type { AddressInfo } from 'node:net';
import type { Answer } from './messages.js';

export class GuardedStore {
  readonly #isUnguarded: boolean;
  readonly #http: Server;
  #greatest = 0n;

  private constructor(isUnguarded: boolean) {
    this.#isUnguarded = isUnguarded;
    this.#http = createServer((request, response) => {
      text(request)
        .then((body) => {
          const { fencingToken } = JSON.parse(body) as { fencingToken: string };
          const { isAccepted, greatest } = this.write(BigInt(fencingToken));
          response.writeHead(isAccepted ? 200 : 409);
          response.end(JSON.stringify({ greatest: String(greatest) }));
        })
        .catch(() => response.destroy());
    });
    // Also for a client that was paused.
    this.#http.keepAliveTimeout = 0;
  }

  static async open(isUnguarded: boolean): Promise<GuardedStore> {
    const store = new GuardedStore(isUnguarded);
    await new Promise<void>((resolve, reject) => {
      store.#http.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    return store;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}/`;
  }

  write(token: bigint): Answer {
    const isAccepted = token >= this.#greatest || this.#isUnguarded;
    if (token > this.#greatest) this.#greatest = token;
    return { isAccepted, token, greatest: this.#greatest };
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#http.close(() => resolve());
      this.#http.closeAllConnections();
    });
  }
}

/** The way of a leader to the store. A token is a bigint: in JSON it travels as a string. */
export async function write(url: string, by: string, fencingToken: bigint): Promise<Answer> {
  const body = JSON.stringify({ by, fencingToken: String(fencingToken) });
  const response = await fetch(url, { method: 'PUT', body });
  const { greatest } = (await response.json()) as { greatest: string };
  return { isAccepted: response.ok, token: fencingToken, greatest: BigInt(greatest) };
}
