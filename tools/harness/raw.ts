// The API as it is: JSON over kept-alive connections, nothing interpreted, nothing retried.
import * as http from 'node:http';
import * as https from 'node:https';
import { createInterface } from 'node:readline';

/** Any JSON object. */
export type Json = Record<string, unknown>;

/** `metadata` as tests read it; nothing checks that the answer has it so. */
export interface Metadata {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly managedFields?: readonly ManagedFields[];
  readonly [field: string]: unknown;
}

export interface ManagedFields {
  readonly manager: string;
  readonly time: string;
  readonly fieldsV1: Readonly<Record<string, Json | undefined>>;
  readonly [field: string]: unknown;
}

/** An answer of the API as tests read it: an object, a list or a Status. Nothing checks that. */
export interface ApiObject {
  readonly metadata: Metadata;
  readonly spec?: Json;
  readonly items?: readonly ApiObject[];
  readonly message?: string;
  readonly details?: Json;
  readonly [field: string]: unknown;
}

export interface RawResponse {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: ApiObject;
}

export interface WatchEvent {
  readonly type: string;
  readonly object: ApiObject;
}

/** Where requests go, and what proves who sends them. */
export interface RawTarget {
  readonly server: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly tls?: https.AgentOptions;
}

/** Sends requests as they are given. Close it: it keeps connections. */
export class RawClient {
  readonly #target: RawTarget;
  readonly #agent: http.Agent;
  readonly #watches = new Set<RawWatch>();

  constructor(target: RawTarget) {
    this.#target = target;
    this.#agent = target.server.startsWith('https:')
      ? new https.Agent({ keepAlive: true, ...target.tls })
      : new http.Agent({ keepAlive: true });
  }

  /**
   * One request and its whole answer. A body that is no string goes out as JSON. An empty answer
   * counts as `{}`, one that is no JSON as `{ text }`. Rejects when the connection fails.
   */
  async request(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<RawResponse> {
    const response = await this.#send(method, path, body, headers);
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += String(chunk);
    return { status: response.statusCode ?? 0, headers: response.headers, body: parse(text) };
  }

  /** Opens a watch and resolves with the head of the answer. `path` has the whole query. */
  async watch(path: string): Promise<RawWatch> {
    const watch = new RawWatch(await this.#send('GET', path, undefined, {}));
    this.#watches.add(watch);
    return watch;
  }

  close(): void {
    for (const watch of this.#watches) watch.close();
    this.#agent.destroy();
  }

  #send(
    method: string,
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>>,
  ): Promise<http.IncomingMessage> {
    const { server } = this.#target;
    const { request } = server.startsWith('https:') ? https : http;
    const payload = typeof body === 'string' ? body : JSON.stringify(body ?? '');
    const all = {
      accept: 'application/json',
      ...(body === undefined ? {} : framing(payload)),
      ...this.#target.headers,
      ...headers,
    };
    return new Promise((resolve, reject) => {
      const outgoing = request(server + path, { method, headers: all, agent: this.#agent });
      outgoing.once('response', resolve).once('error', reject);
      outgoing.end(body === undefined ? undefined : payload);
    });
  }
}

/** An open watch. Its events are kept until they are asked for. */
export class RawWatch {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly #response: http.IncomingMessage;
  readonly #lines: (WatchEvent | 'end')[] = [];
  #wake: (() => void) | undefined;

  constructor(response: http.IncomingMessage) {
    this.status = response.statusCode ?? 0;
    this.headers = response.headers;
    this.#response = response;
    const lines = createInterface({ input: response });
    lines.on('line', (line) => {
      const event = parse(line);
      // Half a line is what a broken connection leaves: no event.
      if (!('text' in event)) this.#push(event as unknown as WatchEvent);
    });
    lines.once('close', () => this.#push('end'));
    // A broken connection is an end like any other.
    lines.on('error', () => undefined);
    response.on('error', () => undefined).once('close', () => lines.close());
  }

  /** The next event, `end` after the last one, or `silent` when none comes in time. */
  async next(withinMs = 30_000): Promise<WatchEvent | 'end' | 'silent'> {
    if (this.#lines.length === 0) await this.#arrival(withinMs);
    const line = this.#lines[0] ?? 'silent';
    if (line !== 'end') this.#lines.shift();
    return line;
  }

  close(): void {
    this.#response.destroy();
  }

  #push(line: WatchEvent | 'end'): void {
    this.#lines.push(line);
    this.#wake?.();
  }

  async #arrival(withinMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }
}

/** As `request`, for what only prepares a test: rejects unless the answer is a success. */
export async function must(
  client: RawClient,
  method: string,
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
): Promise<ApiObject> {
  const response = await client.request(method, path, body, headers);
  if (response.status >= 300) {
    throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(response.body)}`);
  }
  return response.body;
}

/** Node frames the body of a DELETE only when it is told the length: without, it is no body. */
function framing(payload: string): Record<string, string> {
  return {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(payload)),
  };
}

function parse(text: string): ApiObject {
  if (text === '') return {} as ApiObject;
  try {
    return JSON.parse(text) as ApiObject;
  } catch {
    return { text } as unknown as ApiObject;
  }
}
