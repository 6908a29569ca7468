// What all acts share.
import type { Crew } from './crew.js';
import type { Expectations } from './expectations.js';
import type { Settings } from './messages.js';
import type { Timeline } from './timeline.js';

export interface Stage {
  readonly crew: Crew;
  readonly timeline: Timeline;
  readonly expectations: Expectations;
  /** Settings of a process that works with this lease. */
  readonly settingsOf: (identity: string, lease: 'leader' | 'counter') => Settings;
  /** Rejects when the demo is interrupted. */
  readonly sleep: (ms: number) => Promise<void>;
}
