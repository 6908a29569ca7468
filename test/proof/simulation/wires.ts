// The wire port of the library, over whatever network moves its requests on.
import type {
  ExchangeRequest,
  ExchangeResult,
  HttpWire,
  StreamRequest,
  StreamResult,
  WireRequest,
} from '../../../src/lease/kube/http-wire.js';

/** The wire that a request is put on. */
export interface Line {
  /** The whole request leaves. */
  send(body: string | undefined, wire: Wire): void;
  /** The client gave it up. */
  drop(): void;
}

/** What the sender of a request learns. */
interface Sender {
  begun(status: number, headers: Readonly<Record<string, string>>): void;
  chunk(text: string): void;
  ended(): void;
  broken(error: Error): void;
}

/** One request as the network moves it on. */
export class Wire {
  readonly isReused: boolean;
  readonly #line: Line;
  readonly #sender: Sender;
  #mayHaveLeft: boolean;
  #isDone = false;

  constructor(line: Line, isReused: boolean, sender: Sender) {
    this.#line = line;
    this.isReused = isReused;
    this.#mayHaveLeft = isReused;
    this.#sender = sender;
  }

  /** Whether a byte of it may have reached the server. */
  get mayHaveLeft(): boolean {
    return this.#mayHaveLeft;
  }

  send(body?: string): void {
    this.#line.send(body, this);
  }

  /** The sender gives it up. */
  drop(error: Error): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#line.drop();
    queueMicrotask(() => this.#sender.broken(error));
  }

  connected(): void {
    if (!this.#isDone) this.#mayHaveLeft = true;
  }

  broken(error: Error): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#sender.broken(error);
  }

  begin(status: number, headers: Readonly<Record<string, string>>): void {
    if (!this.#isDone) this.#sender.begun(status, headers);
  }

  data(text: string): void {
    if (!this.#isDone) this.#sender.chunk(text);
  }

  finish(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#sender.ended();
  }
}

/** One request and its whole answer. */
export function exchangeOver(
  line: Line,
  isReused: boolean,
  request: Pick<ExchangeRequest, 'body' | 'signal' | 'onFree'>,
): Promise<ExchangeResult> {
  return new Promise((resolve) => {
    const answer = { status: 0, headers: {}, body: '' };
    const end = (result: ExchangeResult): void => {
      resolve(result);
      request.onFree();
    };
    const wire = new Wire(line, isReused, {
      begun: (status, headers) => Object.assign(answer, { status, headers }),
      chunk: (text) => (answer.body += text),
      ended: () => end({ kind: 'answered', ...answer }),
      broken: (error) =>
        end({ kind: 'broken', error, mayHaveLeft: wire.mayHaveLeft, wasIdle: isReused }),
    });
    dropOnAbort(wire, request);
    wire.send(request.body);
  });
}

/** @param openLine the line of each request, by its method and its path */
export function wireOver(
  openLine: (method: string, path: string) => { readonly line: Line; readonly isReused: boolean },
): HttpWire {
  return {
    exchange(request: ExchangeRequest): Promise<ExchangeResult> {
      const { line, isReused } = openLine(request.method, request.path);
      return exchangeOver(line, isReused, request);
    },
    stream(request: StreamRequest): Promise<StreamResult> {
      const { line, isReused } = openLine(request.method, request.path);
      const { sink } = request;
      return new Promise((resolve) => {
        const answer = { status: 0, headers: {}, body: '' };
        const wire = new Wire(line, isReused, {
          begun: (status, headers) => {
            Object.assign(answer, { status, headers });
            sink.begun(status);
          },
          chunk: (text) => {
            if (answer.status === 200) sink.chunk(Buffer.from(text));
            else answer.body += text;
          },
          ended: () =>
            resolve(answer.status === 200 ? { kind: 'ended' } : { kind: 'refused', ...answer }),
          broken: (error) => resolve({ kind: 'broken', error }),
        });
        dropOnAbort(wire, request);
        wire.send();
      });
    },
  };
}

function dropOnAbort(wire: Wire, { signal }: Pick<WireRequest, 'signal'>): void {
  signal.addEventListener('abort', () => wire.drop(signal.reason as Error), { once: true });
}

export function networkError(code: string): Error {
  return Object.assign(new Error(`simulated ${code}`), { code });
}
