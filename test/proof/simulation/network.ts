import type { KubeConfigLike } from '../../../src/lease/kube/config.js';
import { MemoryResponder, MemoryWire } from '../../../src/testing/memory.js';
import type { LeaseServerModel } from '../../../src/testing/model.js';
import type { RequestInfo } from '../../../src/testing/requests.js';
import type { Incoming } from '../../../src/testing/responder.js';
import type { Verb } from '../../../src/testing/types.js';
import { breakConnection, CONNECT_MS, Delivery, latency } from './delivery.js';
import type { Surroundings } from './delivery.js';
import type { SimulatedNode } from './node.js';

/** What a process may not do for a while. */
export interface Ban {
  readonly process: string;
  readonly status: 401 | 403;
  readonly verbs: readonly Verb[];
}

/** Requests that fail while others do not: writes of one lease, or all reads. */
export interface Trouble {
  /** `null`: of all processes. */
  readonly process: string | null;
  /** `null`: of all leases. */
  readonly lock: string | null;
  readonly verbs: readonly Verb[];
  /** What they are answered with, `null`: nothing. */
  readonly code: 500 | 429 | null;
}

/** How an open watch ends; a `dead` one stays open and delivers nothing any more. */
export type WatchEnding = 'closed' | 'reset' | 'gone' | 'dead';

