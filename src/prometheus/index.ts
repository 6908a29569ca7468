/// <reference types="node" preserve="true" />
/**
 * Metrics of all locks and elections of a process, for Prometheus. Needs `prom-client`, which is not installed
 * with this package.
 *
 * ```ts
 * import { collectMetrics } from '@metaparticle/sync/prometheus';
 *
 * collectMetrics();
 * ```
 *
 * @packageDocumentation
 */
import prom from 'prom-client';
import type { Registry } from 'prom-client';
import { listen } from '../diagnostics.js';
import { InvalidOptionError } from '../errors.js';
import { rejectUnknown } from '../options.js';
import { metricsIn } from './metrics.js';
import { MetricsRecorder } from './recorder.js';

/** For {@link collectMetrics}. */
export interface MetricsOptions {
  /** Where the metrics are to be found. Default: prom-client's own registry. */
  readonly register?: Registry | undefined;
}

const taken = new WeakSet<Registry>();

/**
 * From now on, what the locks and elections of all clients of this process do is counted. Their names and labels
 * are listed in docs/operations.md; none has an identity or a token as a label.
 *
 * @returns ends it; the metrics stay in the registry as they are then
 * @throws InvalidOptionError when the registry has them already
 */
export function collectMetrics(options: MetricsOptions = {}): () => void {
  rejectUnknown(options, ['register']);
  const register = options.register ?? prom.register;
  if (typeof (register as Partial<Registry> | null)?.registerMetric !== 'function') {
    throw new InvalidOptionError('register', register, 'must be a Registry of prom-client');
  }
  if (taken.has(register)) {
    const rule = 'has these metrics already: call collectMetrics once per registry';
    throw new InvalidOptionError('register', 'a registry', rule);
  }
  const recorder = new MetricsRecorder(metricsIn(register));
  taken.add(register);
  return listen(recorder);
}
