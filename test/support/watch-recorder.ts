// Writes down what a watch delivers.
import type { WatchListener, WatchNews } from '../../src/lease/store.js';

/** One word for each delivery: `live`, `dead`, `gap`, `absent`, or the holder of the lease. */
export class WatchRecorder implements WatchListener {
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

  /** The words about the lease alone. */
  get told(): string[] {
    return this.words.filter((word) => !['live', 'dead', 'gap'].includes(word));
  }
}
