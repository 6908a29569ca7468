// A small service: one process at a time writes the stock report, page by page.
import type { Lock } from '@metaparticle/sync';

/** Where pages go. It refuses a page with a token smaller than the greatest one it has seen. */
export interface PageStore {
  write(page: number, fencingToken: bigint): Promise<void>;
}

export type Outcome = 'written' | 'busy' | 'interrupted';

/** Writes the pages unless another process is at it; stops between pages when the lock is lost. */
export async function writeReport(lock: Lock, store: PageStore, pages: number): Promise<Outcome> {
  await using handle = await lock.tryAcquire();
  if (handle === null) return 'busy';
  for (let page = 1; page <= pages; page++) {
    if (!handle.isHeld()) return 'interrupted';
    await store.write(page, handle.fencingToken);
  }
  return handle.isHeld() ? 'written' : 'interrupted';
}
