import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

/** Passes bytes between an API server and etcd; those from etcd may take longer, each byte in its turn. */
export class Pipe {
  /** From etcd to the API server. */
  delayMs = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  static async start(target: string): Promise<Pipe> {
    const pipe = new Pipe(Number(new URL(target).port));
    await new Promise<void>((resolve) => pipe.#server.listen(0, '127.0.0.1', resolve));
    return pipe;
  }

  private constructor(targetPort: number) {
    this.#server = createServer((near) => this.#join(near, connect(targetPort, '127.0.0.1')));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #join(near: Socket, far: Socket): void {
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.setNoDelay();
      socket.on('error', () => undefined);
      socket.once('close', () => {
        this.#sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far);
    let dueAt = 0;
    far.on('data', (chunk) => {
      // Never before what came earlier, also when the delay has just become shorter.
      dueAt = Math.max(dueAt, performance.now() + this.delayMs);
      const wait = dueAt - performance.now();
      if (wait <= 0) near.write(chunk);
      else setTimeout(() => near.write(chunk), wait + 1);
    });
  }
}
