// A way to an API server that takes longer, as from another zone or region: a TCP proxy that keeps every byte for a while,
// in both directions.
import { KubeConfig } from '@kubernetes/client-node';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Cluster } from './cluster.js';

/** A process that finds its cluster by this file is as far away as the proxy says, or may not watch. */
export interface Place {
  readonly kubeConfigFile: string;
}

export class Distance implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  /** @param lagMs of each direction: a round trip takes twice as long */
  private constructor(
    target: URL,
    readonly lagMs: number,
  ) {
    const to = { host: target.hostname, port: Number(target.port), noDelay: true };
    this.#server = createServer({ noDelay: true }, (near) => {
      const far = connect(to);
      this.#pass(near, far);
      this.#pass(far, near);
    });
  }

  static async to(server: string, lagMs: number): Promise<Distance> {
    const distance = new Distance(new URL(server), lagMs);
    distance.#server.listen(0, '127.0.0.1');
    await once(distance.#server, 'listening');
    return distance;
  }

  /** Its URL. */
  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #pass(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on('data', (chunk) => void setTimeout(() => to.write(chunk), this.lagMs));
    from.on('error', () => undefined);
    from.on('close', () => {
      this.#sockets.delete(from);
      setTimeout(() => to.destroy(), this.lagMs);
    });
  }
}

/** The place of a process that reaches the API server by another URL. */
export async function placeBehind(
  { kubeConfigFile, server }: Cluster,
  url: string,
): Promise<Place> {
  const config = loaded(kubeConfigFile);
  config.clusters = config.clusters.map((one) => ({
    ...one,
    server: one.server === server ? url : one.server,
  }));
  return save(config, `${kubeConfigFile}-${new URL(url).port}`);
}

/** The place of a process that may use these verbs alone. */
export async function placeWith(
  cluster: Cluster,
  verbs: readonly ('get' | 'create' | 'update' | 'patch' | 'watch')[],
): Promise<Place> {
  const user = await cluster.newUser();
  await user.grant(verbs);
  const config = loaded(cluster.kubeConfigFile);
  config.users = [{ name: 'user', token: user.token }];
  config.contexts = config.contexts.map((context) => ({ ...context, user: 'user' }));
  return save(config, `${cluster.kubeConfigFile}-${verbs.join('-')}`);
}

function loaded(file: string): KubeConfig {
  const config = new KubeConfig();
  config.loadFromFile(file);
  return config;
}

async function save(config: KubeConfig, kubeConfigFile: string): Promise<Place> {
  await writeFile(kubeConfigFile, config.exportConfig(), { mode: 0o600 });
  return { kubeConfigFile };
}
