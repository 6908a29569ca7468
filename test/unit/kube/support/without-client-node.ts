// Loads the configuration where every import of client-node fails, and prints what became of it. With `pod` and a
// folder: that of a service account below the folder; without: that of the environment, by which it takes a lock.
import type { RequestOptions } from 'node:https';
import { register } from 'node:module';

const hooks = `export function resolve(specifier, context, next) {
  if (specifier.startsWith('@kubernetes/client-node')) throw new Error('client-node was imported');
  return next(specifier, context);
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

const [, , mode, root = ''] = process.argv;
const { loadKubeConfig } = await import('../../../../src/lease/kube/config.js');
const { LeaseClient, Lock } = await import('../../../../src/index.js');

async function inPod(): Promise<string> {
  const { env, platform } = process;
  const config = await loadKubeConfig({}, { env, platform, root, now: () => 0 });
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  return JSON.stringify([config.getCurrentCluster()?.server, options.headers]);
}

async function byEnvironment(): Promise<string> {
  await using client = new LeaseClient();
  const handle = await new Lock('a', { client }).tryAcquire();
  return handle?.isHeld() === true ? 'held' : 'not held';
}

const result = await (mode === 'pod' ? inPod() : byEnvironment()).catch(String);
process.stdout.write(result);
