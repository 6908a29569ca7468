// A process that notes when this machine stalled: its own timer came late, or a raw PUT took far longer than usual.
import { setTimeout as sleep } from 'node:timers/promises';
import { serve, settings } from './serve.js';
import { now } from './time.js';
import { Yardstick } from './yardstick.js';

export interface WitnessSettings {
  /** Path of the Leases of a namespace, for raw PUTs; without it only the timer is looked at. */
  readonly leases?: string;
}

/** A stretch of time in which nothing here went on as it should. Times are those of `now()`. */
export interface Stall {
  readonly from: number;
  readonly until: number;
}

export type WitnessCalls = typeof calls;

const TICK_MS = 10;
/** A timer that is less late than this is one of every day. */
const LATE_MS = 40;
/** As often as a holder may renew at most. */
const PUT_EVERY_MS = 1_000;
/** On an idle machine a raw PUT takes 2 to 10 ms. */
const SLOW_PUT_MS = 150;
const KEPT_MS = 600_000;

const { leases } = settings() as WitnessSettings;
let stalls: Stall[] = [];
let tickedAt = now();
/** Since when the PUT under way has been unanswered. */
let askedAt: number | null = null;

function note(stall: Stall): void {
  stalls = [...stalls.filter(({ until }) => until > now() - KEPT_MS), stall];
}

setInterval(() => {
  const from = tickedAt + TICK_MS;
  tickedAt = now();
  if (tickedAt - from > LATE_MS) note({ from, until: tickedAt });
}, TICK_MS);

async function measure(path: string): Promise<void> {
  const yardstick = await Yardstick.open(path, `witness-${process.pid}`);
  for (;;) {
    askedAt = now();
    const took = await yardstick.put();
    if (took > SLOW_PUT_MS) note({ from: askedAt + SLOW_PUT_MS, until: askedAt + took });
    askedAt = null;
    await sleep(PUT_EVERY_MS);
  }
}

const calls = {
  /** Every stall that overlaps with the time between the two, the one under way included. */
  stalls: ({ from, until }: Stall): readonly Stall[] => {
    const open = askedAt === null ? [] : [{ from: askedAt + SLOW_PUT_MS, until: now() }];
    const all = [...stalls, ...open.filter((one) => one.from < one.until)];
    return all.filter((one) => one.from < until && one.until > from);
  },
};

// A server that goes away takes the yardstick with it, and the timer goes on.
if (leases !== undefined) measure(leases).catch(() => (askedAt = null));
serve(calls);
