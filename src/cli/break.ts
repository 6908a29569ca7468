import { Command, Option } from 'commander';
import { setTimeout as sleep } from 'node:timers/promises';
import { UnsupportedLeaseError } from '../errors.js';
import { systemClock } from '../lease/clock.js';
import { connect } from '../lease/kube/connect.js';
import { keyOf, type Lease } from '../lease/record.js';
import { addClusterOptions, addOutputOption, openCluster, type ClusterOptions } from './cluster.js';
import { exitCodes } from './exit-codes.js';
import { Seizure, durationOf } from './seizure.js';
import type { Context, Terminal } from './terminal.js';

interface BreakArguments extends ClusterOptions {
  readonly ifToken?: string;
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

The lease is taken over by compare-and-swap, so its holder learns of it at once by watch, and at the latest when
its belief ends. It is kept for as long as that may take, its whole duration, and then vacated for whoever waits.
--force vacates it at once: until the former holder has learnt of it, two may believe to hold it.`;

export function breakCommand(context: Context): Command {
  const command = new Command('break')
    .summary('take a lease from its holder')
    .description('Take a lease from whoever holds it, and give it free.')
    .argument('<name>', 'name of a lock or election')
    .addOption(
      new Option('--if-token <token>', 'only from the term with that fencing token').conflicts(
        'ifHolder',
      ),
    )
    .option('--if-holder <identity>', 'only from that holder; for those that have no token')
    .option('--force', 'give it free without waiting until its holder has surely stopped')
    .addHelpText('after', EXAMPLES);
  addOutputOption(addClusterOptions(command));
  return command.action(async (name: string, options: BreakArguments) => {
    if (options.ifToken === undefined && options.ifHolder === undefined) {
      command.error('error: say from whom: --if-token or, where there is none, --if-holder');
    }
    context.end(await breakLease(name, options, context));
  });
}

async function breakLease(
  name: string,
  options: BreakArguments,
  { terminal }: Context,
): Promise<number> {
  const { client, kubeConfig, namespace } = await openCluster(options, terminal);
  const warn = (warning: Error): void => terminal.warn(warning);
  const connection = await connect({ kubeConfig, clock: systemClock, random: Math.random, warn });
  const letGo = systemClock.keepAlive();
  try {
    const seizure = new Seizure(connection.store, { namespace, name }, client.identity);
    const taken = await seizure.take((lease) => isThatTerm(lease, options));
    if (taken === null) {
      terminal.tell(whyNot(seizure.lease, `${namespace}/${name}`, options));
      return exitCodes.notAcquired;
    }
    if (options.force !== true) await sitOut(taken, terminal);
    await seizure.vacate();
    report(taken, options, terminal);
    return 0;
  } finally {
    letGo();
    connection.close();
  }
}

function isThatTerm(lease: Lease, { ifToken, ifHolder }: BreakArguments): boolean {
  if (lease.strategy !== null) {
    throw new UnsupportedLeaseError(keyOf(lease.key), 'it belongs to coordinated leader election');
  }
  const { mark, record } = lease;
  if (record.holder === '') return false;
  return ifToken === undefined ? record.holder === ifHolder : mark?.token.toString() === ifToken;
}

function whyNot(lease: Lease | null, name: string, { ifToken }: BreakArguments): string {
  if (lease === null) return `there is no Lease ${name}`;
  const { record, mark } = lease;
  if (record.holder === '') return `nobody holds ${name}`;
  const wanted = ifToken === undefined ? 'that holder' : `the term ${ifToken}`;
  const term = mark === null ? 'a term without a token' : `the term ${mark.token}`;
  return `${name} is not in the hands of ${wanted} (any more): it is ${term} of "${record.holder}"`;
}

/** Counted on our own clock from when the server had confirmed: the holder's last renewal was sent before. */
async function sitOut(lease: Lease, terminal: Terminal): Promise<void> {
  const durationMs = durationOf(lease);
  terminal.tell(
    `taken from "${lease.record.holder}", who may believe to hold it for ${durationMs} ms`,
  );
  await sleep(durationMs);
}

function report({ key, record, mark }: Lease, options: BreakArguments, terminal: Terminal): void {
  const lost = { ...key, holder: record.holder, token: mark?.token.toString() ?? null };
  if (options.output === 'json') {
    terminal.printJson({ lost, waited: options.force !== true });
    return;
  }
  const term = mark === null ? '' : `, term ${mark.token}`;
  terminal.print(`${keyOf(key)} is free: "${record.holder}" lost it${term}`);
}
