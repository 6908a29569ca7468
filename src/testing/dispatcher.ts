/** The way of a request: counted, held by a pause, judged by its credentials, met by faults, carried out, answered. */
import type { Caller, LeaseApi, Reply, Write } from './api.js';
import type { ServerClock } from './clock.js';
import { parseTimeout } from './duration.js';
import { orderedStatus } from './faults.js';
import type { Effect, Faults, Plan } from './faults.js';
import { replyOf, send, sendHead } from './http.js';
import { managerFromUserAgent } from './managed.js';
import { checkListOptions, parseWatchOptions } from './options.js';
import type { LoggedRequest, RequestInfo, Requests } from './requests.js';
import type { Incoming, Responder } from './responder.js';
import { answerOther, describe, parseRoute } from './route.js';
import type { LeasesRoute } from './route.js';
import { parseSelection } from './selector.js';
import * as status from './status.js';
import type { LeaseKey, Store } from './store.js';
import type { Gate, Timers } from './timers.js';
import { ANONYMOUS } from './tokens.js';
import type { Tokens } from './tokens.js';
import { Watch } from './watch.js';
import type { Watches } from './watch.js';

/** What one server consists of. */
export interface Parts {
  readonly store: Store;
  readonly api: LeaseApi;
  readonly faults: Faults;
  readonly watches: Watches;
  readonly requests: Requests;
  readonly tokens: Tokens;
  readonly gate: Gate;
  readonly timers: Timers;
  readonly clock: ServerClock;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly bookmarkIntervalMs: number;
  /** How many changes the state is behind that a watch begins with. */
  readonly watchLag: () => number;
  readonly log: (line: string) => void;
}

/** One request for Leases. */
interface Call {
  readonly route: LeasesRoute;
  readonly request: RequestInfo;
  readonly entry: { -readonly [K in keyof LoggedRequest]: LoggedRequest[K] };
  readonly write: Write;
  readonly responder: Responder;
}

/** The longest that a live server works on a request. */
const requestLimitMs = 34_000;

export class Dispatcher {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async serve(incoming: Incoming, responder: Responder): Promise<void> {
    const { method, headers, body } = incoming;
    const url = new URL(incoming.url, 'http://localhost');
    const route = parseRoute(method, url);
    if (route.kind !== 'leases') {
      await this.#parts.gate.pass();
      send(
        responder,
        replyOf(() => answerOther(route)),
        this.#date(0),
      );
      return;
    }
    const { clock, requests, tokens } = this.#parts;
    const user = tokens.userOf(headers.authorization);
    const contentType = (headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
    const write = { body, contentType, query: url.searchParams };
    const request = describe(route, write, user ?? '', headers['user-agent'] ?? '');
    const entry = requests.record(request, clock.wall());
    await this.#run({ route, request, entry, write, responder }, user);
  }

  async #run(call: Call, user: string | null): Promise<void> {
    const { faults, gate, timers } = this.#parts;
    await gate.pass();
    if (user === null) {
      this.#reply(call, refusal(status.unauthorized()), 0);
      return;
    }
    const plan = faults.plan(call.request);
    await timers.sleep(plan.requestMs);
    await gate.pass();
    if (plan.effect !== null) return this.#suffer(call, plan, plan.effect);
    if (call.request.verb === 'watch') return this.#watch(call, plan);
    await this.#replyLate(call, this.#execute(call, plan), plan);
  }

