// One network after the other for the suite of the wire port: real sockets, the model's wire in memory, and the
// scripted wire of these tests. The same server stands behind each.
import type { AddressInfo } from 'node:net';
import type { HttpWire } from '../../../../src/lease/kube/http-wire.js';
import { NodeWire } from '../../../../src/lease/kube/node-wire.js';
import { ManualClock } from '../../../../src/testing/clock.js';
import { httpServer } from '../../../../src/testing/http-server.js';
import { MemoryWire } from '../../../../src/testing/memory.js';
import type { Headers, Incoming, Responder } from '../../../../src/testing/responder.js';
import { ScriptedWire } from './scripted-wire.js';
import type { ScriptedExchange, ScriptedStream } from './scripted-wire.js';

export type Serve = (incoming: Incoming, responder: Responder) => void;

export interface WireBed {
  readonly wire: HttpWire;
  /** From now on nothing listens. */
  stopListening(): Promise<void>;
  close(): Promise<void>;
}

/** @param serve answers each request */
export type OpenBed = (serve: Serve) => Promise<WireBed>;

async function overSockets(serve: Serve): Promise<WireBed> {
  const server = httpServer((incoming, responder) => {
    serve(incoming, responder);
    return Promise.resolve();
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = (): Promise<void> => {
    const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
    server.closeAllConnections();
    return closed;
  };
  const wire = new NodeWire(`http://127.0.0.1:${port}`, new ManualClock());
  return { wire, stopListening: close, close };
}

function inMemory(serve: Serve): Promise<WireBed> {
  const wire = new MemoryWire(serve);
  const close = (): Promise<void> => {
    wire.close();
    return Promise.resolve();
  };
  return Promise.resolve({ wire, stopListening: close, close });
}

function scripted(serve: Serve): Promise<WireBed> {
  const wire = new ScriptedWire(new ManualClock());
  wire.onExchange = (exchange) => serve(incomingOf(exchange), new ExchangeResponder(exchange));
  wire.onStream = (stream) => serve(incomingOf(stream), new StreamResponder(stream));
  const stopListening = (): Promise<void> => {
    wire.onExchange = (exchange) => exchange.refuse();
    wire.onStream = (stream) => stream.reset('ECONNREFUSED');
    return Promise.resolve();
  };
  return Promise.resolve({ wire, stopListening, close: () => Promise.resolve() });
}

function incomingOf(sent: ScriptedExchange | ScriptedStream): Incoming {
  const { method, path, query, authorization } = sent;
  const url = query.size === 0 ? path : `${path}?${query.toString()}`;
  const body = 'body' in sent ? (sent.body ?? '') : '';
  return { method, url, headers: { authorization }, body };
}

/** An answer part by part, of which the scripted exchange takes the whole. */
class ExchangeResponder implements Responder {
  readonly isGone = false;
  readonly hasBegun = false;
  readonly #exchange: ScriptedExchange;
  #parts: { code: number; headers: Headers; body: string } = { code: 0, headers: {}, body: '' };

  constructor(exchange: ScriptedExchange) {
    this.#exchange = exchange;
  }

  answer(code: number, headers: Headers, body: string): void {
    this.#exchange.answer(code, body, lowered(headers));
  }

  begin(code: number, headers: Headers): void {
    this.#parts = { code, headers, body: '' };
  }

  write(text: string): void {
    this.#parts.body += text;
  }

  end(): void {
    const { code, headers, body } = this.#parts;
    this.answer(code, headers, body);
  }

  destroy(): void {
    this.#exchange.reset();
  }

  reset(): void {
    this.#exchange.reset();
  }

  onClose(callback: () => void): void {
    this.#exchange.onOver(callback);
  }
}

class StreamResponder implements Responder {
  readonly isGone = false;
  readonly hasBegun = false;
  readonly #stream: ScriptedStream;

  constructor(stream: ScriptedStream) {
    this.#stream = stream;
  }

  answer(code: number, headers: Headers, body: string): void {
    this.#stream.refuse(code, body, lowered(headers));
  }

  begin(): void {
    this.#stream.begin();
  }

  write(text: string): void {
    this.#stream.send(text);
  }

  end(): void {
    this.#stream.end();
  }

  destroy(): void {
    this.#stream.reset();
  }

  reset(): void {
    this.#stream.reset();
  }

  onClose(callback: () => void): void {
    this.#stream.onOver(callback);
  }
}

function lowered(headers: Headers): Headers {
  const entries = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  return Object.fromEntries(entries) as Headers;
}

export const beds: readonly (readonly [string, OpenBed])[] = [
  ['over sockets (NodeWire)', overSockets],
  ['in memory (MemoryWire)', inMemory],
  ['scripted (ScriptedWire)', scripted],
];
