import { rmSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig, VersionApi } from '@kubernetes/client-node';
import type { NamedCluster } from './index.js';

/**
 * Checks that the cluster answers. With a context, writes a kubeconfig that has it as current and
 * that is gone with this process.
 */
export async function openNamedCluster(
  file: string,
  context: string | undefined,
): Promise<NamedCluster> {
  const config = new KubeConfig();
  config.loadFromFile(file);
  let kubeConfigFile = file;
  if (context !== undefined && context !== '') {
    config.setCurrentContext(context);
    const folder = await mkdtemp(join(tmpdir(), 'kubeconfig-'));
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    kubeConfigFile = join(folder, 'kubeconfig');
    await writeFile(kubeConfigFile, config.exportConfig(), { mode: 0o600 });
  }
  const server = config.getCurrentCluster()?.server;
  if (server === undefined) throw new Error(`${file}: the current context names no cluster`);
  const { gitVersion } = await config.makeApiClient(VersionApi).getCode();
  return { kind: 'named', version: gitVersion, server, kubeConfigFile };
}
