/**
 * The canonical form of a world, as small integers: times relative to their clocks and clipped where nothing
 * asks further, versions by rank, stamps relative. Two worlds with one form have one future.
 */
import type { Announcement, Change, Lease } from '../../../src/lease/record.js';
import type { Live } from '../../../src/lease/protocol/writes.js';
import type { Waiting, Write } from '../../../src/lease/protocol/state.js';
import { Ranks, Stamps, Versions } from './renaming.js';
import { budgetNames, type Scope } from './scope.js';
import type { Candidate, Request, World } from './world.js';

/** Stands for `null` and for what is without end. */
export const NOTHING = -32_768;

export const intents = ['claim', 'renew', 'vacate', 'bump', 'announce'] as const;
export const doings = ['read', 'create', 'delete', 'write', 'announce'] as const;
export const verdicts = ['ok', 'conflict', 'unknown', 'refused'] as const;
export const beliefs = ['none', 'present', 'past'] as const;
export const stateKinds = ['seeking', 'holding', 'vacating', 'over'] as const;
export const sightKinds = ['unknown', 'absent', 'present'] as const;

const MOST_WORDS = 1_024;
const setBackBudget = budgetNames.indexOf('setBacks');

export class Encoder {
  readonly words = new Int16Array(MOST_WORDS);
  length = 0;
  readonly #versions = new Versions();
  readonly #stamps = new Stamps();
  /** A claim adds one to what it replaces, without end: only whether two records agree in it matters. */
  readonly #transitions = new Ranks();
  readonly #horizonMs: number;
  /** Where no candidate announces itself, the form says nothing of announcements. */
  readonly #announces: boolean;

  constructor(scope: Scope) {
    this.#announces = scope.announceAfterMs !== null;
    const longest = Math.max(...scope.durationsMs, 2_000);
    // What is longer ago was long enough ago for every wait there is.
    this.#horizonMs = -(longest + Math.max(...scope.holdOffsMs));
  }

  /** The result stands in `words` up to `length` until the next call. */
  encode(world: World): void {
    this.length = 0;
    this.#versions.reset(Number(world.version));
    this.#stamps.reset(world.wall, -1_000 - 2_000 * world.left[setBackBudget]!);
    this.#transitions.reset();
    this.#survey(world);
    this.#put(world.wall - world.time);
    this.#tellLeases();
    this.#put(this.#versions.of(world.version));
    this.#put(world.uid);
    this.#put(this.#versions.of(world.greatestToken));
    for (const left of world.left) this.#put(left === Infinity ? NOTHING : left);
    this.#put(world.entries.length);
    for (const { version, lease } of world.entries) {
      this.#put(this.#versions.of(version));
      this.#put(lease === null ? 0 : 1);
    }
    for (const one of world.candidates) this.#candidate(world, one);
    this.#put(world.requests.length);
    for (const one of world.requests) this.#request(world, one);
    if (world.rival !== null) this.#rival(world, world.rival);
  }

