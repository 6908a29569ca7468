/** What is left to client-node: exec plugins, auth providers, proxies. Importing it takes 0.6 s of processor time. */
import type { KubeConfigLike } from './kube-config-like.js';
import type { ClusterEntry, Selection, UserEntry } from './kubeconfig-file.js';

/** Its reading of what ours has found and checked, so that both ways refuse the same mistakes. */
export async function loadWithClientNode(selection: Selection): Promise<KubeConfigLike> {
  const { context, cluster, user } = selection;
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [clusterOf(cluster)],
    users: [userOf(user)],
    contexts: [{ ...context, cluster: cluster.name, user: user.name }],
    currentContext: context.name,
  });
  return config;
}

/** Where client-node ends when it has found nothing. */
const NOTHING_FOUND = 'http://localhost:8080';

/** What client-node finds in places that we do not know; `null` when there is nothing. */
export async function searchWithClientNode(): Promise<KubeConfigLike | null> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromDefault();
  return config.getCurrentCluster()?.server === NOTHING_FOUND ? null : config;
}

/** In client-node a file comes before data, in kubectl data before a file. */
function clusterOf({ isInsecure, caFile, ...rest }: ClusterEntry): object {
  return {
    ...rest,
    caFile: rest.caData === undefined ? caFile : undefined,
    skipTLSVerify: isInsecure,
  };
}

function userOf({ certFile, keyFile, tokenFile, authProvider, ...rest }: UserEntry): object {
  const credentials = {
    ...rest,
    // Left out, client-node sends the word "undefined".
    password: rest.password ?? '',
    certFile: rest.certData === undefined ? certFile : undefined,
    keyFile: rest.keyData === undefined ? keyFile : undefined,
  };
  if (authProvider !== undefined || tokenFile === undefined) {
    return { ...credentials, authProvider };
  }
  // client-node reads `tokenFile`, the spelling of kubectl, only from an auth provider.
  const fromFile = { name: 'tokenFile', config: { tokenFile } };
  return { ...credentials, token: undefined, authProvider: fromFile };
}
