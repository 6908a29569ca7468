import debug from 'debug';
import { publishEvent, publishStep, type Subject } from '../diagnostics.js';
import type { Instant } from './clock.js';
import type { Event, State, Step, Terms } from './protocol/state.js';
import { keyOf, type LeaseKey } from './record.js';

const log = debug('metaparticle:sync:keeper');

/**
 * What is told of one attempt while it goes on: to `DEBUG=metaparticle:sync:keeper` one line per step and event,
 * which suffice to play the attempt again in the pure protocol, and to the diagnostics channels.
 */
export class Journal {
  readonly #subject: Subject;
  readonly #label: string;

  constructor(key: LeaseKey, { identity, nonce }: Terms) {
    this.#subject = { key, identity, nonce };
    this.#label = `${keyOf(key)} ${nonce}`;
  }

  begins(state: State, now: Instant, terms: Terms): void {
    if (log.enabled) this.#write('begins', { now, terms, state });
  }

  step(step: Exclude<Step, { do: 'wait' | 'end' }>, state: State, now: Instant): void {
    publishStep(this.#subject, step, state, now.monotonic);
    if (log.enabled) this.#write(`does ${describe(step)}`, { now, step });
  }

  event(event: Event, before: State, after: State, now: Instant): void {
    publishEvent(this.#subject, event, before, after, now.monotonic);
    if (!log.enabled) return;
    const title = `${event.type}: ${before.kind} -> ${after.kind}`;
    // The step that was begun stands in the line before.
    this.#write(title, event.type === 'begun' ? { now } : { now, event });
  }

  #write(title: string, detail: object): void {
    log('%s %s %s', this.#label, title, JSON.stringify(detail, plainly));
  }
}

function describe(step: Step): string {
  return step.do === 'write' ? `write (${step.write.intent})` : step.do;
}

/**
 * Versions and tokens as decimal text; of objects of the API only what was understood, and of a write not what it
 * replaces: that is the lease of the last news.
 */
function plainly(key: string, value: unknown): unknown {
  if (key === 'raw' || key === 'content' || (key === 'base' && typeof value === 'object'))
    return undefined;
  return typeof value === 'bigint' ? String(value) : value;
}
