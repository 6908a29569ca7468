/** Decisions of the pure protocol, each turned; the explorer must find what comes of it. */
import type { Mutant } from './mutant.js';

function explored(
  name: string,
  what: string,
  scope: string,
  [file, find, replace]: readonly [file: string, find: string, replace: string],
): Mutant {
  return { name, what, file: `lease/protocol/${file}.ts`, find, replace, killer: { scope } };
}

const belief: readonly Mutant[] = [
  explored(
    'belief-from-answer',
    'a renewal is believed from when it is seen to have landed, not from when it was sent',
    'two-candidates',
    [
      'holding',
      'return holdingNews(state, event.sight, terms);',
      `return holdingNews(
        { ...state, writes: state.writes.map((one) => ({ ...one, sentAt: now.elapsed })) },
        event.sight,
        terms,
      );`,
    ],
  ),
  explored(
    'win-from-answer',
    'a claim is believed from when it is seen to have landed',
    'two-candidates',
    [
      'seeking',
      'const heldUntil = beliefFrom(landed.sentAt, terms);',
      'const heldUntil = beliefFrom(now.elapsed, terms);',
    ],
  ),
  explored(
    'belief-without-clock',
    'whether it is held is a flag, which only news or a timer turns',
    'two-candidates',
    [
      'holding',
      "return state.kind === 'holding' && now.elapsed < state.heldUntil;",
      "return state.kind === 'holding';",
    ],
  ),
  explored('twice-the-duration', 'a write is believed for two durations', 'two-candidates', [
    'holding',
    'sentAt + fullBeliefMs(terms)',
    'sentAt + terms.durationMs + fullBeliefMs(terms)',
  ]),
  explored('margin-added', 'the margin lengthens belief', 'rates', [
    'step',
    'durationMs - Math.max(marginMs, unseenMs)',
    'durationMs + Math.max(marginMs, unseenMs)',
  ]),
  explored(
    'unseen-beyond-the-margin',
    'belief is not shortened by what the clock does not see of a suspension',
    'suspend-unseen',
    ['step', 'durationMs - Math.max(marginMs, unseenMs)', 'durationMs - marginMs'],
  ),
  explored('belief-by-wall-clock', 'belief ends by the wall clock', 'wall-steps-back', [
    'holding',
    'now.elapsed < state.heldUntil',
    'now.wall < state.heldUntil',
  ]),
  explored(
    'belief-by-monotonic-clock',
    'belief ends by a clock that stands still while the machine is suspended',
    'suspend',
    ['holding', 'now.elapsed < state.heldUntil', 'now.monotonic < state.heldUntil'],
  ),
  explored(
    'term-resurrected',
    'a renewal that is seen after the end of belief brings it back',
    'two-candidates',
    ['advance', "if (!isHeld(state, now)) return lost(state, 'expired');", ''],
  ),
  explored(
    'late-win',
    'a claim wins also when its belief has ended by the time that is known',
    'two-candidates',
    ['seeking', 'if (now.elapsed < heldUntil) {', 'if (heldUntil > 0) {'],
  ),
  explored(
    'credited-by-nonce',
    'any write in doubt counts as landed when the record carries the nonce of the term',
    'timeouts',
    ['writes', 'one.stamp === record.renewTime &&', ''],
  ),
];

const loss: readonly Mutant[] = [
  explored(
    'foreign-holder-kept',
    'a holder that sees another holder goes on believing',
    'outsiders',
    [
      'holding',
      "if (sight.lease.mark?.nonce !== terms.nonce) return lost(state, 'taken-over');",
      '',
    ],
  ),
  explored('deletion-ignored', 'a holder that sees its lease gone goes on believing', 'outsiders', [
    'holding',
    "if (sight.kind === 'absent') return lost(state, 'deleted');",
    '',
  ]),
  explored('ours-by-identity', 'a holder knows its record by the identity', 'namesakes', [
    'holding',
    'if (sight.lease.mark?.nonce !== terms.nonce)',
    'if (sight.lease.record.holder !== terms.identity)',
  ]),
  explored(
    'doubt-before-renewal',
    'a holder whose watch missed something does not renew before a read has been answered',
    'failing-reads',
    [
      'holding',
      'return event.gap ? { ...state, renewAt: Math.min(state.renewAt, now.elapsed) } : state;',
      'return event.gap ? { ...state, readAt: now.elapsed } : state;',
    ],
  ),
  explored('conflict-is-loss', 'a renewal that meets another version ends the term', 'edits', [
    'holding',
    "case 'conflict':\n      return { ...without(state, stamp), readAt: now.elapsed, renewAt: now.elapsed };",
    "case 'conflict':\n      return lost(state, 'taken-over');",
  ]),
  explored('silence-is-loss', 'a renewal without an answer ends the term', 'timeouts', [
    'holding',
    'return { ...overdue(state, stamp), renewAt: retryAt };',
    "return lost(state, 'expired');",
  ]),
];

