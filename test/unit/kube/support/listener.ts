import type { SyncWarning } from '../../../../src/errors.js';
import type { KubeConfigLike } from '../../../../src/lease/kube/config.js';
import { KubeLeaseWatch } from '../../../../src/lease/kube/watch.js';
import type { WatchListener, WatchNews } from '../../../../src/lease/store.js';
import { routeTo } from './sending.js';

/** Writes down what a watch tells, one word each: `live`, `dead`, `gap`, `absent`, or the holder. */
export class Recorder implements WatchListener {
  readonly words: string[] = [];
  readonly versions: (bigint | null)[] = [];
  isLive = false;
  gaps = 0;

  news(news: WatchNews): void {
    if (news.kind === 'absent') this.versions.push(news.version);
    else this.versions.push(news.lease.version);
    this.words.push(news.kind === 'absent' ? 'absent' : news.lease.record.holder);
  }

  live(on: boolean): void {
    this.isLive = on;
    this.words.push(on ? 'live' : 'dead');
  }

  gap(): void {
    this.gaps++;
    this.words.push('gap');
  }

  has(word: string): boolean {
    return this.words.includes(word);
  }

  /** Only what was told of the lease. */
  get told(): string[] {
    return this.words.filter((word) => !['live', 'dead', 'gap'].includes(word));
  }
}

export function watchOf(
  kubeConfig: KubeConfigLike,
  refusedPauseMs?: number,
): { watch: KubeLeaseWatch; warnings: SyncWarning[] } {
  const warnings: SyncWarning[] = [];
  const watch = new KubeLeaseWatch({
    ...routeTo(kubeConfig),
    random: Math.random,
    warn: (warning) => warnings.push(warning),
    ...(refusedPauseMs === undefined ? {} : { refusedPauseMs }),
  });
  return { watch, warnings };
}
