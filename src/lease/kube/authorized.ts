import type { Agent } from 'node:http';
import type { RequestOptions } from 'node:https';

/** Everything a request needs before its path and body; credentials inside, so never log one. */
export interface Authorized {
  readonly options: RequestOptions;
  /** Set only when the cluster is behind a proxy: this agent knows the way. */
  readonly proxyAgent: Agent | null;
}
