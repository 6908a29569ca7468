// All that a run needs: control planes of its own, troupes on them, and what observes them.
import { readFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startControlPlane } from '../../../tools/harness/control-plane/index.js';
import type { ControlPlane } from '../../../tools/harness/control-plane/index.js';
import { Guard } from '../../../tools/harness/control-plane/guard.js';
import type { GuardedWrite } from '../../proof/history/history.js';
import type { Cluster } from '../../../tools/harness/cluster.js';
import { openReal } from '../../../tools/harness/open.js';
import type { RawTarget } from '../../../tools/harness/raw.js';
import { Crew } from '../../../tools/harness/processes/crew.js';
import { now } from '../../../tools/harness/processes/time.js';
import { Chronicle } from './chronicle.js';
import { Pipe } from './pipe.js';
import { Pulse } from './pulse.js';
import { Register } from './register.js';
import type { Servers } from './scenario.js';
import { Troupe } from './troupe.js';
import type { Ground, TroupeOptions } from './troupe.js';
import { Witness } from './witness.js';

type TroupeWishes = Pick<TroupeOptions, 'name' | 'size' | 'timings' | 'random' | 'overstaysMs'>;

/** Resolves when all of a troupe are there. */
type Start = (wishes: TroupeWishes) => Promise<Troupe>;

const WRITES_KEPT_MS = 120_000;

/** Anything that is to be ended; the last one first. */
type Ending = () => unknown;

export class World {
  readonly #endings: Ending[] = [];
  readonly #crew = new Crew();
  #writes: GuardedWrite[] = [];

  static async open({ isGuarded = true } = {}): Promise<World> {
    const folder = await mkdtemp(join(tmpdir(), 'live-'));
    return new World(folder, await Register.start(isGuarded));
  }

  readonly chronicle: Chronicle;
  readonly #guard: Guard;
  readonly #pids = new Set<number>();

  private constructor(
    readonly folder: string,
    private readonly register: Register,
  ) {
    this.chronicle = new Chronicle(folder);
    this.#guard = new Guard(folder);
  }

  /** A control plane that no fault stops, with a way to put troupes on it. */
  async calm(): Promise<Start> {
    const plane = await this.#startPlane();
    return this.#stage(plane, [plane.server]);
  }

  /** A control plane with two API servers to be stopped, and a way to put troupes on it, spread over both. */
  async stormy(): Promise<{ start: Start; servers: Servers }> {
    const plane = await this.#startPlane();
    const pipe = await Pipe.start(plane.etcdUrl);
    this.#endings.push(() => pipe.close());
    const second = await plane.addServer(pipe.url);
    const start = await this.#stage(plane, [plane.server, second.server]);
    return { start, servers: { plane, second, pipe } };
  }

  /** What was written to the register lately. */
  writes(): readonly GuardedWrite[] {
    const all = [...this.#writes, ...this.register.take()];
    const greatest = new Map<string, GuardedWrite>();
    for (const write of all) {
      const other = greatest.get(write.lock);
      if (write.accepted && (other === undefined || write.token > other.token)) {
        greatest.set(write.lock, write);
      }
    }
    const since = now() - WRITES_KEPT_MS;
    this.#writes = all.filter((one) => one.at > since || greatest.get(one.lock) === one);
    return this.#writes;
  }

  /** @param keeps the diaries, for whoever looks for the reason of a failure */
  async close(keeps = false): Promise<void> {
    const errors: unknown[] = [];
    const endings = [() => this.register.close(), ...this.#endings, () => this.#crew.disband()];
    for (const end of endings.reverse()) {
      await Promise.resolve()
        .then(end)
        .catch((error: unknown) => errors.push(error));
    }
    if (!keeps) await rm(this.folder, { recursive: true, force: true });
    this.#guard.dismiss();
    if (errors.length > 0) throw new AggregateError(errors, 'not everything was ended');
  }

  async #startPlane(): Promise<ControlPlane> {
    const plane = await startControlPlane();
    if (plane.kind === 'none') throw new Error(plane.reason);
    this.#endings.push(() => plane.stop());
    return plane;
  }

  async #stage(plane: ControlPlane, servers: readonly string[]): Promise<Start> {
    const [cert, key] = [await readFile(plane.caFile), await readFile(plane.keyFile)];
    const cluster: Cluster = await openReal(plane);
    const headers = { authorization: `Bearer ${plane.adminToken}` };
    const targets = servers.map((server): RawTarget => ({ server, headers, tls: { ca: cert } }));
    const witness = new Witness(targets);
    const pulse = new Pulse(targets);
    this.#endings.push(
      () => witness.close(),
      () => pulse.close(),
    );
    const ground: Ground = {
      ...{ crew: this.#crew, folder: this.folder, registerPort: this.register.port, cert, key },
      ...{ chronicle: this.chronicle, guard: this.#guard, pids: this.#pids },
    };
    return async (wishes) => {
      const troupe = await Troupe.start(ground, { ...wishes, cluster, servers, witness, pulse });
      this.#endings.push(() => troupe.close());
      return troupe;
    };
  }
}
