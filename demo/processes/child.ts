// What candidates and workers have in common: how they reach the cluster and the demo.
import { LeaseClient, type KubeConfigLike } from '@metaparticle/sync';
import {
  ENDING_SIGNALS,
  now,
  type Api,
  type Command,
  type Report,
  type Settings,
} from '../messages.js';

export const settings = JSON.parse(process.argv[2] ?? '{}') as Settings;

/** A service in a pod needs none of this: `new LeaseClient()` finds the cluster and the pod's name itself. */
export async function connect(): Promise<LeaseClient> {
  const { api, namespace, identity } = settings;
  const kubeConfig = await kubeConfigOf(api);
  const onWarning = ({ message }: Error): void => tell({ type: 'warning', at: now(), message });
  return new LeaseClient({ kubeConfig, namespace, identity, onWarning });
}

async function kubeConfigOf(api: Api): Promise<KubeConfigLike> {
  if ('url' in api) return embeddedConfig(api.url, api.token);
  const { KubeConfig } = await import('@kubernetes/client-node');
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(api.kubeConfigFile);
  kubeConfig.setCurrentContext(api.context);
  return kubeConfig;
}

/** All that is needed of a kubeconfig. The server's own process has it ready-made: `server.kubeConfig`. */
function embeddedConfig(server: string, token: string): KubeConfigLike {
  return {
    getCurrentCluster: () => ({ server }),
    getCurrentContext: () => 'embedded',
    getContextObject: () => ({ namespace: 'default' }),
    applyToHTTPSOptions: (options) => {
      options.headers = { authorization: `Bearer ${token}` };
      return Promise.resolve();
    },
  };
}

export function tell(report: Report): void {
  if (process.connected) process.send?.(report);
}

/** Tells the demo why this process cannot go on, and ends it. */
export function fail(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  const report: Report = { type: 'failed', at: now(), message };
  process.exitCode = 1;
  process.send?.(report, () => process.disconnect());
}

/** Never outlives the demo. Ctrl-C reaches all processes of a terminal; the demo answers it for all. */
export function obey(perform: (command: Command) => void): void {
  process.on('message', (command) => perform(command as Command));
  process.once('disconnect', () => process.exit());
  for (const signal of ENDING_SIGNALS) process.on(signal, () => undefined);
  tell({ type: 'ready', at: now() });
}
