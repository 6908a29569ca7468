// A process that takes part in the election. While it leads it has a job: it prepares something, then writes
// it to the store, again and again.
import { subscribe } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import { Election, diagnosticsChannels } from '@metaparticle/sync';
import type { EventMessage, Leading, StepMessage } from '@metaparticle/sync';
import { now, timings } from '../messages.js';
import { write } from '../store.js';
import { connect, fail, obey, settings, tell } from './child.js';

const PREPARING_MS = 250;

const client = await connect();
const stop = new AbortController();

const election = new Election(settings.lease, {
  client,
  ...timings,
  onStartedLeading: lead,
  onStoppedLeading: (reason) => tell({ type: 'stopped', at: now(), reason, ledAt }),
  onNewLeader: (leader) => tell({ type: 'sees', at: now(), leader }),
});

/** Of the last term. */
let leading: Leading | null = null;

async function lead(term: Leading): Promise<void> {
  leading = term;
  const { signal, fencingToken } = term;
  tell({ type: 'leads', at: now(), token: fencingToken });
  while (!signal.aborted) {
    tell({ type: 'prepares', at: now() });
    // Whatever was asked before may not be true any more after this: the process may be paused here.
    await sleep(PREPARING_MS);
    const answer = await write(settings.storeUrl, settings.identity, fencingToken);
    tell({ type: 'wrote', at: now(), ...answer });
  }
}

// Beside the job, a close look at the library: when it renewed, what it asked of the API server, and what
// `isLeader()` says every few milliseconds. A pause shows as a gap between two looks.
const LOOK_EVERY_MS = 50;
const PAUSE_MS = 1_000;
let ledAt = 0;
let lookedAt = now();
let requests = 0;
let requestsBefore = 0;

function look(): void {
  const at = now();
  const isLeader = election.isLeader();
  if (at - lookedAt > PAUSE_MS) {
    const isAborted = leading?.signal.aborted ?? false;
    const sinceThen = { pausedMs: at - lookedAt, requests: requests - requestsBefore };
    tell({ type: 'woke', at, isLeader, isAborted, ...sinceThen });
  }
  if (isLeader) ledAt = at;
  lookedAt = at;
  requestsBefore = requests;
}

let renewalSentAt: number | null = null;

subscribe(diagnosticsChannels.event, (message) => {
  const { event, before, verdict } = message as EventMessage;
  if (before !== 'holding') return;
  if (event === 'sent') renewalSentAt = now();
  if (event !== 'settled' || verdict !== 'ok' || renewalSentAt === null) return;
  tell({ type: 'renewed', at: renewalSentAt });
  renewalSentAt = null;
});

subscribe(diagnosticsChannels.step, (message) => {
  const { step } = message as StepMessage;
  if (step !== 'fail' && step !== 'yield') requests++;
});

obey((command) => {
  if (command.type === 'stop') stop.abort();
  if (command.type !== 'step-down') return;
  tell({ type: 'asked', at: now() });
  election.stepDown().catch(fail);
});

const looking = setInterval(look, LOOK_EVERY_MS);
try {
  await election.run({ signal: stop.signal });
  clearInterval(looking);
  await client.close();
  process.disconnect();
} catch (error) {
  fail(error);
}
