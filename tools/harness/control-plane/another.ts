import type { Daemon } from './daemon.js';
import { untilReady } from './ready.js';
import type { Access } from './ready.js';

/** One more API server on the etcd of a control plane. Ends with that at the latest. */
export class AnotherServer {
  readonly server: string;
  readonly #access: Access;
  readonly #daemon: Daemon;
  readonly #changed: () => void;

  /** @internal Use `ControlPlane.addServer()`. */
  constructor(access: Access, daemon: Daemon, changed: () => void) {
    this.server = access.server;
    this.#access = access;
    this.#daemon = daemon;
    this.#changed = changed;
  }

  get pid(): number | undefined {
    return this.#daemon.pid;
  }

  /** Resolves when it is ready. */
  async start(): Promise<void> {
    this.#daemon.start();
    this.#changed();
    await untilReady(this.#access, [this.#daemon]);
  }

  /** Starts it again when it is not running. Resolves when it is ready. */
  async revive(): Promise<void> {
    if (this.#daemon.failure === undefined) await untilReady(this.#access, [this.#daemon]);
    else await this.start();
  }

  pause(): void {
    this.#daemon.signal('SIGSTOP');
  }

  resume(): void {
    this.#daemon.signal('SIGCONT');
  }

  /** Resolves when it is gone. */
  async end(): Promise<void> {
    await this.#daemon.end();
    this.#changed();
  }
}
