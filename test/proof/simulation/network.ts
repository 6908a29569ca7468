import type { Route } from '../../../src/lease/kube/connect.js';
import { NAMESPACE, failure, type Answer, type Api, type Call } from './api.js';
import type { Prng } from '../../../tools/harness/random.js';
import type { Machine } from './machine.js';
import type { Schedule } from './schedule.js';
import { Stream, type StreamEnding } from './stream.js';
import type { Weather } from './weather.js';
import { exchangeOver, networkError, wireOver, type Line, type Wire } from './wires.js';

/** Who may not do what for now. */
export interface Ban {
  readonly process: string;
  readonly status: 401 | 403;
  readonly verbs: readonly string[];
}

const CONNECT_MS = 1;
const FAILING_AFTER_COMMIT = 0.4;

/** Everything between processes and the API servers, of which there are two, each with a clock of its own. */
export class Network {
  readonly bans = new Set<Ban>();
  readonly streams = new Set<Stream>();
  readonly #schedule: Schedule;
  readonly #api: Api;
  readonly #weather: Weather;
  readonly #chance: Prng;
  readonly #count: (what: string) => void;
  readonly #wallsAheadMs: readonly number[];

  constructor(
    schedule: Schedule,
    api: Api,
    weather: Weather,
    chance: Prng,
    wallsAheadMs: readonly number[],
    count: (what: string) => void,
  ) {
    this.#schedule = schedule;
    this.#api = api;
    this.#weather = weather;
    this.#chance = chance;
    this.#wallsAheadMs = wallsAheadMs;
    this.#count = count;
  }

  /** The way of one process to the API. */
  route(machine: Machine): Route {
    const authorized = Promise.resolve({ options: {}, proxyAgent: null });
    return {
      endpoint: { server: 'http://simulated', authorize: () => authorized },
      namespace: NAMESPACE,
      wire: wireOver((method, path) => {
        const url = new URL(path, 'http://simulated');
        const isWatch = url.searchParams.get('watch') === 'true';
        const line = isWatch ? this.#watch(machine, url) : this.#exchange(machine, method, url);
        return { line, isReused: !isWatch && this.#chance.is(0.7) };
      }),
    };
  }

  /** One request of a process that uses no library; `null` when no answer comes in time. */
  async request(
    machine: Machine,
    method: string,
    name: string,
    body?: unknown,
  ): Promise<Answer | null> {
    const url = new URL(`/leases/${method === 'POST' ? '' : name}`, 'http://simulated');
    const giveUp = new AbortController();
    const cancel = machine.after(2_000, () => giveUp.abort(new Error('given up')));
    const result = await exchangeOver(this.#exchange(machine, method, url), true, {
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: giveUp.signal,
      onFree: cancel,
    });
    return result.kind === 'answered' ? { status: result.status, body: result.body } : null;
  }

  told(line: string, name: string): void {
    for (const stream of [...this.streams]) stream.offer(name, line);
  }

  cut(process: string | null, ending: StreamEnding): void {
    for (const stream of [...this.streams]) {
      if ((process ?? stream.process) === stream.process) stream.end(ending);
    }
  }

