import { Option, type Command } from 'commander';
import { LeaseClient } from '../index.js';
import { defaultNamespace, loadKubeConfig } from '../lease/kube/config.js';
import type { KubeConfigLike } from '../lease/kube/config.js';
import type { Terminal } from './terminal.js';

/** Which cluster, as kubectl is told. */
export interface ClusterOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
}

export function addClusterOptions(command: Command): Command {
  return command
    .option(
      '--kubeconfig <path>',
      'kubeconfig file (default: $KUBECONFIG, ~/.kube/config, the pod)',
    )
    .option('--context <name>', 'context of the kubeconfig (default: its current one)')
    .option('-n, --namespace <name>', "namespace of the Lease (default: the context's)");
}

export function addOutputOption(
  command: Command,
  formats: readonly [string, ...string[]] = ['table', 'json'],
): Command {
  const option = new Option('-o, --output <format>', 'how to show it');
  return command.addOption(option.choices(formats).default(formats[0]));
}

/** What was chosen: the client tells its warnings on the terminal. */
export interface Cluster {
  readonly client: LeaseClient;
  readonly kubeConfig: KubeConfigLike;
  readonly namespace: string;
}

/** @throws NoClusterConfigError, InvalidOptionError */
export async function openCluster(
  { kubeconfig, context, namespace: named, identity }: ClusterOptions & { identity?: string },
  terminal: Terminal,
): Promise<Cluster> {
  const kubeConfig = await loadKubeConfig({ file: kubeconfig, context });
  const namespace = named ?? defaultNamespace(kubeConfig);
  const onWarning = (warning: Error): void => terminal.warn(warning);
  const client = new LeaseClient({ kubeConfig, namespace, identity, onWarning });
  return { client, kubeConfig, namespace };
}
