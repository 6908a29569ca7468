// What may become of a request on its way to the API server and of the answer on its way back.
import type * as http from 'node:http';
import * as https from 'node:https';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** As much of a request as decides about it. */
export interface RequestHead {
  readonly method: string;
  readonly path: string;
  readonly isWatch: boolean;
  /** May change something. */
  readonly isWrite: boolean;
}

export type RequestFault =
  /** The request is held up on its way there, or the answer on its way back. */
  | { readonly do: 'delay'; readonly ms: () => number; readonly where: 'there' | 'back' }
  /** Never forwarded; the connection breaks. */
  | { readonly do: 'drop' }
  /** Forwarded and answered, but the answer is lost: the connection breaks, or stays silent. */
  | { readonly do: 'swallow'; readonly then: 'break' | 'silence' }
  /** Forwarded after some time, whether or not the client still waits for the answer. */
  | { readonly do: 'commit late'; readonly ms: () => number }
  /** Taken, never forwarded, never answered; the connection stays. */
  | { readonly do: 'silence' }
  /** The answer trickles. */
  | { readonly do: 'throttle'; readonly bytesPerSecond: number };

/** A request that a proxy took, and how to send it on. */
export interface Relay {
  readonly request: http.IncomingMessage;
  readonly response: http.ServerResponse;
  readonly body: Buffer;
  readonly upstream: string;
  readonly agent: https.Agent;
  /** Nothing may be written to this connection any more, though it is open. */
  readonly isDead: () => boolean;
  /** The next part of the answer waits for this. */
  readonly flow: () => Promise<void>;
}

/** Settles when the proxy is through with it; never rejects. */
export async function applyFault(relay: Relay, fault: RequestFault | undefined): Promise<void> {
  const { request } = relay;
  try {
    switch (fault?.do) {
      case 'drop':
        request.socket.destroy();
        return;
      case 'silence':
        return;
      case 'swallow':
        await answered(await forward(relay, false));
        if (fault.then === 'break') request.socket.destroy();
        return;
      case 'commit late':
        await sleep(fault.ms());
        await deliver(relay, await forward(relay, false));
        return;
      case 'delay':
        if (fault.where === 'there') await sleep(fault.ms());
        await deliver(relay, await forward(relay, true), fault);
        return;
      default:
        await deliver(relay, await forward(relay, true), fault);
    }
  } catch {
    // The API server does not answer, or the connection broke: for the client it is the same.
    if (!relay.isDead()) request.socket.destroy();
  }
}

function forward(relay: Relay, isTiedToClient: boolean): Promise<http.IncomingMessage> {
  const { request, body, upstream, agent } = relay;
  const { method, url = '/', headers } = request;
  return new Promise((resolve, reject) => {
    const outgoing = https.request(upstream + url, { method, headers, agent });
    outgoing.once('response', resolve).once('error', reject);
    if (isTiedToClient) {
      const client: Duplex = request.socket;
      const abandon = (): void => void outgoing.destroy();
      client.once('close', abandon);
      outgoing.once('close', () => client.off('close', abandon));
    }
    outgoing.end(body);
  });
}

async function answered(incoming: http.IncomingMessage): Promise<void> {
  for await (const _ of incoming);
}

async function deliver(
  relay: Relay,
  incoming: http.IncomingMessage,
  fault?: RequestFault,
): Promise<void> {
  const { response, isDead, flow } = relay;
  if (fault?.do === 'delay' && fault.where === 'back') await sleep(fault.ms());
  if (isDead()) return;
  response.writeHead(incoming.statusCode ?? 502, incoming.headers);
  response.flushHeaders();
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    await flow();
    if (fault?.do === 'throttle') await sleep((chunk.length / fault.bytesPerSecond) * 1000);
    if (isDead() || response.destroyed) return;
    response.write(chunk);
  }
  if (!isDead()) response.end();
}
