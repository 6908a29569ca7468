import { systemClock } from '../clock.js';

/** What the configuration of a process is found by. Tests bring their own. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  /** Stands before the paths that a kubelet fixes. */
  readonly root: string;
  /** Monotonic, milliseconds. */
  readonly now: () => number;
}

export const processSurroundings: Surroundings = {
  env: process.env,
  platform: process.platform,
  root: '',
  now: () => systemClock.monotonic(),
};
