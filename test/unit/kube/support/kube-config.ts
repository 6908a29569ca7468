import type { RequestOptions } from 'node:https';
import type { KubeConfigLike } from '../../../../src/lease/kube/config.js';

/** An address that no request reaches: what stands behind it is up to the wire. */
export const SERVER = 'https://api.invalid';

export function kubeConfigOf(
  server = SERVER,
  apply: (options: RequestOptions) => Promise<void> = () => Promise.resolve(),
): KubeConfigLike {
  return {
    getCurrentCluster: () => ({ server }),
    getCurrentContext: () => 'test',
    getContextObject: () => ({ namespace: 'default' }),
    applyToHTTPSOptions: apply,
  };
}
