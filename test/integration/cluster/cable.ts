// A wire between a client and an API server that can be cut: what is on it stays there, and neither end is told.
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';

export class Cable implements AsyncDisposable {
  readonly #listener: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  private constructor(target: URL) {
    const port = Number(target.port);
    this.#listener = createServer({ noDelay: true }, (near) => {
      const far = connect({ host: target.hostname, port, noDelay: true });
      for (const [socket, other] of [[near, far] as const, [far, near] as const]) {
        this.#sockets.add(socket);
        socket.on('data', (data) => {
          if (!this.#isCut) other.write(data);
        });
        socket.on('error', () => undefined);
        socket.on('close', () => {
          this.#sockets.delete(socket);
          if (!this.#isCut) other.destroy();
        });
      }
    });
  }

  static async to(server: string): Promise<Cable> {
    const cable = new Cable(new URL(server));
    cable.#listener.listen(0, '127.0.0.1');
    await once(cable.#listener, 'listening');
    return cable;
  }

  /** The same kubeconfig, by way of this cable. */
  async rewire(kubeConfigFile: string, server: string): Promise<string> {
    const { port } = this.#listener.address() as AddressInfo;
    const { protocol } = new URL(server);
    const text = await readFile(kubeConfigFile, 'utf8');
    const file = `${kubeConfigFile}-cable`;
    await writeFile(file, text.replaceAll(server, `${protocol}//127.0.0.1:${port}`));
    return file;
  }

  /** From now on nothing arrives, in either direction. */
  cut(): void {
    this.#isCut = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#listener.close();
    await once(this.#listener, 'close');
  }
}
