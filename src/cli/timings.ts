import { Option, type Command } from 'commander';
import { InvalidOptionError } from '../errors.js';
import { resolveOptions } from '../options.js';
import { parseDuration } from './arguments.js';

/** Timings of a term on the command line. */
export interface TimingOptions {
  readonly leaseDuration?: number;
  readonly renewInterval?: number;
  readonly margin?: number;
  readonly killAfter: number;
}

/** Room for the kill itself, and for what a process that is killed still has on its way. */
const KILL_ROOM_MS = 500;

export function addTimingOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--kill-after <duration>', 'from SIGTERM to SIGKILL when the lease is lost')
        .argParser(parseDuration)
        .default(1_000, '1s'),
    )
    .option('--lease-duration <duration>', 'others leave it alone so long (15s)', parseDuration)
    .option('--renew-interval <duration>', 'from one renewal to the next (2s)', parseDuration)
    .option('--margin <duration>', 'it counts as lost so long before (2s)', parseDuration);
}

/**
 * As a Lock and an Election take them.
 * @throws InvalidOptionError when a command that ignores SIGTERM could live on while somebody else holds the lease
 */
export function timingsOf({ leaseDuration, renewInterval, margin, killAfter }: TimingOptions) {
  const timings = {
    leaseDurationMs: leaseDuration,
    renewIntervalMs: renewInterval,
    marginMs: margin,
  };
  const { marginMs } = resolveOptions(timings);
  if (killAfter > marginMs - KILL_ROOM_MS) {
    const most = `at most margin − ${KILL_ROOM_MS}ms = ${marginMs - KILL_ROOM_MS}ms`;
    const reason = 'so that the command is dead before anyone else may hold the lease';
    throw new InvalidOptionError('kill-after', `${killAfter}ms`, `must be ${most}, ${reason}`);
  }
  return timings;
}
