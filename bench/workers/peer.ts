// A process that takes and gives back one lock, by this package or by another one that does the same job.
import { once } from 'node:events';
import { createRequire } from 'node:module';
import pg from 'pg';
import { LeaseClient, Lock, type LockHandle } from '../../src/index.js';
import { serve, settings } from '../../tools/harness/processes/serve.js';
import { now } from '../../tools/harness/processes/time.js';

export type Kind = 'ours' | 'etcd3' | 'redlock' | 'postgres' | 'elector';

export interface PeerSettings {
  readonly kind: Kind;
  readonly name: string;
  readonly identity: string;
  readonly namespace: string;
  /** Of the server that it needs besides. */
  readonly url: string;
  /** Whose node_modules has the others. */
  readonly packages: string;
}

export type PeerCalls = typeof calls;

interface Peer {
  acquire(): Promise<void>;
  release(): Promise<void>;
}

const { kind, name, identity, namespace, url, packages } = settings() as PeerSettings;
const load = createRequire(packages);

const peers: Readonly<Record<Kind, () => Peer | Promise<Peer>>> = {
  ours: () => {
    const lock = new Lock(name, { client: new LeaseClient() });
    let handle: LockHandle | null = null;
    return {
      acquire: async () => {
        handle = await lock.acquire();
      },
      release: async () => {
        await handle?.release();
      },
    };
  },

  etcd3: () => {
    const { Etcd3 } = load('etcd3') as Etcd3Package;
    const election = new Etcd3({ hosts: url }).election(name, 15);
    let campaign: Campaign | null = null;
    return {
      acquire: async () => {
        campaign = election.campaign(identity);
        await campaign.wait();
      },
      release: async () => campaign?.resign(),
    };
  },

  redlock: () => {
    const { default: Redis } = load('ioredis') as IoredisPackage;
    const { default: Redlock } = load('redlock') as RedlockPackage;
    // Its defaults but for one: to wait for as long as it takes.
    const redlock = new Redlock([new Redis(url)], { retryCount: -1 });
    let held: RedlockLock | null = null;
    return {
      acquire: async () => {
        held = await redlock.acquire([name], 15_000);
      },
      release: async () => {
        await held?.release();
      },
    };
  },

  postgres: async () => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const ask = async (what: string): Promise<void> => {
      await client.query(`SELECT pg_advisory_${what}(hashtext($1))`, [name]);
    };
    return { acquire: () => ask('lock'), release: () => ask('unlock') };
  },

  elector: () => {
    // It takes itself for the leader where this is not set.
    process.env['KUBERNETES_SERVICE_HOST'] = 'set';
    const { Elector } = load('@codedependant/kubernetes-leader-election') as ElectorPackage;
    let elector: Elector | null = null;
    return {
      acquire: async () => {
        elector = new Elector({ lease_name: name, namespace, identity, auto_close: false });
        const acquired = once(elector, 'leadership_acquired');
        await elector.start();
        await acquired;
      },
      release: async () => elector?.stop(),
    };
  },
};

const peer = await peers[kind]();

const calls = {
  /** @returns when it had it */
  acquire: async (): Promise<number> => {
    await peer.acquire();
    return now();
  },

  /** @returns when it was asked to */
  release: async (): Promise<number> => {
    const calledAt = now();
    await peer.release();
    return calledAt;
  },

  /** @returns how long each of so many took, taken and given back */
  pairs: async (count: number): Promise<number[]> => {
    const took: number[] = [];
    for (let n = 0; n < count; n++) {
      const begunAt = now();
      await peer.acquire();
      await peer.release();
      took.push(now() - begunAt);
    }
    return took;
  },
};

serve(calls);

// What is used of them.
interface Campaign {
  wait(): Promise<unknown>;
  resign(): Promise<void>;
}
interface Etcd3Package {
  readonly Etcd3: new (options: { hosts: string }) => {
    election(name: string, ttlSeconds: number): { campaign(value: string): Campaign };
  };
}
interface IoredisPackage {
  readonly default: new (url: string) => object;
}
interface RedlockLock {
  release(): Promise<unknown>;
}
interface RedlockPackage {
  readonly default: new (
    clients: readonly object[],
    options: { retryCount: number },
  ) => { acquire(names: readonly string[], durationMs: number): Promise<RedlockLock> };
}
interface Elector extends NodeJS.EventEmitter {
  start(): Promise<void>;
  stop(): Promise<void>;
}
interface ElectorPackage {
  readonly Elector: new (options: Readonly<Record<string, unknown>>) => Elector;
}
