// Only compiled, never run: the KubeConfig of client-node 2.x fits our option by its type.
import { KubeConfig } from '@kubernetes/client-node';
import { LeaseClient } from '@metaparticle/sync';

export const client = new LeaseClient({ kubeConfig: new KubeConfig() });
