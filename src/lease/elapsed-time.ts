/**
 * How much time has really passed, suspensions of the machine included. Two clocks tell it together: the monotonic
 * one is fine and stands still while the machine is suspended; the up-time goes on, but in steps. The step of Linux is
 * 10 ms; some systems and containers (FreeBSD, older LXCFS) count whole seconds.
 *
 * Write `ahead` for up-time − monotonic. It grows by each suspension, and otherwise stays what it was; a reading of it
 * is too small by up to one step (the grain). So from the first reading to any later one it can grow by up to a grain
 * without a suspension, and only what goes beyond that is counted. Hence
 *
 * - a grain never speeds the clock up: what is counted is never more than what was suspended;
 * - at most two grains of all suspensions together are never counted: one of the first reading, one of the last.
 *
 * A process may have to wait between two readings, for `p` milliseconds, and reads again then. Where it has to wait each
 * time, the up-time and so the result are those of the moment before that wait: as if it had waited after it had asked.
 * What must not happen is that the first reading is the disturbed one, since all later ones are compared with it: the
 * clock would run ahead by `p`. So the first is the best of several.
 *
 * A caller that relies on it for safety keeps those two grains inside a margin: see `unseenMs`.
 */

export interface ElapsedTime {
  /** Milliseconds since some moment in the past; never goes back. */
  now(): number;
  /** At most this much of all suspensions is not counted. */
  readonly unseenMs: number;
}

/** Reading both clocks takes microseconds: what takes longer was interrupted, and is read again. */
const UNDISTURBED_MS = 1;
const MOST_READINGS = 5;

/** Steps that up-times are known to move in, milliseconds. */
const GRAINS = [1_000, 100, 10, 1] as const;

/**
 * @param monotonic stands still while the machine is suspended
 * @param uptime counts suspensions; a system whose up-time follows the wall clock may set it back, and then only
 * suspensions after that are counted
 */
export function elapsedTime(monotonic: () => number, uptime: () => number): ElapsedTime {
  let grain: number = GRAINS[0];
  let counted = 0;

  const read = () => {
    for (let reading = 1; ; reading++) {
      const before = monotonic();
      const up = uptime();
      const after = monotonic();
      grain = Math.min(grain, grainOf(up));
      // The truth lies between.
      if (after - before <= UNDISTURBED_MS || reading === MOST_READINGS)
        return { mono: after, least: up - after, most: up - before };
    }
  };

  let first = Math.max(...Array.from({ length: MOST_READINGS }, () => read().least));
  let greatest = first;
  return {
    now() {
      const { mono, least, most } = read();
      const setBack = greatest - grain - most;
      if (setBack > 0) {
        first -= setBack;
        greatest -= setBack;
      }
      greatest = Math.max(greatest, least);
      counted = Math.max(counted, greatest - first - grain);
      return mono + counted;
    },
    get unseenMs() {
      return 2 * grain;
    },
  };
}

/** The widest step that a reading fits: more of them tell it better. */
function grainOf(uptimeMs: number): number {
  const inMicroseconds = Math.round(uptimeMs * 1_000);
  return GRAINS.find((step) => inMicroseconds % (step * 1_000) === 0) ?? 1;
}
