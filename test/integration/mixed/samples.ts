// Histories for the tests of their checkers, in few words.
import type {
  Candidate,
  ElectionHistory,
  Ours,
  Request,
  Spell,
  Theirs,
  Timings,
  Version,
} from './election-history.js';

const timings: Timings = {
  ours: { durationMs: 5_000, marginMs: 1_000 },
  theirs: { durationMs: 5_000, deadlineMs: 3_300, retryMs: 1_000, requestMs: 1_650 },
};

/** The record at one time; the version is ten times that, so that it is easily told. */
export function version(at: number, holder: string, token: number | null = null): Version {
  return {
    ...{ at, version: BigInt(at * 10), holder, renewTime: at },
    token: token === null ? null : BigInt(token),
  };
}

export function ours(identity: string, over: Partial<Ours> = {}): Ours {
  const none = { spells: [], stops: [], tokens: [], sends: [], told: [] };
  return { kind: 'ours', identity, ...none, ...over };
}

export function theirs(identity: string, over: Partial<Theirs> = {}): Theirs {
  return { kind: 'client-go', identity, spells: [], stops: [], requests: [], ...over };
}

export function spell(from: number, to: number, claimedAt = from): Spell {
  return { from, to, claim: BigInt(claimedAt * 10) };
}

/** A request whose answer shows, or whose write made, the record of that time. */
export function request(event: Request['event'], at: number, holder: string, of = at): Request {
  return { event, sentAt: of, at, found: { version: BigInt(of * 10), holder } };
}

export function history(versions: Version[], ...candidates: Candidate[]): ElectionHistory {
  return { timings, versions, candidates, stalls: [] };
}
