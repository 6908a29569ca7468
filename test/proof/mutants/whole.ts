/** Decisions outside of the pure protocol, each turned; the simulation of the whole library must find what comes of it. */
import type { Mutant } from './mutant.js';

/**
 * A search ends at the first seed that shows the fault. It begins near one that did, which saves time alone: any
 * change of the library gives the seeds other stories, and then the search goes on to the next that shows it.
 */
const MOST_SEEDS = 999;

function simulated(
  name: string,
  what: string,
  from: number,
  [file, find, replace]: readonly [file: string, find: string, replace: string],
): Mutant {
  return { name, what, file: `${file}.ts`, find, replace, killer: { from, seeds: MOST_SEEDS } };
}

function mixed(
  name: string,
  what: string,
  mix: string,
  [file, find, replace]: readonly [file: string, find: string, replace: string],
): Mutant {
  return { name, what, file: `${file}.ts`, find, replace, killer: { mix } };
}

const turns: readonly Mutant[] = [
  mixed('announces-never', 'a waiter that is passed over only goes on trying', 'away-30', [
    'attempt',
    "announceAfterMs: aim === 'hold' && evicts === undefined ? ANNOUNCE_AFTER_MS : null,",
    'announceAfterMs: null,',
  ]),
  mixed(
    'announced-and-asleep',
    'a waiter without a watch that has announced itself looks no more often than before',
    'polling',
    ['lease/protocol/step', '? ANNOUNCED_POLL_MS : POLL_MS', '? POLL_MS : POLL_MS'],
  ),
  simulated(
    'no-field-manager',
    'a write that does not set renewTime counts for the API server as one of its manager',
    1,
    ['lease/kube/store', "'?fieldManager=metaparticle-sync-note'", "'?'"],
  ),
];

export const whole: readonly Mutant[] = [
  ...turns,
  simulated(
    'takeover-by-elapsed-clock',
    'a waiting candidate counts on two clocks, one of which stands still in suspension',
    7,
    ['lease/protocol/step', 'if (now.monotonic >= claimAt)', 'if (now.elapsed >= claimAt)'],
  ),
  simulated(
    'clock-believed-to-see-all',
    'belief is not shortened by what the clock misses of a suspension',
    110,
    ['attempt', 'unseenMs: unseenMs + TIMER_LATENESS_MS,', 'unseenMs: 0,'],
  ),
  simulated('sent-when-silent', 'a write that falls silent counts as sent once more', 625, [
    'lease/keeper',
    "this.#dispatch({ type: 'silent', stamp: write.stamp });",
    `this.#dispatch({ type: 'sent', stamp: write.stamp });
        this.#dispatch({ type: 'silent', stamp: write.stamp });`,
  ]),
  simulated(
    'conflict-retried',
    'a write that meets another version is repeated onto whatever is there',
    1,
    [
      'lease/kube/store',
      "return this.#written(reply, 'update', base.key);",
      `if (reply.kind === 'answer' && reply.status === 409) {
      const now = await this.read(base.key, options);
      if (now.kind === 'found') return this.write(now.lease, change, decoration, options);
    }
    return this.#written(reply, 'update', base.key);`,
    ],
  ),
  simulated('loss-unreported', 'a term ends and its signal does not say so', 20, [
    'lease/keeper',
    "if (end.how === 'lost') this.#lose(end.reason, end.token);",
    '',
  ]),
  simulated(
    'close-unreported',
    'a client that is closed gives back what is held and does not notify the holder',
    5,
    ['lease/host', 'keeper.revoke();', 'keeper.stop();'],
  ),
  simulated('lingers-after-close', 'a view whose client is closed keeps its watch for a while', 1, [
    'lease/view',
    'if (!isWatching || ',
    'if (',
  ]),
  simulated(
    'turn-kept-after-abort',
    'a caller that gives up while it waits for its turn stays in the queue',
    1,
    ['lease/turns', 'this.#waiting.splice(this.#waiting.indexOf(enter), 1);', ''],
  ),
  simulated('called-off-goes-on', 'an acquisition that is called off goes on by itself', 1, [
    'attempt',
    "signal.addEventListener('abort', callOff, { once: true });",
    '',
  ]),
  simulated(
    'term-beside-old-work',
    'a new term starts while the work of the former one goes on',
    7,
    [
      'election/candidacy',
      'await wait.race(term.settled).catch(() => undefined);',
      'await Promise.resolve();',
    ],
  ),
  simulated(
    'let-go-before-drained',
    'a term that is to end is let go before its work has wound down',
    1,
    [
      'election/term',
      'void this.#work.then(() => this.#release(reason));',
      'this.#release(reason);',
    ],
  ),
  simulated('end-reported-twice', 'the end of a term is reported for each of its causes', 1, [
    'election/term',
    'if (this.#isTold) return;',
    '',
  ]),
  simulated('lost-work-is-success', 'withLock resolves although the lock was lost', 30, [
    'lock/lock',
    'if (handle.loss !== null) throw handle.loss;',
    '',
  ]),
];
