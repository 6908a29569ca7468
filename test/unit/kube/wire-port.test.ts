// The wire port, as src/lease/kube/http-wire.ts describes it, on each of its adapters: the tests of everything above it
// run on the last two, and are worth what these have in common with sockets.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type {
  ExchangeRequest,
  ExchangeResult,
  StreamRequest,
  StreamResult,
} from '../../../src/lease/kube/http-wire.js';
import type { Incoming, Responder } from '../../../src/testing/responder.js';
import { deferred } from './support/deferred.js';
import type { Deferred } from './support/deferred.js';
import { beds } from './support/wire-beds.js';
import type { WireBed } from './support/wire-beds.js';

const HEADERS = { 'X-Thing': 'a', 'Content-Type': 'application/json' };
const authorized = {
  options: { headers: { Authorization: 'Bearer secret' } },
  proxyAgent: null,
} as const;

/** A request that the test sent, and what it learns of it. */
interface Sent<T> {
  readonly result: Promise<T>;
  readonly abort: (reason: Error) => void;
}

describe.each(beds)('the wire %s', (_name, openBed) => {
  let bed: WireBed;
  let connections: AbortController;
  let serve: (incoming: Incoming, responder: Responder) => void;
  let served: Incoming[];
  let arrived: Deferred<Responder>;
  let frees: number;
  let free: Deferred<void>;

  beforeEach(async () => {
    serve = (_incoming, responder) => responder.answer(200, HEADERS, '{}');
    served = [];
    frees = 0;
    arrived = deferred();
    connections = new AbortController();
    bed = await openBed((incoming, responder) => {
      served.push(incoming);
      serve(incoming, responder);
      arrived.resolve(responder);
    });
  });

  afterEach(async () => {
    connections.abort();
    await bed.close();
  });

  const hang = (): void => undefined;

  function exchange(
    over: Partial<Pick<ExchangeRequest, 'method' | 'path' | 'body' | 'connections'>> = {},
  ): Sent<ExchangeResult> {
    const abort = new AbortController();
    free = deferred();
    const { resolve } = free;
    const onFree = (): void => {
      frees++;
      resolve();
    };
    const result = bed.wire.exchange({
      ...{ method: 'GET', path: '/a', authorized, connections: connections.signal },
      ...{ signal: abort.signal, onFree, ...over },
    });
    return { result, abort: (reason) => abort.abort(reason) };
  }

  /** Sends a request and waits until its connection serves the next one. */
  async function exchangeAndFree(over?: Parameters<typeof exchange>[0]): Promise<ExchangeResult> {
    const { result } = exchange(over);
    const [outcome] = await Promise.all([result, free.promise]);
    return outcome;
  }

  describe('exchanges', () => {
    it('a request for an answer', async () => {
      serve = (_incoming, responder) => responder.answer(404, HEADERS, '{"ä":"€"}');
      const body = '{"ö":1}';
      const result = await exchangeAndFree({ method: 'PUT', path: '/a/b?c=d', body });
      expect(served).toMatchObject([
        { method: 'PUT', url: '/a/b?c=d', body, headers: { authorization: 'Bearer secret' } },
      ]);
      expect(result).toMatchObject({
        ...{ kind: 'answered', status: 404, body: '{"ä":"€"}' },
        headers: { 'x-thing': 'a', 'content-type': 'application/json' },
      });
      expect(frees).toBe(1);
    });

    it('a request for an answer that comes in parts', async () => {
      serve = (_incoming, responder) => {
        responder.begin(200, HEADERS);
        responder.write('one,');
        responder.write('two');
        responder.end();
      };
      expect(await exchangeAndFree()).toMatchObject({ kind: 'answered', body: 'one,two' });
    });

    it('a request that nothing listens for: refused, nothing left', async () => {
      await bed.stopListening();
      expect(await exchangeAndFree()).toMatchObject({
        ...{ kind: 'broken', mayHaveLeft: false, wasIdle: false },
        error: { code: 'ECONNREFUSED' },
      });
      expect([served.length, frees]).toEqual([0, 1]);
    });

    it.each(['destroy', 'reset'] as const)(
      'a request whose connection the server ends (%s): it may have left',
      async (how) => {
        serve = (_incoming, responder) => responder[how]();
        expect(await exchangeAndFree()).toMatchObject({
          ...{ kind: 'broken', mayHaveLeft: true, wasIdle: false },
          error: { code: 'ECONNRESET' },
        });
        expect([served.length, frees]).toEqual([1, 1]);
      },
    );

    it('a request whose answer breaks off: no answer', async () => {
      serve = (_incoming, responder) => {
        responder.begin(200, HEADERS);
        responder.write('{');
        responder.reset();
      };
      expect(await exchangeAndFree()).toMatchObject({ kind: 'broken', mayHaveLeft: true });
      expect(frees).toBe(1);
    });
  });

  describe('connections', () => {
    const breakNext = (): void => {
      serve = (_incoming, responder) => responder.reset();
    };

    it('serve the next request of their group, which then was on an idle one', async () => {
      await exchangeAndFree();
      breakNext();
      expect(await exchangeAndFree()).toMatchObject({ mayHaveLeft: true, wasIdle: true });
    });

    it('that broke serve no other request', async () => {
      breakNext();
      await exchangeAndFree();
      expect(await exchangeAndFree()).toMatchObject({ wasIdle: false });
    });

    it('of one group serve no request of another', async () => {
      await exchangeAndFree();
      breakNext();
      const other = new AbortController();
      const result = await exchangeAndFree({ connections: other.signal });
      expect(result).toMatchObject({ kind: 'broken', wasIdle: false });
      other.abort();
    });

    it('of a group that is given up: what is under way is answered, and frees its place once', async () => {
      serve = hang;
      const { result } = exchange();
      const responder = await arrived.promise;
      connections.abort();
      responder.answer(200, HEADERS, '{}');
      expect(await result).toMatchObject({ kind: 'answered', status: 200 });
      await free.promise;
      expect(frees).toBe(1);
    });
  });

  describe('an exchange that is aborted', () => {
    const reason = new Error('no answer in time');

    it('while the server is silent: broken with the reason, and the server learns of it', async () => {
      serve = hang;
      const { result, abort } = exchange();
      const responder = await arrived.promise;
      const closed = deferred();
      responder.onClose(() => closed.resolve());
      abort(reason);
      const outcome = await result;
      expect(outcome).toMatchObject({ kind: 'broken', mayHaveLeft: true });
      expect(outcome.kind === 'broken' && outcome.error).toBe(reason);
      await Promise.all([closed.promise, free.promise]);
      expect(frees).toBe(1);
    });

    it('at once: broken with the reason, and nothing left', async () => {
      const { result, abort } = exchange();
      abort(reason);
      const outcome = await result;
      await free.promise;
      expect(outcome).toMatchObject({ kind: 'broken', mayHaveLeft: false, wasIdle: false });
      expect(outcome.kind === 'broken' && outcome.error).toBe(reason);
      await exchangeAndFree({ path: '/next' });
      expect(served.map(({ url }) => url)).toEqual(['/next']);
      expect(frees).toBe(2);
    });

    it('after the answer: stays answered, and its connection serves the next request', async () => {
      const { result, abort } = exchange();
      await Promise.all([result, free.promise]);
      abort(reason);
      expect(await result).toMatchObject({ kind: 'answered' });
      serve = (_incoming, responder) => responder.reset();
      expect(await exchangeAndFree()).toMatchObject({ wasIdle: true });
      expect(frees).toBe(2);
    });
  });

  describe('streams', () => {
    let told: string[];
    let begun: Deferred<void>;
    let chunk: Deferred<void>;

    beforeEach(() => {
      told = [];
      begun = deferred();
    });

    function stream(over: Partial<Pick<StreamRequest, 'path'>> = {}): Sent<StreamResult> {
      const abort = new AbortController();
      chunk = deferred();
      const result = bed.wire.stream({
        ...{ method: 'GET', path: '/a?watch=true', authorized, signal: abort.signal, ...over },
        sink: {
          begun: (status) => {
            told.push(`${status}`);
            begun.resolve();
          },
          chunk: (part) => {
            expect(part).toBeInstanceOf(Buffer);
            told.push(part.toString());
            chunk.resolve();
          },
        },
      });
      return { result, abort: (reason) => abort.abort(reason) };
    }

    /** Opens one that says `first` and goes on. */
    async function openStream(): Promise<Sent<StreamResult> & { readonly responder: Responder }> {
      serve = (_incoming, responder) => {
        responder.begin(200, HEADERS);
        responder.write('first');
      };
      const sent = stream();
      const responder = await arrived.promise;
      await chunk.promise;
      expect(told).toEqual(['200', 'first']);
      chunk = deferred();
      return { ...sent, responder };
    }

    it('tell of the beginning before anything was said', async () => {
      serve = (_incoming, responder) => responder.begin(200, HEADERS);
      const { result, abort } = stream();
      await begun.promise;
      expect(told).toEqual(['200']);
      expect(served).toMatchObject([
        { method: 'GET', url: '/a?watch=true', headers: { authorization: 'Bearer secret' } },
      ]);
      abort(new Error('enough'));
      await result;
    });

    it('hand over each part as it comes, and end in good order', async () => {
      const { result, responder } = await openStream();
      responder.write('sécond');
      await chunk.promise;
      responder.end();
      expect(await result).toEqual({ kind: 'ended' });
      expect(told).toEqual(['200', 'first', 'sécond']);
    });

    it.each(['destroy', 'reset'] as const)(
      'that the server breaks (%s) are broken',
      async (how) => {
        const { result, responder } = await openStream();
        responder[how]();
        expect(await result).toMatchObject({
          ...{ kind: 'broken', error: { message: expect.any(String) } },
        });
        expect(told).toEqual(['200', 'first']);
      },
    );

    it('that are refused hand over status, headers and body, and no part', async () => {
      serve = (_incoming, responder) => responder.answer(403, HEADERS, '{"reason":"Forbidden"}');
      expect(await stream().result).toMatchObject({
        ...{ kind: 'refused', status: 403, body: '{"reason":"Forbidden"}' },
        headers: { 'x-thing': 'a' },
      });
      expect(told).toEqual(['403']);
    });

    it('that nothing listens for are broken', async () => {
      await bed.stopListening();
      const result = await stream().result;
      expect(result).toMatchObject({ kind: 'broken', error: { code: 'ECONNREFUSED' } });
      expect(told).toEqual([]);
    });

    it('that are aborted are broken with the reason, and the server learns of it', async () => {
      const { result, responder, abort } = await openStream();
      const closed = deferred();
      responder.onClose(() => closed.resolve());
      const reason = new Error('given up');
      abort(reason);
      const outcome = await result;
      expect(outcome.kind === 'broken' && outcome.error).toBe(reason);
      await closed.promise;
      responder.write('too late');
      expect(told).toEqual(['200', 'first']);
    });

    it('that are aborted at once are broken with the reason, and nothing left', async () => {
      const { result, abort } = stream();
      const reason = new Error('given up');
      abort(reason);
      const outcome = await result;
      expect(outcome.kind === 'broken' && outcome.error).toBe(reason);
      await exchangeAndFree({ path: '/next' });
      expect(served.map(({ url }) => url)).toEqual(['/next']);
      expect(told).toEqual([]);
    });

    it('leave the connections of exchanges alone', async () => {
      await exchangeAndFree();
      arrived = deferred();
      const { result, abort } = await openStream();
      serve = (_incoming, responder) => responder.reset();
      expect(await exchangeAndFree()).toMatchObject({ wasIdle: true });
      abort(new Error('enough'));
      await result;
    });
  });
});
