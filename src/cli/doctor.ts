import { Command } from 'commander';
import { addClusterOptions, addOutputOption, openCluster, type ClusterOptions } from './cluster.js';
import { Api } from './api.js';
import {
  askRights,
  checkAnswers,
  checkClock,
  checkHandOff,
  checkRights,
  type Finding,
} from './findings.js';
import { exitCodes } from './exit-codes.js';
import { table } from './table.js';
import type { Context, Terminal } from './terminal.js';

interface DoctorArguments extends ClusterOptions {
  readonly readOnly?: true;
  readonly output: 'table' | 'json';
}

export function doctorCommand(context: Context): Command {
  const command = new Command('doctor')
    .summary('check whether locks and elections can work here')
    .description(
      'Check configuration, API server, rights, clock and hand-off, and say what to do about what is wrong.',
    )
    .option('--read-only', 'make no Lease to try a hand-off with');
  addOutputOption(addClusterOptions(command));
  return command.action(async (options: DoctorArguments) => {
    context.end(await examine(options, context));
  });
}

async function examine(options: DoctorArguments, { terminal }: Context): Promise<number> {
  const cluster = await openCluster(options, terminal);
  using api = new Api(cluster.kubeConfig);
  const context = cluster.kubeConfig.getCurrentContext();
  const found: Finding[] = [
    {
      ...{ check: 'configuration', verdict: 'ok' },
      detail: `context ${context}, server ${api.server}, namespace ${cluster.namespace}`,
    },
  ];
  const answers = await checkAnswers(api, cluster.namespace);
  found.push(...answers);
  if (answers.every(({ verdict }) => verdict !== 'failed')) {
    found.push(await checkClock(api));
    const rights = await askRights(api, cluster.namespace);
    found.push(...checkRights(rights, cluster.namespace));
    found.push(await checkHandOff(cluster, rights, options.readOnly === true));
  }
  report(found, options.output, terminal);
  const hasFailed = found.some(({ verdict }) => verdict === 'failed');
  return hasFailed ? exitCodes.unavailable : 0;
}

function report(found: readonly Finding[], output: 'table' | 'json', terminal: Terminal): void {
  if (output === 'json') {
    for (const one of found) terminal.printJson(one);
    return;
  }
  const rows = found.map(({ verdict, check, detail }) => [verdict, check, detail]);
  for (const [index, row] of table(rows).entries()) {
    terminal.print(row);
    const { advice } = found[index] ?? {};
    if (advice !== undefined) terminal.print(`  → ${advice}`);
  }
}
