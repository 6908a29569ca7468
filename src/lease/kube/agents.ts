import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Authorized } from './endpoint.js';

interface Kept {
  agent: HttpAgent | null;
  credentials: string;
}

/**
 * The kept-alive connections of requests: one agent for each group of requests that may share them. A group that is
 * given up leaves what is in flight alone, and its idle connections are closed.
 */
export class Agents {
  readonly #isSecure: boolean;
  readonly #groups = new WeakMap<AbortSignal, Kept>();

  constructor(isSecure: boolean) {
    this.#isSecure = isSecure;
  }

  take(group: AbortSignal, authorized: Authorized): HttpAgent {
    const kept = this.#groups.get(group) ?? this.#begin(group);
    if (authorized.proxyAgent !== null) followRotation(kept, authorized);
    kept.agent ??= authorized.proxyAgent ?? this.#create();
    // A proxy's agent comes without it, and would shake hands again for every request.
    (kept.agent as { keepAlive?: boolean }).keepAlive = true;
    return kept.agent;
  }

  #begin(group: AbortSignal): Kept {
    const kept: Kept = { agent: null, credentials: '' };
    this.#groups.set(group, kept);
    group.addEventListener('abort', () => retire(kept), { once: true });
    return kept;
  }

  #create(): HttpAgent {
    // Concurrency is bounded by our queue; a bound here would be a second queue, one without deadlines.
    return this.#isSecure
      ? new HttpsAgent({ keepAlive: true })
      : new HttpAgent({ keepAlive: true });
  }
}

/** Our own agents tell certificates apart by themselves; a proxy's agent keeps those it was made with. */
function followRotation(kept: Kept, { options }: Authorized): void {
  const { ca, cert, key, servername } = options;
  const credentials = [ca, cert, key, servername].map(String).join('\n');
  if (kept.agent !== null && credentials !== kept.credentials) retire(kept);
  kept.credentials = credentials;
}

/**
 * A connection through a proxy begins with a request of the agent's own, CONNECT, whose socket is out of reach until the
 * proxy answers. It ends with the request that it is made for: a proxy that never answers would keep that socket open,
 * and a process alive whose client is closed. The agents of client-node pass `proxyRequestOptions` on to that request.
 * Its agent for SOCKS has no such option, and gives up by itself after 30 s.
 */
export function endTunnelWith(signal: AbortSignal, agent: HttpAgent): void {
  const { proxyRequestOptions } = agent as { proxyRequestOptions?: { signal?: AbortSignal } };
  if (proxyRequestOptions !== undefined) proxyRequestOptions.signal = signal;
}

function retire(kept: Kept): void {
  const { agent } = kept;
  kept.agent = null;
  if (agent === null) return;
  // What is still in flight closes its socket when it is through.
  (agent as { keepAlive?: boolean }).keepAlive = false;
  for (const sockets of Object.values(agent.freeSockets)) {
    for (const socket of sockets ?? []) socket.destroy();
  }
}
