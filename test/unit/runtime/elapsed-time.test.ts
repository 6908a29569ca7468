import { describe, expect, it } from '@jest/globals';
import { fc } from '../../support/property.js';
import { elapsedTime } from '../../../src/lease/elapsed-time.js';

/** A machine whose up-time moves in steps, and what its clock says of it. */
class Machine {
  /** What really passed, suspensions included. */
  passed = 0;
  suspended = 0;
  /** Added to what the system calls up-time, which may follow the wall clock. */
  setBy = 0;
  readonly clock: ReturnType<typeof elapsedTime>;
  readonly #start: number;

  constructor(
    readonly grain: number,
    readonly phase: number,
  ) {
    this.clock = elapsedTime(
      () => 5_000 + this.passed - this.suspended,
      () => Math.floor((900_000 + phase + this.passed + this.setBy) / grain) * grain,
    );
    this.#start = this.clock.now();
  }

  run(ms: number): void {
    this.passed += ms;
  }

  suspend(ms: number): void {
    this.passed += ms;
    this.suspended += ms;
  }

  /** Milliseconds since the machine was made, as its clock has it. */
  since(): number {
    return this.clock.now() - this.#start;
  }
}

const phases = fc.double({ min: 0, max: 1_000, noNaN: true });
const grains = fc.constantFrom(1, 10, 100, 1_000);
/** How long it runs and is suspended in turn, and after which of these the clock is asked. */
const rhythms = fc.array(
  fc.record({
    run: fc.double({ min: 0, max: 3_000, noNaN: true }),
    suspend: fc.oneof(
      { weight: 3, arbitrary: fc.constant(0) },
      fc.double({ min: 0, max: 30_000, noNaN: true }),
    ),
    isAsked: fc.boolean(),
  }),
  { maxLength: 60 },
);

describe('elapsed time', () => {
  it('is the monotonic time while nothing happens', () => {
    const machine = new Machine(10, 3);
    machine.run(1_000);
    expect(machine.since()).toBeCloseTo(1_000);
    machine.run(0.25);
    expect(machine.since()).toBeCloseTo(1_000.25);
  });

  it('counts a suspension, which the monotonic clock does not see', () => {
    const machine = new Machine(10, 0);
    machine.run(1_000);
    machine.suspend(60_000);
    expect(machine.since()).toBeGreaterThanOrEqual(61_000 - machine.clock.unseenMs);
    expect(machine.since()).toBeLessThanOrEqual(61_000);
  });

  it('is never sped up by the grain of the up-time, whenever it is asked', () => {
    fc.assert(
      fc.property(grains, phases, rhythms, (grain, phase, rhythm) => {
        const machine = new Machine(grain, phase);
        for (const { run, isAsked } of rhythm) {
          machine.run(run);
          if (isAsked) expect(machine.since()).toBeLessThanOrEqual(machine.passed + 1e-3);
        }
        expect(machine.since()).toBeCloseTo(machine.passed, 3);
      }),
    );
  });

  it('counts no more than what was suspended, and misses at most two grains of all of it', () => {
    fc.assert(
      fc.property(grains, phases, rhythms, (grain, phase, rhythm) => {
        const machine = new Machine(grain, phase);
        for (const { run, suspend, isAsked } of rhythm) {
          machine.run(run);
          machine.suspend(suspend);
          if (!isAsked) continue;
          const since = machine.since();
          expect(since).toBeLessThanOrEqual(machine.passed + 1e-3);
          expect(since).toBeGreaterThanOrEqual(machine.passed - machine.clock.unseenMs - 1e-3);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('misses at most two grains between any two moments, however many suspensions lie between', () => {
    fc.assert(
      fc.property(grains, phases, rhythms, (grain, phase, rhythm) => {
        const machine = new Machine(grain, phase);
        const readings: { since: number; passed: number; unseenMs: number }[] = [];
        for (const { run, suspend, isAsked } of rhythm) {
          machine.run(run);
          machine.suspend(suspend);
          if (!isAsked) continue;
          const since = machine.since();
          // The grain is known better with each reading: what counts is what was said at the time.
          readings.push({ since, passed: machine.passed, unseenMs: machine.clock.unseenMs });
        }
        for (const [n, later] of readings.entries()) {
          for (const earlier of readings.slice(0, n)) {
            const missing = later.passed - earlier.passed - (later.since - earlier.since);
            expect(missing).toBeLessThanOrEqual(later.unseenMs + 1e-3);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('never goes back, and never runs slower than the monotonic clock', () => {
    const machine = new Machine(10, 5);
    let last = 0;
    for (const jump of [0, -5, 7, -90, 30, 5_000, -8_000, 120, -3_000, 40, 9_000, -1, 1]) {
      machine.run(10);
      machine.setBy += jump;
      const now = machine.since();
      expect(now).toBeGreaterThanOrEqual(last + 10 - 1e-6);
      last = now;
    }
  });

  it('counts a suspension after an up-time that follows the wall clock was set back', () => {
    const machine = new Machine(10, 0);
    machine.run(100);
    machine.setBy -= 3_600_000;
    expect(machine.since()).toBeCloseTo(100);
    machine.suspend(30_000);
    expect(machine.since()).toBeGreaterThanOrEqual(30_100 - 2 * machine.clock.unseenMs);
  });

  it('takes an up-time that was set forward for a suspension: belief may end early, not late', () => {
    const machine = new Machine(10, 0);
    machine.run(100);
    machine.setBy += 3_600_000;
    expect(machine.since()).toBeGreaterThanOrEqual(3_600_000);
  });

  it('finds the grain by itself: whole seconds, tenths, hundredths or finer', () => {
    for (const [grain, unseenMs] of [
      [1_000, 2_000],
      [100, 200],
      [10, 20],
      [1, 2],
      [0.25, 2],
    ] as const) {
      const machine = new Machine(grain, 0);
      for (let step = 0; step < 20; step++) {
        machine.run(17.375);
        machine.since();
      }
      expect(machine.clock.unseenMs).toBe(unseenMs);
    }
  });

  it.each([
    ['the first time', [3_000]],
    ['the first times', [3_000, 2_000, 700]],
    ['later', [0, 0, 0, 0, 0, 0, 3_000]],
  ])('does not run ahead when the process had to wait between two readings %s', (_, waits) => {
    let mono = 1_000;
    const uptime = (): number => {
      const up = 50_000 + Math.floor(mono / 10) * 10;
      mono += waits.shift() ?? 0;
      return up;
    };
    const clock = elapsedTime(() => mono, uptime);
    for (let ask = 0; ask < 10; ask++) expect(clock.now() - mono).toBe(0);
  });

  it('sees the whole of a suspension although the process had to wait between two readings', () => {
    let [mono, suspended, waits] = [1_000, 0, 0];
    const uptime = (): number => {
      const up = 50_000 + Math.floor((mono + suspended) / 10) * 10;
      mono += waits;
      waits = 0;
      return up;
    };
    const clock = elapsedTime(() => mono, uptime);
    suspended = 60_000;
    waits = 3_000;
    expect(clock.now() - mono).toBeGreaterThanOrEqual(60_000 - clock.unseenMs);
  });

  it('is not moved by a process that had to wait between two readings', () => {
    let mono = 1_000;
    let waits = 0;
    const uptime = (): number => {
      mono += waits;
      return 50_000 + Math.floor(mono / 10) * 10;
    };
    const clock = elapsedTime(() => mono, uptime);
    const offset = clock.now() - mono;
    for (waits of [0, 5, 700, 0, 3_000, 0]) {
      const now = clock.now();
      expect(now - mono).toBeCloseTo(offset);
    }
  });
});
