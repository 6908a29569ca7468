// Makes a history of what candidates wrote down and of what a watch showed. Pure.
import type { HistoryLine } from '../../../tools/harness/processes/history-log.js';
import type { Observation } from '../../../tools/harness/processes/watch-probe.js';
import type { ClientGoLine } from '../../../tools/harness/client-go/candidate.js';
import type { Ours, Request, Spell, Stretch, Theirs, Version } from './election-history.js';

export function readVersions(seen: readonly Observation[]): Version[] {
  return seen.map(({ at, version, holder, renewTime, token }) => ({
    ...{ at, version, holder, renewTime, token },
  }));
}

/** @param versions tells by which version a token's claim was written */
export function readOurs(
  identity: string,
  lines: readonly HistoryLine[],
  stops: readonly Stretch[],
  versions: readonly Version[],
): Ours {
  const tokens: bigint[] = [];
  const sends: { at: number; stamp: number }[] = [];
  const told: { at: number; isLeader: boolean }[] = [];
  const spells: Spell[] = [];
  // Begins with the first line that tells of belief, and grows by each.
  let open: { from: number; to: number }[] = [];
  for (const line of lines) {
    const { at } = line;
    if (line.event === 'sent') sends.push({ at, stamp: line.stamp });
    else if (line.event === 'told') told.push({ at, isLeader: line.isLeader });
    else if (line.event === 'leading') tokens.push(BigInt(line.token));
    else if (line.event === 'believes') open = [{ from: open[0]?.from ?? at, to: at }];
    else if (line.event === 'doubts') {
      spells.push(...open.map(({ from }) => claimed({ from, to: line.until })));
      open = [];
    }
  }
  spells.push(...open.map(claimed));
  return { kind: 'ours', identity, spells, stops, tokens, sends, told };

  function claimed(stretch: Stretch): Spell {
    const token = tokens.at(-1);
    const claim = versions.find((one) => one.token === token)?.version ?? 0n;
    return { ...stretch, claim };
  }
}

const ENDS = ['resigning', 'cancelled', 'stopped'];

/** @param endedAt when it was killed */
export function readTheirs(
  identity: string,
  lines: readonly ClientGoLine[],
  stops: readonly Stretch[],
  endedAt: number,
): Theirs {
  const requests = lines.flatMap((line) => readRequest(line) ?? []);
  const spells: Spell[] = [];
  for (const [n, { event, at: from }] of lines.entries()) {
    if (event !== 'leading') continue;
    const to = lines.slice(n).find((line) => ENDS.includes(line.event))?.at ?? endedAt;
    const claim = requests.findLast(
      (request) => request.at <= from && request.event !== 'get' && request.found !== null,
    );
    spells.push({ from, to, claim: claim?.found?.version ?? 0n });
  }
  return { kind: 'client-go', identity, spells, stops, requests };
}

function readRequest({
  event,
  at,
  sentAt = at,
  version,
  holder = '',
}: ClientGoLine): Request | null {
  if (event !== 'get' && event !== 'create' && event !== 'update') return null;
  const found = version === undefined ? null : { version: BigInt(version), holder };
  return { event, at, sentAt, found };
}
