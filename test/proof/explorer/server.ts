/**
 * The register, as the API server keeps it: create only where nothing is, replace and delete by uid and
 * version alone, identical bytes skipped (200 with the old version). Whatever lands is judged here.
 */
import type { Change, Lease } from '../../../src/lease/record.js';
import { waitingAfter } from '../../../tools/harness/protocol/fixtures.js';
import { cut } from './outsider.js';
import {
  NAMES,
  fail,
  leaseOf,
  nonceOf,
  registerOf,
  type Answer,
  type Doing,
  type Request,
  type World,
} from './world.js';

type WriteStep = Extract<Doing, { do: 'write' }>;
type AnnounceStep = Extract<Doing, { do: 'announce' }>;

/** The server takes up a request: what it answers, and what the register becomes by it. */
export function perform(world: World, request: Request): Answer {
  const { step } = request;
  const lease = registerOf(world);
  switch (step.do) {
    case 'read':
      return world.scope.failingReads
        ? { verdict: 'unknown', lease: undefined }
        : { verdict: 'ok', lease };
    case 'create':
      if (lease !== null) return { verdict: 'conflict', lease: undefined };
      return { verdict: 'ok', lease: create(world, step.change) };
    case 'delete':
      if (lease === null) return { verdict: 'ok', lease: null };
      if (!mayReplace(world, step.base)) return { verdict: 'conflict', lease: undefined };
      if (lease.record.holder !== '')
        fail(world, 'release', 'a delete of ours removes a held lease');
      remove(world);
      return { verdict: 'ok', lease: null };
    case 'announce':
      return announce(world, request, step);
    case 'write':
      if (!mayReplace(world, step.base)) return { verdict: 'conflict', lease: undefined };
      return { verdict: 'ok', lease: replace(world, request, step) };
  }
}

/** A merge patch names the uid, and no version. */
function announce(world: World, request: Request, step: AnnounceStep): Answer {
  const lease = registerOf(world);
  if (lease === null) return { verdict: 'ok', lease: null };
  if (world.scope.patchIsRefused) return { verdict: 'refused', lease: undefined };
  if (lease.uid !== step.base.uid) return { verdict: 'conflict', lease: undefined };
  const { announcement } = step;
  const ended = [nonceOf(request.by, request.attempt)];
  const waiting = waitingAfter(lease, announcement === null ? { ended } : { announcement });
  if (announcement === null && waiting.length === lease.waiting.length) {
    return { verdict: 'ok', lease };
  }
  world.version += 1n;
  const next = { ...lease, version: world.version, waiting };
  put(world, next);
  return { verdict: 'ok', lease: next };
}

/** Whether a write onto this base can land as the register stands; if not now, then never. */
export function mayReplace({ flaw, entries }: World, base: Lease): boolean {
  const { lease } = entries[0]!;
  if (lease === null) return flaw === 'without-uid';
  if (flaw === 'without-version') return lease.uid === base.uid;
  return lease.version === base.version && (flaw === 'without-uid' || lease.uid === base.uid);
}

export function put(world: World, lease: Lease): void {
  world.entries.unshift({ version: lease.version!, lease });
  world.entries.length = Math.min(world.entries.length, world.scope.heard);
}

export function create(world: World, change: Pick<Change, 'record' | 'mark'>): Lease {
  world.uid += 1;
  world.version += 1n;
  const uid = `u${String.fromCharCode(48 + world.uid)}`;
  const lease = leaseOf(uid, world.version, change.record, change.mark);
  put(world, lease);
  return lease;
}

export function remove(world: World): void {
  world.version += 1n;
  world.entries.unshift({ version: world.version, lease: null });
  world.entries.length = Math.min(world.entries.length, world.scope.heard);
}

function replace(world: World, request: Request, step: WriteStep): Lease {
  const before = registerOf(world);
  judge(world, request, step, before);
  if (before === null) return create(world, step.change);
  const { change } = step;
  const record = { ...change.record, acquireTime: null };
  const mark = world.scope.strips ? null : change.mark;
  const waiting = waitingAfter(before, change);
  const next = leaseOf(before.uid, world.version + 1n, record, mark, waiting);
  const isSame = next.fingerprint === before.fingerprint && isSameMark(next, before);
  if (isSame && !isUnique(change.bump) && step.write.intent !== 'announce') {
    fail(world, 'no wasted write', `a ${step.write.intent} is no write at all: nothing differs`);
    return before;
  }
  world.version += 1n;
  put(world, next);
  return next;
}

/** A bump that ends in its write's stamp is written once; any other value may stand there already. */
function isUnique(bump: string | undefined): boolean {
  return bump !== undefined && /\.\d+$/.test(bump);
}

function isSameMark(a: Lease, b: Lease): boolean {
  return a.mark?.nonce === b.mark?.nonce && a.mark?.token === b.mark?.token;
}

/** A candidate may replace what is no longer held, and its own record: promises 2 and 5 are kept or broken here. */
function judge(world: World, request: Request, { write, change }: WriteStep, before: Lease | null) {
  const sender = world.candidates[request.by]!;
  const nonce = nonceOf(request.by, request.attempt);
  // Where marks are removed, the holder says it: each candidate has an identity and one attempt of its own there.
  const isOwn = world.scope.strips
    ? before?.record.holder === sender.name
    : before?.mark?.nonce === nonce;
  switch (write.intent) {
    case 'claim':
      if (world.scope.evicts && request.by === 1) judgeEviction(world, sender.name, before, change);
      judgeToken(world, sender.name, change.mark?.token ?? 0n);
      break;
    case 'renew':
      if (!isOwn)
        fail(world, 'release', `a renewal of ${sender.name} lands where its record is not`);
      break;
    case 'vacate':
      if (!isOwn) fail(world, 'release', `a release of ${sender.name} lands on another's record`);
      if (sender.attempt === request.attempt) sender.hasVacated = true;
      return;
    case 'announce':
    case 'bump': {
      const { fingerprint } = leaseOf('', 0n, change.record, null);
      if (fingerprint !== before?.fingerprint || change.mark?.nonce !== before.mark?.nonce) {
        fail(world, 'release', `a ${write.intent} of ${sender.name} changes another's record`);
      }
      return;
    }
  }
  if (sender.attempt !== request.attempt) return;
  const { durationMs } = change.record;
  const until = request.sentAt! + (durationMs ?? 0) - world.scope.marginMs;
  sender.coveredUntil = Math.max(sender.coveredUntil, until);
  if (write.intent === 'claim') sender.isCut = false;
}

/** Whom it takes the lease from may go on until it learns of that; its record protects the other for as long as that may take. */
function judgeEviction(world: World, name: string, before: Lease | null, { record }: Change): void {
  if (before?.record.holder !== NAMES[0] && before?.record.holder !== name) {
    fail(world, 'eviction', `${name} takes what ${NAMES[0]} does not hold`);
  }
  if ((record.durationMs ?? 0) < (before?.record.durationMs ?? 0)) {
    fail(world, 'eviction', `the record of ${name} runs out before what it replaced would have`);
  }
  cut(world);
}

function judgeToken(world: World, name: string, token: bigint): void {
  if (token <= world.greatestToken) {
    fail(world, 'token', `${name} acquires with a token that is not greater than the last`);
  }
  world.greatestToken = token;
}
