// From the start of a process to its first lock, on the share of a processor that a small pod has.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Cluster } from '../../tools/harness/cluster.js';
import { percentile } from '../../tools/harness/processes/figures.js';
import { shareOf, type Share } from '../../tools/harness/processes/share.js';
import type { Figure, Result, Row, Stage } from '../stage.js';

const run = promisify(execFile);
const SHARES = [1, 0.2, 0.1];
/** At a tenth of a processor; at a whole one the goal is a multiple of the raw PUT. */
const LIMIT_MS = 6_000;
const LIMIT_MIB = 75;
const LIMIT_FACTOR = 2;

interface Way {
  readonly title: string;
  readonly program: string;
  /** Before the name of the Lease. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

interface Sample {
  readonly tookMs: number;
  readonly rssMiB: number;
}

interface Ways {
  readonly raw: Way;
  readonly clientNode: Way;
  readonly ours: readonly Way[];
}

async function waysOf({ kubeConfig, leases, namespace }: Cluster, folder: string): Promise<Ways> {
  const { server = '', caFile, caData = '' } = kubeConfig.getCurrentCluster() ?? {};
  const ca = caFile === undefined ? Buffer.from(caData, 'base64') : await readFile(caFile);
  const token = kubeConfig.getCurrentUser()?.token ?? '';
  const at = (name: string): string => join(folder, name);
  await writeFile(at('raw.json'), JSON.stringify({ server, ca: ca.toString(), token }));
  await writeFile(at('config'), yamlOf({ server, ca: ca.toString('base64'), token, namespace }));
  const account = at('var/run/secrets/kubernetes.io/serviceaccount');
  await mkdir(account, { recursive: true });
  await writeFile(join(account, 'token'), `${token}\n`);
  await writeFile(join(account, 'ca.crt'), ca);
  await writeFile(join(account, 'namespace'), namespace);
  const { hostname, port } = new URL(server);
  const pod = {
    KUBECONFIG: '',
    HOME: folder,
    KUBERNETES_SERVICE_HOST: hostname.replace(/^\[|\]$/g, ''),
    KUBERNETES_SERVICE_PORT: port === '' ? '443' : port,
  };
  const env = { KUBECONFIG: at('config') };
  return {
    raw: { title: 'raw', program: 'cold-raw', args: [at('raw.json'), leases], env },
    clientNode: { title: 'client-node', program: 'cold-client-node', args: [], env },
    ours: [
      { title: 'in a pod', program: 'cold-ours', args: [folder], env: pod },
      { title: 'by a kubeconfig', program: 'cold-ours', args: [''], env },
    ],
  };
}

/** As kubectl and kind write it. */
function yamlOf(parts: { server: string; ca: string; token: string; namespace: string }): string {
  return `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: ${parts.ca}
    server: ${parts.server}
  name: cold
contexts:
- context:
    cluster: cold
    namespace: ${parts.namespace}
    user: cold
  name: cold
current-context: cold
kind: Config
preferences: {}
users:
- name: cold
  user:
    token: ${parts.token}
`;
}

async function start(way: Way, programs: string, share: Share | null): Promise<Sample> {
  const name = `cold-${randomBytes(6).toString('hex')}`;
  const node = [process.execPath, join(programs, `${way.program}.js`), ...way.args, name];
  const [command = '', ...args] = [...(share?.prefix ?? []), ...node];
  const startedAt = Date.now();
  const env = { ...process.env, NODE_OPTIONS: '', ...way.env };
  const { stdout } = await run(command, args, { env, timeout: 120_000 });
  const result = JSON.parse(stdout) as { isTaken: boolean; at: number; rssKiB: number };
  if (!result.isTaken) throw new Error(`${way.title}: ${stdout}`);
  return { tookMs: result.at - startedAt, rssMiB: result.rssKiB / 1_024 };
}

function median(samples: readonly Sample[]): Sample {
  return {
    tookMs: percentile(
      samples.map(({ tookMs }) => tookMs),
      0.5,
    ),
    rssMiB: percentile(
      samples.map(({ rssMiB }) => rssMiB),
      0.5,
    ),
  };
}

function shown({ tookMs, rssMiB }: Sample): string {
  return `${(tookMs / 1_000).toFixed(2)} s, ${rssMiB.toFixed(0)} MiB`;
}

interface Measured {
  readonly raw: Sample;
  readonly clientNode: Sample;
  readonly ours: readonly Sample[];
}

/** In turns, so that a busy moment of the machine meets all of them. */
async function measure(
  ways: Ways,
  programs: string,
  share: Share | null,
  rounds: number,
): Promise<Measured> {
  const all = [ways.raw, ways.clientNode, ...ways.ours];
  const samples = all.map((): Sample[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, way] of all.entries()) {
      samples[index]?.push(await start(way, programs, share));
    }
  }
  const [raw = [], clientNode = [], ...ours] = samples;
  return { raw: median(raw), clientNode: median(clientNode), ours: ours.map(median) };
}

function figuresOf(cpus: number, ways: Ways, measured: Measured): Figure[] {
  const { raw, clientNode } = measured;
  const isWhole = cpus >= 1;
  const limitMs = isWhole ? LIMIT_FACTOR * raw.tookMs : LIMIT_MS;
  const goal = `${isWhole ? `≤ ${LIMIT_FACTOR} × a raw PUT` : '≤ 6 s'}, ≤ ${LIMIT_MIB} MiB`;
  return ways.ours.map(({ title }, index) => {
    const sample = measured.ours[index] ?? { tookMs: NaN, rssMiB: NaN };
    const factor = (sample.tookMs / raw.tookMs).toFixed(2);
    return {
      figure: `process start to first lock, ${title}, ${isWhole ? 'a whole' : cpus} CPU`,
      goal,
      measured: `${shown(sample)} (${factor} × a raw PUT)`,
      isMet: sample.tookMs <= limitMs && sample.rssMiB <= LIMIT_MIB,
      rival: `raw PUT ${shown(raw)}; client-node alone, without a lock, ${shown(clientNode)}`,
    };
  });
}

async function runAll({ cluster, isQuick, say }: Stage): Promise<Result> {
  const build = fileURLToPath(new URL('../../tools/harness/processes/build.js', import.meta.url));
  const { stdout } = await run(process.execPath, [build]);
  const programs = join(stdout, '../../../bench/workers');
  const folder = await mkdtemp(join(tmpdir(), 'cold-'));
  try {
    const ways = await waysOf(cluster, folder);
    const figures: Figure[] = [];
    for (const cpus of SHARES) {
      const share = shareOf(cpus);
      if (share === null && cpus < 1) {
        say(`no cgroup can be made here: nothing measured at ${cpus} CPU`);
        continue;
      }
      try {
        const measured = await measure(ways, programs, share, isQuick ? 3 : 9);
        figures.push(...figuresOf(cpus, ways, measured));
      } finally {
        share?.remove();
      }
    }
    return { figures };
  } finally {
    await rm(folder, { recursive: true });
  }
}

export const coldStart: Row = { name: 'cold-start', run: runAll };