const waiting: readonly Mutant[] = [
  explored(
    'takeover-early',
    'a waiting candidate claims a second before the record has run out',
    'two-candidates',
    ['step', 'if (now.monotonic >= claimAt)', 'if (now.monotonic + 1_000 >= claimAt)'],
  ),
  explored(
    'takeover-by-own-duration',
    'a waiting candidate goes by its own duration, not by that of the record',
    'mixed-durations',
    ['step', '(record.durationMs ?? terms.durationMs) + holdOffMs', 'terms.durationMs + holdOffMs'],
  ),
  explored(
    'takeover-by-wall-clock',
    'a waiting candidate counts from the time that the holder wrote, on its own wall clock',
    'wall-steps-back',
    [
      'step',
      'return sight.firstSeenAt + (record.durationMs',
      'return (record.renewTime ?? 0) + (record.durationMs',
    ],
  ),
  explored(
    'takeover-by-identity',
    'a waiting candidate takes a record with its identity for its own',
    'same-identity',
    [
      'step',
      'if (mark?.nonce === terms.nonce) return sight.firstSeenAt;',
      'if (record.holder === terms.identity) return sight.firstSeenAt;',
    ],
  ),
  explored(
    'heartbeat-ignored',
    'a waiting candidate does not start again when the holder has renewed',
    'two-candidates',
    [
      'sight',
      'return { ...next, firstSeenAt: now, gapMs: sameHolder',
      'return { ...next, firstSeenAt: sight.firstSeenAt, gapMs: sameHolder',
    ],
  ),
  explored(
    'label-is-heartbeat',
    'a waiting candidate starts again after an edit of a label',
    'edits',
    [
      'sight',
      'firstSeenAt: sight.firstSeenAt, gapMs: sight.gapMs',
      'firstSeenAt: now, gapMs: sight.gapMs',
    ],
  ),
  explored('news-unordered', 'an event is news whatever its version', 'stale-news', [
    'sight',
    'if (lease.version > sight.version) return changed',
    'if (lease.version !== sight.version) return changed',
  ]),
  explored(
    'old-answer-is-news',
    'a read is the truth also when something newer has become known since it was sent',
    'old-answers',
    ['sight', 'news.asked !== null && news.asked === sight.serial', 'news.asked !== null'],
  ),
];

