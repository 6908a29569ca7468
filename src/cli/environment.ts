import type { Cluster } from './cluster.js';

/** What a command finds in its environment about the term that it runs in. */
export function environmentOf(
  { client, namespace }: Cluster,
  name: string,
  token: bigint,
): Readonly<Record<string, string>> {
  return {
    METAPARTICLE_SYNC_NAMESPACE: namespace,
    METAPARTICLE_SYNC_NAME: name,
    METAPARTICLE_SYNC_TOKEN: token.toString(),
    METAPARTICLE_SYNC_IDENTITY: client.identity,
  };
}
