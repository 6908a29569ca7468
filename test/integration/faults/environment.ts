// All that a run of faults needs: control planes of its own, groups of nodes on them, and probes that observe them.
import { readFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startControlPlane } from '../../../tools/harness/control-plane/index.js';
import type { ControlPlane } from '../../../tools/harness/control-plane/index.js';
import { Guard } from '../../../tools/harness/control-plane/guard.js';
import type { GuardedWrite } from '../../../tools/harness/history/history.js';
import type { Cluster } from '../../../tools/harness/cluster.js';
import { openReal } from '../../../tools/harness/open.js';
import type { RawTarget } from '../../../tools/harness/raw.js';
import { WorkerPool } from '../../../tools/harness/processes/pool.js';
import { now } from '../../../tools/harness/processes/time.js';
import { Witness } from '../../../tools/harness/witness.js';
import { HistoryReader } from './history-reader.js';
import { Pipe } from './pipe.js';
import { HealthProbe } from './health-probe.js';
import { Register } from './register.js';
import type { Servers } from './fault.js';
import { NodeGroup } from './nodes.js';
import type { GroupContext, NodeGroupOptions } from './nodes.js';
import { CommitProbe } from './commit-probe.js';

type NewGroup = Pick<NodeGroupOptions, 'name' | 'size' | 'timings' | 'random' | 'overstaysMs'>;

/** Resolves when all of a group are there. */
type Start = (options: NewGroup) => Promise<NodeGroup>;

const WRITES_KEPT_MS = 120_000;

/** Anything that is to be ended; the last one first. */
type Ending = () => unknown;

export class FaultEnvironment {
  readonly #endings: Ending[] = [];
  readonly #pool = new WorkerPool();
  #writes: GuardedWrite[] = [];
  #witness: Witness | undefined;

  static async open({ isGuarded = true } = {}): Promise<FaultEnvironment> {
    const folder = await mkdtemp(join(tmpdir(), 'faults-'));
    return new FaultEnvironment(folder, await Register.start(isGuarded));
  }

  readonly history: HistoryReader;
  readonly #guard: Guard;
  readonly #pids = new Set<number>();

  private constructor(
    readonly folder: string,
    private readonly register: Register,
  ) {
    this.history = new HistoryReader(folder);
    this.#guard = new Guard(folder);
  }

  /** A control plane that no fault stops, with a way to put groups on it. */
  async stable(): Promise<Start> {
    const plane = await this.#startPlane();
    return this.#startGroups(plane, [plane.server]);
  }

  /** A control plane with two API servers to be stopped, and a way to put groups on it, spread over both. */
  async stoppable(): Promise<{ start: Start; servers: Servers }> {
    const plane = await this.#startPlane();
    const pipe = await Pipe.start(plane.etcdUrl);
    this.#endings.push(() => pipe.close());
    const second = await plane.addServer(pipe.url);
    const start = await this.#startGroups(plane, [plane.server, second.server]);
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

  /** @param keeps the logs, to find the reason of a failure */
  async close(keeps = false): Promise<void> {
    const errors: unknown[] = [];
    const endings = [() => this.register.close(), ...this.#endings, () => this.#pool.killAll()];
    for (const end of endings.reverse()) {
      await Promise.resolve()
        .then(end)
        .catch((error: unknown) => errors.push(error));
    }
    if (!keeps) await rm(this.folder, { recursive: true, force: true });
    this.#guard.dismiss();
    if (errors.length > 0) throw new AggregateError(errors, 'not everything was ended');
  }

  /** One is enough: all that runs here runs on one machine. */
  async #startWitness(cluster: Cluster): Promise<Witness> {
    if (this.#witness !== undefined) return this.#witness;
    const witness = await Witness.start(this.#pool, cluster, { puts: false });
    this.#endings.push(() => witness.close());
    return (this.#witness = witness);
  }

  async #startPlane(): Promise<ControlPlane> {
    const plane = await startControlPlane();
    if (plane.kind === 'none') throw new Error(plane.reason);
    this.#endings.push(() => plane.stop());
    return plane;
  }

  async #startGroups(plane: ControlPlane, servers: readonly string[]): Promise<Start> {
    const [cert, key] = [await readFile(plane.caFile), await readFile(plane.keyFile)];
    const cluster: Cluster = await openReal(plane);
    const headers = { authorization: `Bearer ${plane.adminToken}` };
    const targets = servers.map((server): RawTarget => ({ server, headers, tls: { ca: cert } }));
    const commits = new CommitProbe(targets);
    const health = new HealthProbe(targets);
    this.#endings.push(
      () => commits.close(),
      () => health.close(),
    );
    const witness = await this.#startWitness(cluster);
    const context: GroupContext = {
      witness,
      ...{ pool: this.#pool, folder: this.folder, registerPort: this.register.port, cert, key },
      ...{ history: this.history, guard: this.#guard, pids: this.#pids },
    };
    return async (newGroup) => {
      const group = await NodeGroup.start(context, {
        ...newGroup,
        cluster,
        servers,
        commits,
        health,
      });
      this.#endings.push(() => group.close());
      return group;
    };
  }
}