  #exchange(machine: Machine, method: string, url: URL): Line {
    return {
      send: (body, wire) => {
        const call = { method, name: nameOf(url), body, by: machine.id, sentAt: machine.elapsed };
        this.#depart(machine, wire, () => this.#serve(machine, call, wire));
      },
      // What has left goes its way.
      drop: () => undefined,
    };
  }

  #depart(machine: Machine, wire: Wire, arrive: () => void): void {
    const trouble = this.#weather.roll(machine.name, 'request', this.#chance);
    if (this.#weather.outage === 'refused') {
      this.#count('connection refused');
      this.#schedule.in(CONNECT_MS, () =>
        machine.receive(() => wire.broken(networkError('ECONNREFUSED'))),
      );
      return;
    }
    if (!wire.isReused) {
      this.#schedule.in(CONNECT_MS, () => machine.receive(() => wire.connected()));
    }
    if (trouble?.trouble === 'lost') return;
    if (trouble?.trouble === 'reset') {
      this.#breakLater(machine, wire);
      if (this.#chance.is(0.5)) return;
    }
    this.#schedule.in(
      CONNECT_MS + this.#latency(trouble?.trouble === 'delayed' ? trouble.ms : 0),
      () => this.#weather.whenThawed(arrive),
    );
  }

  #serve(machine: Machine, call: Omit<Call, 'wall'>, wire: Wire): void {
    const wall = 1_750_000_000_000 + this.#schedule.now + this.#chance.pick(this.#wallsAheadMs);
    const by = machine.name;
    const act = (): Answer => this.#api.handle({ ...call, wall });
    const answer = this.#banned(by, call.method) ?? this.#troubled(act) ?? act();
    const trouble = this.#weather.roll(by, 'reply', this.#chance);
    if (trouble?.trouble === 'lost') return;
    if (trouble?.trouble === 'reset') return this.#breakLater(machine, wire);
    const headers: Record<string, string> = { date: new Date(wall).toUTCString() };
    if (answer.status === 429 && this.#chance.is(0.5)) headers['retry-after'] = '1';
    const delay = this.#latency(trouble?.trouble === 'delayed' ? trouble.ms : 0);
    this.#schedule.in(delay, () =>
      machine.receive(() => {
        wire.begin(answer.status, headers);
        wire.data(answer.body);
        wire.finish();
      }),
    );
  }

  #banned(by: string, method: string): Answer | null {
    for (const { process, status, verbs } of this.bans) {
      if (process !== by || !verbs.includes(method)) continue;
      this.#count(`refused ${status}`);
      return failure(status, status === 401 ? 'Unauthorized' : 'Forbidden', 'simulated refusal');
    }
    return null;
  }

  #troubled(act: () => Answer): Answer | null {
    const { outage } = this.#weather;
    if (outage === 'busy') {
      this.#count('429');
      return failure(429, 'TooManyRequests', 'simulated');
    }
    if (outage !== 'failing') return null;
    const isLate = this.#chance.is(FAILING_AFTER_COMMIT);
    if (isLate) act();
    this.#count(isLate ? '500 after the commit' : '500');
    return failure(500, 'InternalError', 'simulated');
  }

  #breakLater(machine: Machine, wire: Wire): void {
    this.#schedule.in(CONNECT_MS + this.#latency(0), () =>
      machine.receive(() => wire.broken(networkError('ECONNRESET'))),
    );
  }

  #watch(machine: Machine, url: URL): Line {
    let stream: Stream | null = null;
    let isDropped = false;
    return {
      send: (_body, wire) =>
        this.#depart(machine, wire, () => {
          if (isDropped) return;
          const refusal = this.#banned(machine.name, 'WATCH');
          if (refusal !== null) {
            machine.receive(() => {
              wire.begin(refusal.status, {});
              wire.data(refusal.body);
              wire.finish();
            });
            return;
          }
          const parts = { schedule: this.#schedule, weather: this.#weather, chance: this.#chance };
          stream = new Stream(machine, wire, url, { ...parts, api: this.#api }, () => {
            if (stream !== null) this.streams.delete(stream);
          });
          this.streams.add(stream);
          stream.start();
        }),
      drop: () => {
        isDropped = true;
        if (stream !== null) this.streams.delete(stream);
      },
    };
  }

  /** Mostly a few milliseconds. */
  #latency(extraMs: number): number {
    const usual = this.#chance.is(0.95) ? 2 : 20;
    return 0.3 + this.#chance.next() * usual + this.#chance.next() * extraMs;
  }
}

function nameOf({ pathname }: URL): string {
  return decodeURIComponent(pathname.split('/leases/')[1] ?? '');
}