const writing: readonly Mutant[] = [
  explored(
    'token-is-own-version',
    'the token is the version that the claim became',
    'two-candidates',
    ['seeking', 'token: landed.base,', 'token: sight.version,'],
  ),
  explored('token-is-transitions', 'the token is the count of transitions', 'outsiders', [
    'step',
    'mark: { nonce: terms.nonce, token: sight.version },',
    'mark: { nonce: terms.nonce, token: BigInt(transitions) },',
  ]),
  explored('token-renewed', 'a renewal writes a token of its own', 'two-candidates', [
    'step',
    'mark: { nonce: terms.nonce, token: state.token },',
    'mark: { nonce: terms.nonce, token: state.sight.version },',
  ]),
  explored(
    'stamp-stands',
    'a renewal is stamped by the wall clock, whether it has moved or not',
    'wall-stands',
    ['step', 'Math.max(now.wall, lastStamp + 1, (replaced ?? 0) + 1_000)', 'now.wall'],
  ),
  explored('write-forgotten', 'a write in doubt counts as lost before its base is', 'abort', [
    'writes',
    'one.base >= sight.version',
    'one.base > sight.version',
  ]),
  explored('reply-is-request', 'a claim without an answer counts as never sent', 'abort', [
    'seeking',
    'return { ...overdue(state, stamp), readAt: now.monotonic };',
    'return { ...without(state, stamp), readAt: now.monotonic };',
  ]),
  explored('evicts-vacant', 'what no process holds is taken in place of a term', 'evicted', [
    'step',
    'if (evicts === undefined || isVacant(record)) return false;',
    'if (evicts === undefined || isVacant(record)) return true;',
  ]),
  explored(
    'evicted-unprotected',
    'a term that evicted a longer one writes its own duration',
    'evicted',
    ['step', 'Math.max(durationMs, least)', 'durationMs'],
  ),
  explored(
    'altered-unnoticed',
    'a claim whose answer shows it without its mark counts as landed as it was written',
    'stripped',
    ['writes', "return { kind: 'altered', lease };", "return { kind: 'ok' };"],
  ),
  explored(
    'altered-unawaited',
    'a record that may be a claim without its mark is taken for that of another process at once',
    'stripped',
    ['writes', ' || mayBeAltered(one, sight)', ''],
  ),
  explored('altered-left', 'a claim that was stored without its mark is not vacated', 'stripped', [
    'writes',
    ' || version === unmarked',
    '',
  ]),
  explored('conflict-unexplained', 'a lost race is not looked into', 'two-candidates', [
    'seeking',
    'proven, readAt: now.monotonic + grace };',
    'proven };',
  ]),
];

const release: readonly Mutant[] = [
  explored('release-unchecked', 'a release vacates whatever record it sees', 'client-go-long', [
    'step',
    'if (isOwn(sight, terms, state.unmarked)) {',
    "if (record.holder !== '') {",
  ]),
  explored('release-by-identity', 'a release knows its record by the identity', 'alone', [
    'step',
    'if (isOwn(sight, terms, state.unmarked)) {',
    'if (record.holder === terms.identity) {',
  ]),
  explored(
    'delete-unchecked',
    'a release deletes the lease although another candidate holds it by then',
    'abort-deleting',
    ['vacating', 'deleteOnRelease && isVacant(record) &&', 'deleteOnRelease &&'],
  ),
  explored(
    'called-off-in-doubt',
    'an acquisition that is called off does not wait for its claim',
    'abort',
    ['seeking', 'if (writes.length === 0 && !isOurs && !mayStand) {', 'if (writes.length >= 0) {'],
  ),
  explored('bump-constant', 'the write that moves the version is always the same', 'abort', [
    'step',
    'const bump = `${terms.nonce}.${stamp}`;',
    'const bump = terms.nonce;',
  ]),
  explored('bump-vacates', 'the write that moves the version empties the record', 'abort', [
    'step',
    "write('bump', sight, stamp, { record, mark,",
    "write('bump', sight, stamp, { ...vacancy(stamp, record.transitions),",
  ]),
];

const turns: readonly Mutant[] = [
  explored('stands-back-never', 'a vacancy is claimed whoever has announced itself', 'announced', [
    'announcements',
    'turn.standBackMs + holdOffMs',
    'holdOffMs',
  ]),
  explored(
    'announces-always',
    'a waiter announces itself although the lease has not changed hands',
    'announced',
    ['announcements', 'waiting.hasChangedHands && !waiting.isAnnouncing', '!waiting.isAnnouncing'],
  ),
  explored('turn-kept', 'a claim leaves the announcement that had its turn', 'announced', [
    'announcements',
    'place === 0 || place >= MOST_ANNOUNCEMENTS',
    'place >= MOST_ANNOUNCEMENTS',
  ]),
  explored(
    'announcement-left',
    'a waiter that gives up leaves its announcement behind',
    'announced',
    ['seeking', 'waiting.isAnnouncing || isAnnouncedIn(sight, terms)', 'waiting.isAnnouncing'],
  ),
];

export const protocol: readonly Mutant[] = [
  ...belief,
  ...loss,
  ...waiting,
  ...writing,
  ...release,
  ...turns,
];
