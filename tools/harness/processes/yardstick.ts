// Raw PUTs onto a Lease of its own over one kept-alive connection, without a line of the package.
import { KubeConfig } from '@kubernetes/client-node';
import type { RequestOptions } from 'node:https';
import { RawClient } from '../raw.js';
import type { ApiObject } from '../raw.js';
import { now } from './time.js';

export class Yardstick {
  readonly #client: RawClient;
  readonly #path: string;
  #lease: ApiObject;
  #puts = 0;

  private constructor(client: RawClient, path: string, lease: ApiObject) {
    this.#client = client;
    this.#path = path;
    this.#lease = lease;
  }

  /** @param leases path of the Leases of a namespace; @param name of the Lease that it makes there */
  static async open(leases: string, name: string): Promise<Yardstick> {
    const client = await connect();
    const { status, body } = await client.request('POST', leases, { metadata: { name } });
    if (status !== 201) throw new Error(`POST: ${status} ${JSON.stringify(body)}`);
    return new Yardstick(client, `${leases}/${name}`, body);
  }

  /** @returns how long it took, in milliseconds */
  async put(): Promise<number> {
    const startedAt = now();
    const spec = { holderIdentity: `yardstick-${this.#puts++}`, leaseDurationSeconds: 15 };
    const lease = { ...this.#lease, spec };
    const { status, body } = await this.#client.request('PUT', this.#path, lease);
    if (status !== 200) throw new Error(`PUT: ${status} ${JSON.stringify(body)}`);
    this.#lease = body;
    return now() - startedAt;
  }
}

async function connect(): Promise<RawClient> {
  const config = new KubeConfig();
  config.loadFromDefault();
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const { ca, cert, key, headers } = options;
  return new RawClient({
    server: config.getCurrentCluster()?.server ?? '',
    headers: headers as Record<string, string>,
    tls: { ca, cert, key },
  });
}