/** The process that wrote, and its elapsed time when the request left. */
export interface Writer {
  readonly by: string;
  readonly sentAt: number;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export const NAMESPACE = 'default';
const LEASES = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases`;
/** The library finds the network of its process at the kubeConfig under this key. */
const SIMULATION = Symbol.for('metaparticle.sync.simulation');
const REQUEST_LIMIT_MS = 2_000;
const FAILING_AFTER_COMMIT = 0.4;

export interface NetworkOptions extends Surroundings {
  readonly server: LeaseServerModel;
  /** How far the clocks of the API servers are ahead. Each request meets one of them. */
  readonly wallsAheadMs: readonly number[];
  readonly count: (what: string) => void;
}

/** Everything between the processes and the API server, and the faults on the way. */
export class Network {
  readonly bans = new Set<Ban>();
  readonly troubles = new Set<Trouble>();
  /** Processes whose next question for credentials is not answered yet. */
  readonly #losesCredentials = new Set<string>();
  #lostQuestions: (() => void)[] = [];
  readonly #options: NetworkOptions;
  #writer: Writer = { by: '', sentAt: 0 };

  constructor(options: NetworkOptions) {
    this.#options = options;
    this.#plantServerFaults();
  }

  /** The sender of the request that arrived last: whatever is stored before the next one is its write. */
  get writer(): Writer {
    return this.#writer;
  }

  /** What a process of the library is configured with: its credentials, its clock and its way to the server. */
  kubeConfig(node: SimulatedNode): KubeConfigLike {
    const wire = new MemoryWire((incoming, responder) => this.#send(node, incoming, responder));
    const simulation = { clock: node, random: this.#options.prng.next, wire };
    const kubeConfig = this.#credentials(node);
    const answer = kubeConfig.applyToHTTPSOptions.bind(kubeConfig);
    const applyToHTTPSOptions = async (options: object): Promise<void> => {
      if (this.#losesCredentials.delete(node.name)) {
        this.#options.count('credentials lost');
        await new Promise<void>((resolve) => this.#lostQuestions.push(resolve));
      }
      await answer(options);
    };
    return Object.assign(kubeConfig, { applyToHTTPSOptions, [SIMULATION]: simulation });
  }

  loseCredentials(process: string): void {
    this.#losesCredentials.add(process);
  }

  /** No request fails any more for what it asks or for its sender. */
  clear(): void {
    this.bans.clear();
    this.troubles.clear();
    this.#losesCredentials.clear();
    for (const answer of this.#lostQuestions.splice(0)) answer();
  }

  /** One request of a process that does without the library; `null` when no answer comes in time. */
  request(
    node: SimulatedNode,
    method: string,
    name: string,
    body?: unknown,
  ): Promise<Answer | null> {
    const { token } = this.#credentials(node).getCurrentUser();
    const incoming = {
      method,
      url: method === 'POST' ? LEASES : `${LEASES}/${name}`,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': `application/${method === 'PATCH' ? 'merge-patch+json' : 'json'}`,
        'user-agent': 'rival',
      },
      body: body === undefined ? '' : JSON.stringify(body),
    };
    return new Promise((resolve) => {
      const answer = { status: 0, body: '' };
      const target = new MemoryResponder({
        begun: (status) => (answer.status = status),
        chunk: (text) => (answer.body += text),
        ended: () => resolve(answer),
        broken: () => resolve(null),
      });
      const cancel = node.after(REQUEST_LIMIT_MS, () => target.drop(new Error('given up')));
      target.onClose(cancel);
      this.#send(node, incoming, target);
    });
  }

  /** Something edits the Leases directly. */
  asOutsider(edit: () => void): void {
    this.#writer = { by: 'outsider', sentAt: 0 };
    edit();
  }

  cut(process: string | null, ending: WatchEnding): void {
    const { faults } = this.#options.server;
    const options = process === null ? {} : { match: { user: process } };
    switch (ending) {
      case 'closed':
        return void faults.closeWatches(options);
      case 'reset':
        return void faults.resetWatches(options);
      case 'gone':
        return void faults.expireWatches(options);
      case 'dead':
        return void faults.stallWatch({ ...options, which: 'open' });
    }
  }

  #credentials(node: SimulatedNode) {
    return this.#options.server.kubeConfigFor({ user: node.name, token: node.name });
  }

  #send(node: SimulatedNode, incoming: Incoming, target: MemoryResponder): void {
    const { faults, schedule, prng, count } = this.#options;
    const sentAt = node.elapsed;
    const met = faults.meet(node.name, 'request', prng);
    if (faults.outage === 'refused') {
      count('connection refused');
      target.wasServed = false;
      schedule.in(CONNECT_MS, () => node.receive(() => target.fail('ECONNREFUSED')));
      return;
    }
    if (met?.fault === 'lost') return;
    if (met?.fault === 'reset') {
      breakConnection(node, target, this.#options);
      if (prng.is(0.5)) return;
    }
    const arrive = (): void => {
      // A read that was given up changes nothing.
      if (target.isGone && incoming.method === 'GET') return;
      this.#writer = { by: node.id, sentAt };
      void this.#options.server.serve(incoming, new Delivery(node, target, this.#options));
    };
    const delay = CONNECT_MS + latency(prng, met?.fault === 'delayed' ? met.ms : 0, node);
    schedule.in(delay, () => {
      // One arrival is one event, so that what the server stores has one writer.
      if (faults.outage === 'frozen') faults.whenResumed(() => void schedule.in(0, arrive));
      else arrive();
    });
  }

  /** The faults of the server itself, in force for as long as an outage or a ban is. */
  #plantServerFaults(): void {
    const { server, faults, prng, wallsAheadMs, count } = this.#options;
    const meets = (what: string, isMet: (request: RequestInfo) => boolean) => ({
      match: (request: RequestInfo): boolean => {
        const isHit = isMet(request);
        if (isHit) count(what);
        return isHit;
      },
    });
    const late = new WeakSet<RequestInfo>();
    const commitsFirst = (request: RequestInfo): boolean => {
      const isLate = faults.outage === 'failing' && prng.is(FAILING_AFTER_COMMIT);
      if (isLate) late.add(request);
      return isLate;
    };
    const fails = (request: RequestInfo) => faults.outage === 'failing' && !late.has(request);
    const asksForPause = new WeakSet<RequestInfo>();
    const pauses = (request: RequestInfo): boolean => {
      const isPause = faults.outage === 'busy' && prng.is(0.5);
      if (isPause) asksForPause.add(request);
      return isPause;
    };
    const isBusy = (request: RequestInfo) => faults.outage === 'busy' && !asksForPause.has(request);
    const knobs = server.faults;
    knobs.status({ code: 401, ...meets('refused 401', (one) => this.#isBanned(one, 401)) });
    knobs.forbid(meets('refused 403', (one) => this.#isBanned(one, 403)).match);
    const isMet = (request: RequestInfo, code: Trouble['code']) => this.#isInTrouble(request, code);
    knobs.status({ code: 500, ...meets('in trouble, 500', (one) => isMet(one, 500)) });
    knobs.status({ code: 429, ...meets('in trouble, 429', (one) => isMet(one, 429)) });
    knobs.hang(meets('in trouble, no answer', (one) => isMet(one, null)));
    knobs.status({ code: 500, afterCommit: true, ...meets('500 after the commit', commitsFirst) });
    knobs.status({ code: 500, ...meets('500', fails) });
    knobs.status({ code: 429, retryAfterSeconds: 1, ...meets('429 with a pause', pauses) });
    knobs.status({ code: 429, ...meets('429', isBusy) });
    for (const aheadMs of wallsAheadMs) {
      if (aheadMs !== 0)
        knobs.clockSkew(aheadMs, { match: () => prng.is(1 / wallsAheadMs.length) });
    }
  }

  #isInTrouble({ user, verb, name }: RequestInfo, code: Trouble['code']): boolean {
    return [...this.troubles].some(
      (one) =>
        one.code === code &&
        (one.process ?? user) === user &&
        (one.lock ?? name) === name &&
        one.verbs.includes(verb),
    );
  }

  #isBanned({ user, verb }: RequestInfo, status: Ban['status']): boolean {
    return [...this.bans].some(
      (ban) => ban.process === user && ban.status === status && ban.verbs.includes(verb),
    );
  }
}
