import { lineOf, type Api } from './api.js';
import type { Prng } from '../../../tools/harness/random.js';
import type { Machine } from './machine.js';
import type { Schedule } from './schedule.js';
import type { Weather } from './weather.js';
import { networkError, type Wire } from './wires.js';

/** How an open watch ends; `dead` does not: it just tells nothing any more. */
export type StreamEnding = 'closed' | 'reset' | 'gone' | 'dead';

interface World {
  readonly schedule: Schedule;
  readonly weather: Weather;
  readonly chance: Prng;
  readonly api: Api;
}

const GONE = `${JSON.stringify({
  type: 'ERROR',
  object: { kind: 'Status', status: 'Failure', message: 'too old', reason: 'Expired', code: 410 },
})}\n`;
/** The state at the start may be one that was true a while ago: it comes from a cache. */
const STALE_START = 0.2;
const STALE_BY = 4;

/** One watch, from the API server's cache to the process, in order but for what the weather does. */
export class Stream {
  readonly process: string;
  readonly #machine: Machine;
  readonly #wire: Wire;
  readonly #world: World;
  readonly #onEnd: () => void;
  readonly #name: string | null;
  readonly #from: bigint;
  #arrivedAt = 0;
  #isDead = false;

  constructor(machine: Machine, wire: Wire, url: URL, world: World, onEnd: () => void) {
    this.process = machine.name;
    this.#machine = machine;
    this.#wire = wire;
    this.#world = world;
    this.#onEnd = onEnd;
    const selector = url.searchParams.get('fieldSelector');
    this.#name = selector === null ? null : selector.replace('metadata.name=', '');
    this.#from = BigInt(url.searchParams.get('resourceVersion') ?? '0');
  }

  start(): void {
    this.#later(() => this.#wire.begin(200, {}));
    const { history } = this.#world.api;
    if (this.#from > 0n) {
      for (const change of history) {
        if (change.version > this.#from) this.offer(change.name, change.line);
      }
      return;
    }
    this.#tellState();
  }

  offer(name: string, line: string): void {
    if (this.#isDead || (this.#name ?? name) !== name) return;
    const { weather, chance, schedule } = this.#world;
    const trouble = weather.roll(this.process, 'watch', chance);
    switch (trouble?.trouble) {
      case 'lost':
        return;
      case 'reset':
        return this.end('reset');
      case 'delayed':
        this.#arrivedAt = Math.max(this.#arrivedAt, schedule.now + chance.next() * trouble.ms);
        break;
      case 'twice':
        this.#tell(line);
        break;
      case 'again':
        this.#world.schedule.in(chance.next() * 3_000, () => this.#tell(line));
        break;
      case undefined:
    }
    this.#tell(line);
  }

  end(ending: StreamEnding): void {
    if (this.#isDead) return;
    this.#isDead = true;
    if (ending === 'dead') return;
    this.#onEnd();
    this.#later(() => {
      if (ending === 'reset') return this.#wire.broken(networkError('ECONNRESET'));
      if (ending === 'gone') this.#wire.data(GONE);
      this.#wire.finish();
    });
  }

  #tellState(): void {
    const { history } = this.#world.api;
    const back = this.#world.chance.is(STALE_START) ? this.#world.chance.whole(1, STALE_BY) : 0;
    const known = history.length - back;
    const state = new Map<string, string>();
    for (const { name, after } of history.slice(0, Math.max(known, 0))) {
      if (after === null) state.delete(name);
      else state.set(name, lineOf('ADDED', after));
    }
    for (const [name, line] of state) this.offer(name, line);
    for (const { name, line } of history.slice(Math.max(known, 0))) this.offer(name, line);
  }

  #tell(line: string): void {
    if (this.#isDead) return;
    // Sometimes two packets.
    const cut = this.#world.chance.is(0.02) ? Math.floor(line.length / 2) : 0;
    this.#later(() => {
      if (cut > 0) this.#wire.data(line.slice(0, cut));
      this.#wire.data(line.slice(cut));
    });
  }

  /** In order: nothing overtakes what was told before. */
  #later(act: () => void): void {
    const { schedule, chance } = this.#world;
    this.#arrivedAt = Math.max(this.#arrivedAt, schedule.now + 0.3 + chance.next() * 4);
    schedule.at(this.#arrivedAt, () => this.#machine.receive(act));
  }
}
