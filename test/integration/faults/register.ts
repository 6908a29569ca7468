// A register that locks guard: it refuses a write with a lower token than it has seen.
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { now } from '../../../tools/harness/processes/time.js';

export interface RegisterWrite {
  readonly process: string;
  readonly lock: string;
  readonly token: bigint;
  readonly at: number;
  readonly accepted: boolean;
}

export class Register {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #highest = new Map<string, bigint>();
  #writes: RegisterWrite[] = [];

  /** @param isGuarded otherwise it takes whatever comes: a planted fault */
  static async start(isGuarded = true): Promise<Register> {
    const register = new Register(isGuarded);
    await new Promise<void>((resolve) => register.#server.listen(0, '127.0.0.1', resolve));
    return register;
  }

  private constructor(private readonly isGuarded: boolean) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => this.#sockets.delete(socket));
      createInterface({ input: socket }).on('line', (line) => this.#write(line));
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** What was written since it was last asked. */
  take(): RegisterWrite[] {
    const writes = this.#writes;
    this.#writes = [];
    return writes;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #write(line: string): void {
    const at = now();
    const { process, lock, token: text } = JSON.parse(line) as Record<string, string>;
    // Half a line is what a killed process leaves.
    if (process === undefined || lock === undefined || text === undefined) return;
    const token = BigInt(text);
    const accepted = !this.isGuarded || token >= (this.#highest.get(lock) ?? 0n);
    if (accepted) this.#highest.set(lock, token);
    this.#writes.push({ process, lock, token, at, accepted });
  }
}
