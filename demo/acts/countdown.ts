import { now, timings } from '../messages.js';
import type { Stage } from '../stage.js';

/**
 * Makes the wait for a lease to run out visible, second by second since its last renewal.
 *
 * @param belief what happens when a holder stops believing, which is a margin before the end
 */
export async function countDown(
  { timeline, sleep }: Stage,
  renewedAt: number,
  belief: string,
): Promise<void> {
  const { leaseDurationMs, marginMs } = timings;
  for (let ms = 1_000; ms <= leaseDurationMs; ms += 1_000) {
    await sleep(Math.max(0, renewedAt + ms - now()));
    const notes = new Map([
      [1_000, ' since the last renewal'],
      [leaseDurationMs - marginMs, `: ${belief}`],
      [leaseDurationMs, ': the lease has run out, another may take over'],
    ]);
    timeline.add({ at: renewedAt + ms, who: '', what: `${ms / 1_000} s${notes.get(ms) ?? ''}` });
  }
}
