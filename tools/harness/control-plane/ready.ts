import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Daemon } from './daemon.js';
import { ask } from './probe.js';

/** Ends what hangs: a start takes seconds, and many of them on half a core. */
export const START_LIMIT_MS = 240_000;

/** An API server, and what proves that one may ask it. */
export interface Access {
  readonly server: string;
  readonly caFile: string;
  readonly adminToken: string;
}

/** Resolves when it is ready; rejects when it is not in time, or when one of the programs has ended. */
export async function untilReady(access: Access, daemons: readonly Daemon[]): Promise<void> {
  const deadline = performance.now() + START_LIMIT_MS;
  let last = 'no answer yet';
  while (performance.now() < deadline) {
    for (const daemon of daemons) {
      if (daemon.failure !== undefined) throw new Error(daemon.failure);
    }
    try {
      last = await probe(access);
      if (last === '') return;
    } catch (error) {
      last = String(error);
    }
    await sleep(100);
  }
  const log = daemons.map((daemon) => daemon.logTail()).join('\n');
  throw new Error(`kube-apiserver is not ready after ${START_LIMIT_MS} ms: ${last}\n${log}`);
}

/** As the API server reports it, e.g. `v1.36.3`. */
export async function versionOf(access: Access): Promise<string> {
  const { body } = await ask(`${access.server}/version`, credentials(access));
  return (JSON.parse(body) as { gitVersion: string }).gitVersion;
}

/** Empty when the API server says it is ready and a read goes through to etcd. */
async function probe(access: Access): Promise<string> {
  for (const path of ['/readyz', '/api/v1/namespaces/default']) {
    const { status, body } = await ask(access.server + path, credentials(access));
    if (status !== 200) return `${path}: ${status} ${body}`;
  }
  return '';
}

function credentials({ caFile, adminToken }: Access): {
  ca: Buffer;
  headers: Record<string, string>;
} {
  return { ca: readFileSync(caFile), headers: { authorization: `Bearer ${adminToken}` } };
}
