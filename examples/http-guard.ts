// An HTTP service that refuses the late writes of former lock holders, and the side of its caller.
// As a program it shows both: it takes the lock twice and then writes with the first token.
import { createServer } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { LeaseClient, Lock } from '@metaparticle/sync';

const HEADER = 'fencing-token';
const CALL_LIMIT_MS = 5_000;

/** Where documents live. Comparing and writing are one step here, or two writers slip in between. */
export interface DocumentStore {
  /** Stores body and token unless a greater token was seen. Returns the greatest one seen. */
  put(path: string, body: string, fencingToken: bigint): Promise<bigint>;
}

/**
 * For one process that may forget. What must outlive a restart, or has several replicas, is kept in a
 * database together with its token: see postgres/guard.ts.
 */
export class MemoryStore implements DocumentStore {
  readonly documents = new Map<string, { readonly body: string; readonly fencingToken: bigint }>();

  put(path: string, body: string, fencingToken: bigint): Promise<bigint> {
    const highest = this.documents.get(path)?.fencingToken ?? 0n;
    // An equal one is the same holder: it may write often, and repeat what got no answer.
    if (fencingToken < highest) return Promise.resolve(highest);
    this.documents.set(path, { body, fencingToken });
    return Promise.resolve(fencingToken);
  }
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** 204 written, 412 refused with the greatest token seen, 428 and 400 without a usable token. */
async function put(store: DocumentStore, request: IncomingMessage): Promise<Answer> {
  if (request.method !== 'PUT') return { status: 405 };
  const given = request.headers[HEADER];
  if (given === undefined) return { status: 428 };
  if (typeof given !== 'string' || !/^\d{1,19}$/.test(given)) return { status: 400 };
  const token = BigInt(given);
  // First the whole body, then the comparison: while a body arrives, another holder may write.
  const body = await text(request);
  const highest = await store.put(request.url ?? '/', body, token);
  return { status: highest > token ? 412 : 204, headers: { [HEADER]: String(highest) } };
}

export function createService(store: DocumentStore): Server {
  return createServer((request, response) => {
    put(store, request)
      // A request that broke off, or a store that failed: nothing was written as far as we know.
      .catch((): Answer => ({ status: 500 }))
      .then(({ status, headers }) => response.writeHead(status, headers).end())
      .catch(() => response.destroy());
  });
}

/** The lock belongs to somebody else by now: end the work, a repetition cannot succeed. */
export class StaleTokenError extends Error {
  override readonly name = 'StaleTokenError';

  constructor(fencingToken: bigint, highest: string) {
    super(`token ${fencingToken} was refused: the service has seen ${highest}`);
  }
}

/** The caller's side: the token goes along, and the signal of the lock ends the call. */
export async function putDocument(
  url: string,
  body: string,
  { fencingToken, signal }: { readonly fencingToken: bigint; readonly signal: AbortSignal },
): Promise<void> {
  const response = await fetch(url, {
    method: 'PUT',
    headers: { [HEADER]: String(fencingToken) },
    body,
    signal: AbortSignal.any([signal, AbortSignal.timeout(CALL_LIMIT_MS)]),
  });
  // Read to its end, so that the connection can be used again.
  await response.text();
  if (response.status === 412) {
    throw new StaleTokenError(fencingToken, response.headers.get(HEADER) ?? 'a greater one');
  }
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
}

async function main(): Promise<void> {
  const service = createService(new MemoryStore()).listen(0, '127.0.0.1');
  await new Promise((resolve) => service.once('listening', resolve));
  const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}/report`;
  await using client = new LeaseClient();
  const lock = new Lock('http-guard', { client });
  try {
    const former = await lock.withLock((held) => held);
    await lock.withLock((held) => putDocument(url, 'by the holder', held));
    console.log('the holder has written');
    await putDocument(url, 'too late', former);
  } catch (error) {
    if (!(error instanceof StaleTokenError)) throw error;
    console.log(error.message);
  } finally {
    service.close();
    service.closeAllConnections();
  }
}

// Only as a program, not where it is imported.
if (process.argv[1] === import.meta.filename) await main();
