import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Authorized } from './endpoint.js';

/**
 * The kept-alive connections of requests. There is always one current agent; a swap leaves those in flight
 * on the old one to themselves and gives every later request a new connection, because a connection that
 * broke or fell silent says nothing good about its neighbors.
 */
export class AgentPool {
  readonly #isSecure: boolean;
  #agent: HttpAgent | null = null;
  #credentials = '';
  /** Moves with every swap: evidence from an older generation says nothing about the current one. */
  generation = 0;

  constructor(isSecure: boolean) {
    this.#isSecure = isSecure;
  }

  take(authorized: Authorized): HttpAgent {
    if (authorized.proxyAgent !== null) this.#followRotation(authorized);
    this.#agent ??= authorized.proxyAgent ?? this.#create();
    // A proxy's agent comes without it, and would shake hands anew for every request.
    (this.#agent as { keepAlive?: boolean }).keepAlive = true;
    return this.#agent;
  }

  swap(): void {
    this.generation++;
    const agent = this.#agent;
    this.#agent = null;
    if (agent === null) return;
    // What is still in flight closes its socket when it is through.
    (agent as { keepAlive?: boolean }).keepAlive = false;
    for (const sockets of Object.values(agent.freeSockets)) {
      for (const socket of sockets ?? []) socket.destroy();
    }
  }

  #create(): HttpAgent {
    // Concurrency is bounded by our queue; a bound here would be a second queue, one without deadlines.
    return this.#isSecure
      ? new HttpsAgent({ keepAlive: true })
      : new HttpAgent({ keepAlive: true });
  }

  /** Our own agents tell certificates apart by themselves; a proxy's agent keeps those it was made with. */
  #followRotation({ options }: Authorized): void {
    const { ca, cert, key, servername } = options;
    const credentials = [ca, cert, key, servername].map(String).join('\n');
    if (this.#agent !== null && credentials !== this.#credentials) this.swap();
    this.#credentials = credentials;
  }
}
