// A share of one processor, as a container with a CPU limit has it: by a cgroup of its own, of version 1 or 2.
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup';
/** As kubelets set it. */
const PERIOD_US = 100_000;

export interface Share {
  /** What starts a command within the share: put it in front. */
  readonly prefix: readonly string[];
  /** Once all its processes have ended. */
  remove(): void;
}

/** `null` where this process may make no cgroup. */
export function shareOf(cpus: number): Share | null {
  const quotaUs = Math.round(cpus * PERIOD_US);
  const name = `metaparticle-sync-${process.pid}-${quotaUs}`;
  return version1(join(ROOT, 'cpu', name), quotaUs) ?? version2(join(own(), name), quotaUs);
}

function version1(folder: string, quotaUs: number): Share | null {
  return made(folder, () => {
    writeFileSync(join(folder, 'cpu.cfs_period_us'), String(PERIOD_US));
    writeFileSync(join(folder, 'cpu.cfs_quota_us'), String(quotaUs));
  });
}

function version2(folder: string, quotaUs: number): Share | null {
  return made(folder, () => writeFileSync(join(folder, 'cpu.max'), `${quotaUs} ${PERIOD_US}`));
}

/** The cgroup of this process. */
function own(): string {
  try {
    const line = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'));
    return join(ROOT, line?.[1] ?? '');
  } catch {
    return ROOT;
  }
}

function made(folder: string, limit: () => void): Share | null {
  try {
    mkdirSync(folder);
  } catch {
    return null;
  }
  try {
    limit();
    const enter = `echo $$ > '${folder}/cgroup.procs' && exec "$@"`;
    return { prefix: ['sh', '-c', enter, 'sh'], remove: () => rmdirSync(folder) };
  } catch {
    rmdirSync(folder);
    return null;
  }
}
