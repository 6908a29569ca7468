import { Command, Option } from 'commander';
import { addOutputOption } from './cluster.js';
import { manifestsOf, type RoleArguments } from './role.js';
import type { Context } from './terminal.js';

const EXAMPLES = `
Examples:
  # what a service account needs for all locks and elections of its namespace
  metaparticle-sync rbac -n payments --service-account payments | kubectl apply -f -

  # for two of them alone
  metaparticle-sync rbac -n payments --service-account payments --names settle-payments ledger | kubectl apply -f -`;

export function rbacCommand(context: Context): Command {
  const command = new Command('rbac')
    .summary('print the Role that is needed')
    .description(
      'Print a Role and its binding with exactly the rights that locks and elections need.',
    )
    .addOption(new Option('-n, --namespace <name>', 'namespace of the Leases').default('default'))
    .option('--service-account <name>', 'who is bound to it', 'default')
    .option('--role-name <name>', 'of the Role and its binding', 'metaparticle-sync')
    .option('--names <name...>', 'of locks and elections (default: all of the namespace)')
    .option('--delete', 'for the option deleteOnRelease')
    .option('--list', 'for metaparticle-sync status')
    .option('--events', 'for the option recordEvents')
    .addHelpText('after', EXAMPLES);
  addOutputOption(command, ['yaml', 'json']);
  return command.action(async (options: RoleArguments & { readonly output: 'yaml' | 'json' }) => {
    const manifests = manifestsOf(options);
    if (options.output === 'json') {
      const list = { apiVersion: 'v1', kind: 'List', items: manifests };
      context.terminal.printText(JSON.stringify(list, null, 2));
      return;
    }
    const { dumpYaml } = await import('@kubernetes/client-node');
    context.terminal.printText(manifests.map((one) => dumpYaml(one).trimEnd()).join('\n---\n'));
  });
}
