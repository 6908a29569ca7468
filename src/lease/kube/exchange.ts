import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

export type Exchanged =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly headers: IncomingHttpHeaders;
      readonly body: string;
    }
  | {
      readonly kind: 'broken';
      readonly error: NodeJS.ErrnoException;
      /** Whether a byte of the request may have reached the server. */
      readonly mayHaveLeft: boolean;
      /** The connection had been idle: the server may just have closed it, which is no sign of trouble. */
      readonly wasIdle: boolean;
    };

/** No Lease is larger: etcd takes 1.5 MiB. */
const BODY_LIMIT_BYTES = 4 * 2 ** 20;

/** Who answers before he has read the whole request has so long to read the rest. */
const UNREAD_LIMIT_MS = 1_000;

/**
 * Sends the request and collects the answer. Never rejects; {@link breakOff} ends it early.
 *
 * @param onFree called once, when the connection can serve another request or is gone: that may be a little after
 * the answer, which can be here before the request is known to be written
 */
export function exchange(
  request: ClientRequest,
  body: string | undefined,
  onFree: () => void,
): Promise<Exchanged> {
  return new Promise((resolve) => {
    let mayHaveLeft = false;
    request.once('socket', (socket: Socket) => {
      // Whether the process lives is decided above us.
      socket.unref();
      whenUsable(socket, request.reusedSocket, () => (mayHaveLeft = true));
    });
    const broken = (error: NodeJS.ErrnoException): void =>
      resolve({ kind: 'broken', error, mayHaveLeft, wasIdle: request.reusedSocket });
    request.on('error', broken);
    request.once('close', () => {
      broken(new Error('the connection was closed without an answer'));
      onFree();
    });
    request.once('response', (response) => {
      response.on('error', broken);
      collect(response, request, (text) => {
        const { statusCode: status = 0, headers } = response;
        resolve({ kind: 'answered', status, headers, body: text });
        const unread = setTimeout(() => request.destroy(), UNREAD_LIMIT_MS).unref();
        request.once('close', () => clearTimeout(unread));
      });
    });
    request.end(body);
  });
}

/**
 * Ends a request early, also one that its agent has no connection for: of such a one Node.js tells nothing, and
 * behind a proxy that does not answer it may never get one.
 */
export function breakOff(request: ClientRequest, error: Error): void {
  request.destroy(error);
  if (request.socket !== null) return;
  request.emit('error', error);
  request.emit('close');
}

/** Data written before the handshake is done waits for it, and dies with the socket if it fails. */
function whenUsable(socket: Socket, isReused: boolean, usable: () => void): void {
  const { secureConnecting } = socket as Socket & { readonly secureConnecting?: boolean };
  if (isReused || (!socket.connecting && secureConnecting !== true)) usable();
  else socket.once(secureConnecting === true ? 'secureConnect' : 'connect', usable);
}

/** Hands the whole body over, once; an overlong one breaks the request instead. */
export function collect(
  response: IncomingMessage,
  request: ClientRequest,
  done: (text: string) => void,
): void {
  const chunks: Buffer[] = [];
  let size = 0;
  response.on('data', (chunk: Buffer) => {
    size += chunk.length;
    chunks.push(chunk);
    if (size > BODY_LIMIT_BYTES) request.destroy(new Error(`an answer of more than ${size} bytes`));
  });
  response.once('end', () => done(Buffer.concat(chunks).toString('utf8')));
}

/** The pause that the server asks for, `null` when it asks for none. */
export function retryAfterMs(headers: IncomingHttpHeaders): number | null {
  const value = headers['retry-after'];
  if (value === undefined) return null;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? null : Math.max(0, ms);
}