  async #suffer(call: Call, plan: Plan, effect: Effect): Promise<void> {
    const { responder, request } = call;
    switch (effect.kind) {
      case 'hang':
        return effect.honorTimeout ? this.#replyAtTimeout(call, plan) : undefined;
      case 'drop-before':
        responder.destroy();
        return;
      case 'forbid':
        return this.#replyLate(call, refusal(rbacRefusal(request)), plan);
      case 'status':
        if (effect.options.afterCommit === true) this.#execute(call, plan);
        return this.#replyLate(call, orderedStatus(effect.options), plan);
      case 'commit-late':
        if (!effect.silent) responder.destroy();
        this.#parts.timers.after(effect.afterMs, () => void this.#execute(call, plan));
        return;
      case 'drop-after-commit':
        this.#execute(call, plan);
        responder.destroy();
        return;
    }
  }

  #execute(call: Call, plan: Plan): Reply {
    const reply = replyOf(() => this.#handle(call, plan));
    call.entry.status = reply.code;
    return reply;
  }

  #handle({ route, request, write }: Call, plan: Plan): Reply {
    const { api } = this.#parts;
    if (request.user === ANONYMOUS) throw rbacRefusal(request);
    const timeoutMs = parseTimeout(write.query.get('timeout'));
    if (timeoutMs !== null && timeoutMs < 1) throw status.timedOut();
    const { namespace, name = '' } = route;
    const key = { namespace, name };
    const caller = this.#caller(request, write, plan);
    switch (route.verb) {
      case 'get':
        return api.get(key, write.query);
      case 'list':
        checkListOptions(write.query);
        return api.list(namespace || undefined, write.query, parseSelection(write.query).matches);
      case 'create':
        return api.create(namespace, expectJson(write), caller);
      case 'update':
        return api.replace(key, expectJson(write), caller);
      case 'patch':
        return api.patch(key, write, caller);
      case 'delete':
        return api.delete(key, write);
      case 'watch':
        return { code: 200, body: '' };
    }
  }

  #caller(request: RequestInfo, write: Write, plan: Plan): Caller {
    const { faults } = this.#parts;
    const named = write.query.get('fieldManager') ?? '';
    return {
      user: request.user,
      manager: named === '' ? managerFromUserAgent(request.userAgent) : named,
      now: this.#date(plan.skewMs),
      may: (verb, key: LeaseKey) => !faults.isForbidden({ ...request, ...key, verb }),
    };
  }

  async #watch(call: Call, plan: Plan): Promise<void> {
    const { request, responder, write } = call;
    const { store, faults, watches, gate, timers, random } = this.#parts;
    const { bookmarkIntervalMs, watchLag } = this.#parts;
    await timers.sleep(plan.responseMs);
    await gate.pass();
    if (responder.isGone) return;
    const refused = replyOf(() => {
      const options = parseWatchOptions(write.query, random);
      const selection = parseSelection(write.query);
      if (request.user === ANONYMOUS) throw rbacRefusal(request);
      const isTooOld = options.version !== null && options.version < store.oldest;
      if (isTooOld && faults.refusesByHttp(request)) {
        throw status.expired(String(options.version), String(store.oldest));
      }
      const watch = new Watch(request, responder, selection, timers);
      watches.add(watch, responder);
      sendHead(responder, this.#date(plan.skewMs));
      faults.admitWatch(watch);
      watch.start(store, options, bookmarkIntervalMs, watchLag());
      return { code: 200, body: '' };
    });
    call.entry.status = refused.code;
    if (refused.code === 200) this.#note(call, 200);
    else this.#reply(call, refused, plan.skewMs);
  }

  async #replyAtTimeout(call: Call, plan: Plan): Promise<void> {
    const limit = parseTimeout(call.write.query.get('timeout')) ?? requestLimitMs;
    await this.#parts.timers.sleep(Math.min(limit, requestLimitMs));
    this.#reply(call, refusal(status.timedOut()), plan.skewMs);
  }

  async #replyLate(call: Call, reply: Reply, plan: Plan): Promise<void> {
    await this.#parts.timers.sleep(plan.responseMs);
    await this.#parts.gate.pass();
    this.#reply(call, reply, plan.skewMs);
  }

  #reply(call: Call, reply: Reply, skewMs: number): void {
    call.entry.status ??= reply.code;
    if (send(call.responder, reply, this.#date(skewMs))) this.#note(call, reply.code);
  }

  #date(skewMs: number): Date {
    return new Date(this.#parts.clock.wall() + skewMs);
  }

  #note({ entry, request }: Call, code: number): void {
    entry.answered = true;
    const { verb, namespace, name = '', user } = request;
    this.#parts.log(`${verb} ${namespace}/${name} ${code} ${user}`);
  }
}

/** RBAC does not see the name in a POST; the knobs do. */
function rbacRefusal({ user, verb, namespace, name }: RequestInfo): status.StatusError {
  return status.forbidden(user, verb, namespace, verb === 'create' ? undefined : name);
}

function refusal(error: status.StatusError): Reply {
  return { code: error.code, body: error.status };
}

function expectJson(write: Write): Write {
  const isJson = write.contentType === '' || write.contentType === 'application/json';
  if (!isJson) throw status.unsupportedMediaType('application/json');
  return write;
}
