import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

/** A TCP proxy that can freeze the connections it has: half-open, as when a node behind it vanished. */
export class FreezingProxy {
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  connections = 0;

  private constructor(targetPort: number) {
    this.#server = createServer((near) => {
      this.connections++;
      const far = connect(targetPort, '127.0.0.1');
      for (const socket of [near, far]) {
        this.#open.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => {
          this.#open.delete(socket);
          near.destroy();
          far.destroy();
        });
      }
      near.pipe(far).pipe(near);
    });
  }

  static async start(targetPort: number): Promise<FreezingProxy> {
    const proxy = new FreezingProxy(targetPort);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** How many connections there are now. */
  get open(): number {
    return this.#open.size / 2;
  }

  /** From now on nothing passes through the connections of now, in either direction. */
  freeze(): void {
    for (const socket of this.#open) {
      socket.unpipe();
      socket.pause();
      socket.removeAllListeners('end');
    }
  }

  /** Resets every connection. */
  reset(): void {
    for (const socket of this.#open) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#open) socket.destroy();
    await closed;
  }
}