  #put(word: number): void {
    this.words[this.length++] = word;
  }

  #survey(world: World): void {
    const [versions, stamps] = [this.#versions, this.#stamps];
    versions.note(world.version);
    versions.note(world.greatestToken);
    for (const { version, lease } of world.entries) {
      versions.note(version);
      if (lease !== null) versions.noteLease(lease);
    }
    for (const { sight, state, attempt, index } of world.candidates) {
      if (state.kind === 'over' && attempt + 1 >= world.scope.attempts[index]!) continue;
      versions.note(sight.version);
      if (sight.kind === 'present') versions.noteLease(sight.lease);
      if (state.kind === 'over') continue;
      for (const write of state.writes) {
        versions.note(write.base);
        stamps.note(write.stamp);
      }
      if (state.kind === 'holding') versions.note(state.token);
      if (state.kind === 'vacating' && state.unmarked !== null) versions.note(state.unmarked);
    }
    for (const { step, answer } of world.requests) {
      if (answer?.lease != null) versions.noteLease(answer.lease);
      if (answer === null && (step.do === 'write' || step.do === 'delete'))
        versions.note(step.base.version!);
      if (answer === null && (step.do === 'write' || step.do === 'create')) {
        this.#noteRecord(step.change.record);
        if (step.change.mark !== null) versions.note(step.change.mark.token);
      }
      if (step.do === 'write') stamps.note(step.write.stamp);
    }
    if (world.rival?.observed != null) versions.noteLease(world.rival.observed);
  }

  #noteRecord({ renewTime, transitions }: Lease['record']): void {
    this.#stamps.note(renewTime ?? 0);
    this.#transitions.note(transitions);
  }

  #tellLeases(): void {
    const at = this.length++;
    let count = 0;
    this.#versions.eachLease(({ record }) => this.#noteRecord(record));
    this.#versions.rank((rank, lease) => {
      count += 1;
      this.#put(rank);
      this.#lease(lease);
    });
    this.words[at] = count;
  }

  #lease({ uid, record, mark, waiting }: Lease): void {
    this.#put(uid.charCodeAt(1));
    this.#record(record);
    this.#mark(mark);
    if (!this.#announces) return;
    const inOrder = [...waiting].sort((a, b) => (a.id < b.id ? -1 : 1));
    this.#put(inOrder.length);
    for (const one of inOrder) this.#announcement(one);
  }

  #announcement({ id, waitedMs, standBackMs }: Announcement): void {
    this.#put(nonceCode(id));
    this.#put(waitedMs);
    this.#put(standBackMs);
  }

  #record(record: Lease['record']): void {
    this.#put(record.holder === '' ? 0 : record.holder.charCodeAt(0));
    this.#put(record.durationMs ?? NOTHING);
    this.#put(this.#stamps.of(record.renewTime ?? 0));
    this.#put(this.#transitions.of(record.transitions));
  }

  #mark(mark: Lease['mark']): void {
    this.#put(mark === null ? NOTHING : nonceCode(mark.nonce));
    if (mark !== null) this.#put(this.#versions.of(mark.token));
  }

  #candidate(world: World, one: Candidate): void {
    const { state, attempt, index } = one;
    const isLast = attempt + 1 >= world.scope.attempts[index]!;
    this.#put(attempt);
    this.#put(stateKinds.indexOf(state.kind));
    // What a candidate knows that will never act again does not matter.
    if (state.kind === 'over' && isLast) return;
    if (world.scope.unseenMs > 0) this.#put(one.unseen);
    this.#sight(one, world.scope, isLast && state.kind !== 'seeking');
    if (state.kind === 'over') return;
    this.#state(state, one);
    const hasVacated = one.hasVacated ? 1 : 0;
    if (state.kind === 'vacating') return this.#put(hasVacated);
    this.#put(beliefs.indexOf(one.belief) * 4 + (one.isCut ? 2 : 0) + hasVacated);
    this.#put(Math.max(one.coveredUntil - one.elapsed, 0));
  }

  /** When it saw and heard is asked by one who seeks, now or in a later attempt. */
  #sight({ sight, monotonic }: Candidate, { watched }: Scope, isTimeless: boolean): void {
    this.#put(sightKinds.indexOf(sight.kind as 'unknown'));
    this.#put(this.#versions.of(sight.version));
    if (sight.kind !== 'present' || isTimeless) return;
    this.#put(Math.max(sight.heardAt - monotonic, this.#horizonMs));
    this.#put(Math.max(sight.firstSeenAt - monotonic, this.#horizonMs));
    if (!watched) return;
    this.#put(sight.gapMs === null ? NOTHING : Math.min(sight.gapMs, -this.#horizonMs));
  }

  #state(state: Live, { monotonic, elapsed }: Candidate): void {
    switch (state.kind) {
      case 'seeking':
        this.#due(state.readAt, monotonic);
        this.#due(state.retryAt, monotonic);
        this.#put(
          (state.watched ? 1 : 0) + (state.asking === null ? 0 : state.asking === 'read' ? 2 : 4),
        );
        this.#put(state.pace.holdOffMs);
        if (this.#announces) this.#waiting(state.waiting, monotonic);
        break;
      case 'holding':
        this.#due(state.readAt, elapsed);
        this.#due(state.heldUntil, elapsed);
        this.#due(state.renewAt, elapsed);
        this.#put(this.#versions.of(state.token));
        this.#put(state.asking === null ? 0 : 1);
        break;
      case 'vacating':
        this.#due(state.readAt, monotonic);
        this.#due(state.retryAt, monotonic);
        this.#due(state.giveUpAt, monotonic);
        this.#put((state.wasHeld ? 1 : 0) + (state.confirmed ? 2 : 0));
        this.#put(state.asking === null ? 0 : state.asking === 'read' ? 1 : 2);
        this.#put(state.unmarked === null ? NOTHING : this.#versions.of(state.unmarked));
        if (this.#announces) this.#put(flagsOf(state.waiting) * 2 + (state.hasWithdrawn ? 1 : 0));
        break;
    }
    this.#put(this.#stamps.last(state.lastStamp));
    this.#put(state.writes.length);
    for (const write of state.writes) this.#write(write, elapsed);
  }

  #waiting(waiting: Waiting, now: number): void {
    // Not clipped: it is what announcements are compared by. The scopes that have them are short.
    this.#put(waiting.since - now);
    this.#due(waiting.announceAt, now);
    this.#put(waiting.firstTerm === null ? NOTHING : nonceCode(waiting.firstTerm));
    this.#put(flagsOf(waiting));
  }

  #write({ intent, base, stamp, sentAt, awaited }: Write, elapsed: number): void {
    this.#put(intents.indexOf(intent) * 2 + (awaited ? 1 : 0));
    this.#put(this.#versions.of(base));
    this.#put(this.#stamps.of(stamp));
    this.#put(sentAt === null ? NOTHING : Math.max(sentAt - elapsed, this.#horizonMs));
  }

  /** What is due is due, however long since. */
  #due(at: number | null, now: number): void {
    this.#put(at === null ? NOTHING : Math.max(at - now, 0));
  }

  #request(world: World, request: Request): void {
    const { by, attempt, step, isMute, answer } = request;
    const who = world.candidates[by]!;
    const isAsked = step.do === 'read' || step.do === 'delete' || step.do === 'announce';
    const isFresh = isAsked && request.asked === who.sight.serial;
    this.#put(by * 16 + attempt);
    this.#put(doings.indexOf(step.do) * 4 + (isMute ? 2 : 0) + (isFresh ? 1 : 0));
    this.#put(answer === null ? NOTHING : verdicts.indexOf(answer.verdict as 'ok'));
    if (step.do === 'write') {
      this.#put(intents.indexOf(step.write.intent));
      this.#put(this.#stamps.of(step.write.stamp));
    }
    if (answer === null) return this.#unanswered(who, request);
    const { lease } = answer;
    this.#put(
      lease === undefined ? NOTHING : lease === null ? 0 : this.#versions.of(lease.version!),
    );
  }

  /** What the server has yet to see; of a step that was answered only its name is asked for. */
  #unanswered(who: Candidate, { step, attempt, sentAt }: Request): void {
    if (step.do === 'read') return;
    if (step.do !== 'create') {
      this.#put(step.base.uid.charCodeAt(1));
      this.#put(this.#versions.of(step.base.version!));
    }
    if (step.do === 'delete') return;
    if (step.do === 'announce') return this.#announcementOr(step.announcement ?? undefined);
    this.#record(step.change.record);
    this.#mark(step.change.mark);
    if (step.do === 'create') return;
    this.#put(bumpCode(step.change.bump));
    if (this.#announces) this.#ending(step.change);
    // When the writes of a former attempt were sent does not matter any more.
    if (sentAt === null) this.#put(NOTHING);
    else this.#put(attempt === who.attempt ? Math.max(sentAt - who.elapsed, this.#horizonMs) : 0);
  }

  #ending({ announcement, ended = [] }: Change): void {
    this.#announcementOr(announcement);
    this.#put(ended.length);
    for (const id of [...ended].sort()) this.#put(nonceCode(id));
  }

  #announcementOr(announcement: Announcement | undefined): void {
    this.#put(announcement === undefined ? 0 : 1);
    if (announcement !== undefined) this.#announcement(announcement);
  }

  #rival({ time }: World, rival: NonNullable<World['rival']>): void {
    this.#put(rival.observed === null ? NOTHING : this.#versions.of(rival.observed.version!));
    this.#put(Math.max(rival.observedAt - time, this.#horizonMs));
    this.#put(Math.max(rival.believesUntil - time, 0));
    this.#put(rival.isCut ? 1 : 0);
  }
}

function flagsOf({ hasChangedHands, isAnnouncing, mayPatch }: Waiting): number {
  return (hasChangedHands ? 1 : 0) + (isAnnouncing ? 2 : 0) + (mayPatch ? 4 : 0);
}

function nonceCode(nonce: string): number {
  return (nonce.charCodeAt(0) - 97) * 16 + Number(nonce.slice(1));
}

/** None, one that is written once, one that may have been written before. */
function bumpCode(bump: string | undefined): number {
  if (bump === undefined) return 0;
  return /\.\d+$/.test(bump) ? 1 : 2;
}
