import type { RequestOptions } from 'node:https';

/**
 * What this library needs of a `KubeConfig`: where the API server is and how to authenticate. Structural, so
 * that the class of `@kubernetes/client-node` 1.x and of 2.x fit, and any object of one's own.
 */
export interface KubeConfigLike {
  getCurrentCluster(): {
    readonly server: string;
    /** Requests then go through the `agent` that `applyToHTTPSOptions` sets. */
    readonly proxyUrl?: string | undefined;
  } | null;
  getCurrentContext(): string;
  getContextObject(name: string): { readonly namespace?: string | undefined } | null;
  /** Called before every request; sets `headers`, `auth`, `ca`, `cert`, `key` and the like. */
  applyToHTTPSOptions(options: RequestOptions): Promise<void>;
}
