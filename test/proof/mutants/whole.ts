/** Decisions outside of the pure protocol, each turned; the simulation of the whole library must find what comes of it. */
import type { Mutant } from './mutant.js';

function simulated(
  name: string,
  what: string,
  seeds: { readonly from: number; readonly seeds: number },
  [file, find, replace]: readonly [file: string, find: string, replace: string],
): Mutant {
  return { name, what, file: `${file}.ts`, find, replace, killer: seeds };
}

export const whole: readonly Mutant[] = [
  simulated(
    'takeover-by-elapsed-clock',
    'who waits counts on two clocks, one of which stands still in suspension',
    { from: 7, seeds: 1 },
    ['lease/protocol/step', 'if (now.monotonic >= claimAt)', 'if (now.elapsed >= claimAt)'],
  ),
  simulated(
    'sent-when-silent',
    'a write that falls silent counts as sent once more',
    { from: 625, seeds: 10 },
    [
      'lease/keeper',
      "this.#dispatch({ type: 'silent', stamp: write.stamp });",
      `this.#dispatch({ type: 'sent', stamp: write.stamp });
        this.#dispatch({ type: 'silent', stamp: write.stamp });`,
    ],
  ),
  simulated(
    'written-onto-anything',
    'a write names no version, so it replaces whatever is there',
    { from: 1, seeds: 5 },
    [
      'lease/kube/wire',
      'resourceVersion: base.version?.toString() ?? metadata.resourceVersion,',
      'resourceVersion: undefined,',
    ],
  ),
  simulated('loss-untold', 'a term ends and its signal does not say so', { from: 20, seeds: 5 }, [
    'lease/keeper',
    "if (end.how === 'lost') this.#lose(end.reason, end.token);",
    '',
  ]),
  simulated(
    'closed-untold',
    'a client that is closed gives back what is held and does not tell who holds it',
    { from: 5, seeds: 5 },
    ['lease/host', 'keeper.revoke();', 'keeper.stop();'],
  ),
  simulated(
    'lingers-after-close',
    'a view whose client is closed keeps its watch for a while',
    { from: 1, seeds: 5 },
    ['lease/view', 'if (!isWatching || ', 'if ('],
  ),
  simulated(
    'turn-for-who-left',
    'who gives up while it waits for its turn stays in the queue',
    { from: 1, seeds: 5 },
    ['lease/turns', 'this.#waiting.splice(this.#waiting.indexOf(enter), 1);', ''],
  ),
  simulated(
    'called-off-goes-on',
    'an acquisition that is called off goes on by itself',
    { from: 1, seeds: 5 },
    ['attempt', "signal.addEventListener('abort', callOff, { once: true });", ''],
  ),
  simulated(
    'term-beside-old-work',
    'a new term starts while the work of the former one goes on',
    { from: 75, seeds: 5 },
    [
      'election/candidacy',
      'await wait.race(term.settled).catch(() => undefined);',
      'await Promise.resolve();',
    ],
  ),
  simulated(
    'let-go-before-drained',
    'a term that is to end is let go before its work has wound down',
    { from: 1, seeds: 5 },
    [
      'election/term',
      'void this.#work.then(() => this.#release(reason));',
      'this.#release(reason);',
    ],
  ),
  simulated(
    'end-told-twice',
    'the end of a term is told for each of its causes',
    { from: 1, seeds: 5 },
    ['election/term', 'if (this.#isTold) return;', ''],
  ),
  simulated(
    'lost-work-is-success',
    'withLock resolves although the lock was lost',
    { from: 5, seeds: 5 },
    ['lock/lock', 'if (handle.loss !== null) throw handle.loss;', ''],
  ),
];
