import { Option, type Command } from 'commander';
import { InvalidOptionError } from '../errors.js';
import { resolveOptions } from '../options.js';
import { parseDuration } from './arguments.js';

/** Timings of a term on the command line. */
export interface TimingOptions {
  readonly leaseDuration?: number;
  readonly renewInterval?: number;
  readonly margin?: number;
  readonly killAfter?: number;
}

/** Room for the kill itself, and for what a process that is killed still has on its way. */
const KILL_ROOM_MS = 500;

export function addTimingOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--kill-after <duration>',
        'from SIGTERM to SIGKILL when the lease is lost (1s, less with a small margin)',
      ).argParser(parseDuration),
    )
    .option('--lease-duration <duration>', 'how long others leave it alone (15s)', parseDuration)
    .option(
      '--renew-interval <duration>',
      'from one renewal to the next (2/15 of the lease: 2s)',
      parseDuration,
    )
    .option(
      '--margin <duration>',
      'how long before its end it counts as lost (2/15 of it: 2s)',
      parseDuration,
    );
}

const USUAL_KILL_AFTER_MS = 1_000;

/** As a Lock and an Election take them, and the time that a command has to end in when the lease was lost. */
export interface Timings {
  readonly lease: {
    readonly leaseDurationMs: number | undefined;
    readonly renewIntervalMs: number | undefined;
    readonly marginMs: number | undefined;
  };
  readonly killAfterMs: number;
}

/** @throws InvalidOptionError when a command that ignores SIGTERM could live on while another process holds the lease */
export function timingsOf(options: TimingOptions): Timings {
  const lease = {
    leaseDurationMs: options.leaseDuration,
    renewIntervalMs: options.renewInterval,
    marginMs: options.margin,
  };
  const longestMs = resolveOptions(lease).marginMs - KILL_ROOM_MS;
  const { killAfter = Math.min(USUAL_KILL_AFTER_MS, longestMs) } = options;
  if (killAfter > longestMs) {
    const most = `at most margin − ${KILL_ROOM_MS}ms = ${longestMs}ms`;
    const reason = 'so that the command is dead before anyone else may hold the lease';
    throw new InvalidOptionError('--kill-after', `${killAfter}ms`, `must be ${most}, ${reason}`);
  }
  return { lease, killAfterMs: killAfter };
}
