/** Open watches: what each one is owed, and the means to disturb them. */
import { fits } from './requests.js';
import type { RequestInfo, RequestMatch } from './requests.js';
import type { Selection } from './selector.js';
import type { Responder } from './responder.js';
import * as status from './status.js';
import type { WatchOptions } from './options.js';
import type { Store, StoreEvent } from './store.js';
import type { Timers } from './timers.js';
import { API_VERSION } from './types.js';
import type { LeaseObject } from './types.js';

type Frame = { readonly line: string } | 'end';

/** One open watch. Everything it sends goes through one queue, so that holding it back keeps the order. */
export class Watch {
  readonly request: RequestInfo;
  readonly #responder: Responder;
  readonly #selection: Selection;
  readonly #holds = new Set<object>();
  readonly #timers: Timers;
  /** What calls its own timers off. */
  readonly #cancels: (() => void)[] = [];
  #isOver = false;
  #held: Frame[] = [];
  #lastSent: bigint;
  #stop: () => void = () => undefined;

  constructor(request: RequestInfo, responder: Responder, selection: Selection, timers: Timers) {
    this.request = request;
    this.#responder = responder;
    this.#timers = timers;
    this.#selection = selection;
    this.#lastSent = 0n;
    responder.onClose(() => this.#dispose());
  }

  /**
   * Sends what the options ask for and stays open. The head must have been sent.
   * @param lag how many changes the state at the start is behind, as that of a cache may be
   */
  start(store: Store, options: WatchOptions, bookmarkIntervalMs: number, lag = 0): void {
    const { version, timeoutMs } = options;
    const error = startError(store, options);
    if (error !== null) {
      this.fail(error);
      return;
    }
    this.#lastSent = version ?? 0n;
    if (options.sendInitialEvents) this.#sendState(store, options, store.latest(lag));
    else for (const event of store.since(version ?? store.version) ?? []) this.offer(event);
    this.#stop = store.subscribe((event) => this.offer(event));
    const sendBookmark = (): void => this.#send('BOOKMARK', bookmark(String(store.version)));
    if (options.allowBookmarks) {
      this.#every(bookmarkIntervalMs, sendBookmark);
      // Shortly before the end, so that the client can continue from there.
      if (timeoutMs > 2_000) this.#after(timeoutMs - 2_000, sendBookmark);
    }
    this.#after(timeoutMs, () => this.#push('end'));
  }

  offer(event: StoreEvent): void {
    const { namespace } = this.request;
    if (event.version <= this.#lastSent) return;
    if (namespace !== '' && namespace !== event.object.metadata.namespace) return;
    const { matches } = this.#selection;
    const before = event.previous !== undefined && matches(event.previous);
    const after = event.type !== 'DELETED' && matches(event.object);
    if (after) this.#send(before ? 'MODIFIED' : 'ADDED', event.object);
    else if (before) this.#send('DELETED', lastSeen(event));
  }

  /** Nothing is delivered until every holder has released. */
  hold(holder: object): void {
    this.#holds.add(holder);
  }

  release(holder: object, deliver: 'queued' | 'nothing'): void {
    if (!this.#holds.delete(holder)) return;
    if (deliver === 'nothing') this.#held = this.#held.filter((frame) => frame === 'end');
    if (this.#holds.size > 0) return;
    const frames = this.#held;
    this.#held = [];
    for (const frame of frames) this.#push(frame);
  }

  /** An ERROR event, then a clean end. */
  fail(error: status.StatusError): void {
    this.#send('ERROR', error.status);
    this.#push('end');
  }

  end(): void {
    this.#dispose();
    this.#responder.end();
  }

  reset(): void {
    this.#dispose();
    this.#responder.reset();
  }

  /** The state before the `missed` changes, which then follow. */
  #sendState(store: Store, options: WatchOptions, missed: readonly StoreEvent[]): void {
    const { namespace } = this.request;
    const leases = store.list(namespace === '' ? undefined : namespace);
    for (const lease of missed.length === 0 ? leases : stateBefore(leases, missed)) {
      if (this.#selection.matches(lease)) this.#send('ADDED', lease);
    }
    const [first] = missed;
    this.#lastSent = first === undefined ? store.version : first.version - 1n;
    if (options.allowBookmarks) {
      const end = { 'k8s.io/initial-events-end': 'true' };
      this.#send('BOOKMARK', bookmark(String(this.#lastSent), end));
    }
    for (const event of missed) this.offer(event);
  }

  #send(type: string, object: unknown): void {
    this.#push({ line: `${JSON.stringify({ type, object })}\n` });
  }

  #push(frame: Frame): void {
    if (this.#holds.size > 0) this.#held.push(frame);
    else if (frame === 'end') this.end();
    else this.#responder.write(frame.line);
  }

  #after(ms: number, act: () => void): void {
    if (!this.#isOver) this.#cancels.push(this.#timers.after(ms, act));
  }

  #every(ms: number, act: () => void): void {
    this.#after(ms, () => {
      act();
      this.#every(ms, act);
    });
  }

  #dispose(): void {
    this.#isOver = true;
    this.#stop();
    for (const cancel of this.#cancels.splice(0)) cancel();
    this.#held = [];
  }
}

function startError(store: Store, options: WatchOptions): status.StatusError | null {
  const { version, sendInitialEvents } = options;
  if (version === null) return null;
  if (sendInitialEvents && version > store.version) {
    return status.tooLargeVersion(String(version), String(store.version));
  }
  return !sendInitialEvents && version < store.oldest
    ? status.expired(String(version), String(store.oldest))
    : null;
}

/** The Leases as they were before these changes. */
function stateBefore(
  leases: readonly LeaseObject[],
  changes: readonly StoreEvent[],
): LeaseObject[] {
  const states = new Map(leases.map((lease) => [keyOf(lease), lease]));
  for (const { object, previous } of [...changes].reverse()) {
    if (previous === undefined) states.delete(keyOf(object));
    else states.set(keyOf(object), previous);
  }
  return [...states.values()];
}

function keyOf({ metadata: { namespace, name } }: LeaseObject): string {
  return `${namespace}/${name}`;
}

/** Who loses sight of an object sees it as it was last in sight, under the version of the loss. */
function lastSeen({ object, previous }: StoreEvent): LeaseObject {
  const { metadata, ...rest } = previous ?? object;
  const { resourceVersion } = object.metadata;
  return { ...rest, metadata: { ...metadata, resourceVersion } };
}

function bookmark(resourceVersion: string, annotations?: Record<string, string>): unknown {
  const metadata = { resourceVersion, ...(annotations === undefined ? {} : { annotations }) };
  return { kind: 'Lease', apiVersion: API_VERSION, metadata, spec: {} };
}

/** The watches open now. */
export class Watches {
  readonly #open = new Set<Watch>();

  add(watch: Watch, responder: Responder): void {
    this.#open.add(watch);
    responder.onClose(() => void this.#open.delete(watch));
  }

  select(match: RequestMatch | undefined): Watch[] {
    return [...this.#open].filter((watch) => fits(match, watch.request));
  }
}
