import { Command, Option } from 'commander';
import { hostOf } from '../client.js';
import type { Clock } from '../lease/clock.js';
import type { Evicted } from '../lease/protocol/state.js';
import { isVacant, keyOf, type Lease } from '../lease/record.js';
import { resolveOptions } from '../options.js';
import { parseToken } from './arguments.js';
import { addClusterOptions, addOutputOption, openCluster } from './cluster.js';
import type { Cluster, ClusterOptions } from './cluster.js';
import { evict, type Taken } from './eviction.js';
import { exitCodes } from './exit-codes.js';
import { Interrupts, aborted } from './interrupt.js';
import { age } from './table.js';
import type { Context, Terminal } from './terminal.js';

interface BreakArguments extends ClusterOptions {
  readonly ifToken?: bigint;
  readonly ifHolder?: string;
  readonly force?: true;
  readonly output: 'table' | 'json';
}

const EXAMPLES = `
Examples:
  # who holds it, with which token?
  metaparticle-sync status settle-payments

  # take it from that term, and from no later one
  metaparticle-sync break settle-payments --if-token 4711

The lease is taken over by compare-and-swap, so its holder learns of it at once by watch, and at the latest
when its belief ends. It is kept for as long as that may take, its whole duration, and then released.
--force releases it at once: until the former holder has learnt of it, two may consider it held.`;

export function breakCommand(context: Context): Command {
  const command = new Command('break')
    .summary('forcibly release a lease')
    .description('Forcibly release a lease: take it from its holder, and give it free.')
    .argument('<name>', 'name of a lock or election')
    .addOption(
      new Option('--if-token <token>', 'only from the term with that fencing token')
        .argParser(parseToken)
        .conflicts('ifHolder'),
    )
    .option('--if-holder <identity>', 'only from that holder; for those that have no token')
    .option('--force', 'give it free without waiting until its holder has certainly stopped')
    .addHelpText('after', EXAMPLES);
  addOutputOption(addClusterOptions(command));
  return command.action(async (name: string, options: BreakArguments) => {
    const evicts = evictedBy(options);
    if (evicts === null) {
      return command.error(
        'error: specify --if-token or, for a holder without a token, --if-holder: status shows both',
      );
    }
    context.end(await breakLease(name, evicts, options, context));
  });
}

function evictedBy({ ifToken, ifHolder }: BreakArguments): Evicted | null {
  if (ifToken !== undefined) return { token: ifToken };
  return ifHolder === undefined ? null : { holder: ifHolder };
}

async function breakLease(
  name: string,
  evicts: Evicted,
  options: BreakArguments,
  { terminal }: Context,
): Promise<number> {
  using interrupts = new Interrupts();
  const cluster = await openCluster(options, terminal);
  try {
    return await breakOn(cluster, name, evicts, options, terminal, interrupts.asked);
  } finally {
    await cluster.client.close();
  }
}

/**
 * @param signal calls it off
 * @returns the exit code
 */
export async function breakOn(
  cluster: Cluster,
  name: string,
  evicts: Evicted,
  options: Pick<BreakArguments, 'force' | 'output'>,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  const eviction = await evict(cluster, name, evicts, signal);
  if (!eviction.isTaken) {
    terminal.tell(whyNot(eviction.lease, `${cluster.namespace}/${name}`, evicts));
    return exitCodes.notAcquired;
  }
  if (options.force !== true)
    await sitOut(eviction, hostOf(cluster.client).clock, signal, terminal);
  eviction.keeper.stop();
  await eviction.keeper.ended;
  return report(eviction, options, terminal);
}

function whyNot(lease: Lease | null, name: string, evicts: Evicted): string {
  if (lease === null) return `there is no Lease ${name}`;
  const { record, mark } = lease;
  if (isVacant(record)) return `no process holds ${name}`;
  const token = mark === null ? 'without a token' : `with token ${mark.token}`;
  const what = 'token' in evicts ? `token ${evicts.token}` : `holder "${evicts.holder}"`;
  return `${what} does not match: ${name} is held by "${record.holder}" ${token}`;
}

/**
 * Until the former holder cannot consider it held any more: for its duration, counted on our own clock from when the
 * server had confirmed, since its last renewal was sent before.
 *
 * @throws LockLostError when it is lost meanwhile; the reason of the signal
 */
async function sitOut(
  { evicted: { key, record }, keeper }: Taken,
  clock: Clock,
  signal: AbortSignal,
  terminal: Terminal,
): Promise<void> {
  const durationMs = record.durationMs ?? resolveOptions({}).leaseDurationMs;
  terminal.tell(
    `taken from "${record.holder}"; it may consider the lease held for up to ${age(durationMs)}`,
  );
  const wait = new AbortController();
  const cancel = clock.after(durationMs, () => wait.abort());
  await aborted(AbortSignal.any([wait.signal, keeper.signal, signal]));
  cancel();
  keeper.signal.throwIfAborted();
  if (!signal.aborted) return;
  keeper.abandon();
  terminal.tell(`${keyOf(key)} is not released: it runs out by itself, within ${age(durationMs)}`);
  signal.throwIfAborted();
}

/** What became of it, and no more. @returns the exit code */
function report(
  { evicted: { key, record, mark }, keeper }: Taken,
  options: Pick<BreakArguments, 'force' | 'output'>,
  terminal: Terminal,
): number {
  const isFree = keeper.end?.how === 'released';
  const lost = { ...key, holder: record.holder, token: mark?.token.toString() ?? null };
  if (options.output === 'json') {
    terminal.printJson({ lost, waited: options.force !== true, free: isFree });
  } else if (isFree) {
    const token = mark === null ? '' : `, token ${mark.token}`;
    terminal.print(`${keyOf(key)} is released (was held by "${record.holder}"${token})`);
  }
  if (isFree) return 0;
  const why = keeper.lastFailure === undefined ? '' : `: ${keeper.lastFailure.message}`;
  terminal.tell(
    `${keyOf(key)} was taken from "${record.holder}", and its release is not confirmed${why}; status shows what stands`,
  );
  return exitCodes.unavailable;
}
