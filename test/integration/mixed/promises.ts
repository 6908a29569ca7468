// What candidates of this package owe to others that write the Lease. Pure.
import type { ElectionHistory, Ours } from './election-history.js';
import { runningMs, without } from './election-history.js';

/** Each broken promise in words; empty when all were kept. */
export function brokenPromises(history: ElectionHistory): string[] {
  const ours = history.candidates.filter((one) => one.kind === 'ours');
  return [
    ...ours.flatMap(believedAfterNews),
    ...ours.flatMap((one) => believedTooLong(history, one)),
    ...ours.flatMap((one) => vacatedOthers(history, one)),
    ...shrunkTokens(history),
    ...ours.flatMap((one) => unseenTokens(history, one)),
  ];
}

/** A loss that is seen ends belief in the same tick. */
function believedAfterNews({ identity, told, spells }: Ours): string[] {
  return told.flatMap(({ at, isLeader }) => {
    if (isLeader)
      return [`${identity} believed in the tick in which it was told of its loss, at ${at}`];
    const spell = spells.find(({ from, to }) => from < at && at < to);
    if (spell === undefined) return [];
    return [`${identity} was told of its loss at ${at} and believed until ${spell.to}`];
  });
}

/** Belief is covered by writes that were committed, each from when it left, and never by more. */
function believedTooLong(
  { versions, timings }: ElectionHistory,
  { identity, sends, spells }: Ours,
): string[] {
  const { durationMs, marginMs } = timings.ours;
  const committed = new Set(
    versions.filter(({ holder }) => holder === identity).map(({ renewTime }) => renewTime),
  );
  const covered = sends
    .filter(({ stamp }) => committed.has(stamp))
    .map(({ at }) => ({ from: at, to: at + durationMs - marginMs }));
  return spells.flatMap((spell) => {
    const [bare] = without(spell, covered);
    if (bare === undefined) return [];
    return [`${identity} believed from ${bare.from} to ${bare.to} without a write that covers it`];
  });
}

/** A release touches no record of another holder. */
function vacatedOthers({ versions }: ElectionHistory, { identity, sends }: Ours): string[] {
  const stamps = new Set(sends.map(({ stamp }) => stamp));
  return versions.flatMap(({ version, holder, renewTime }, n) => {
    const before = versions[n - 1]?.holder ?? '';
    if (holder !== '' || before === '' || before === identity || !stamps.has(renewTime)) return [];
    return [`${identity} vacated the record of ${before} in version ${version}`];
  });
}

/** In the order of the record itself, whatever came between. */
function shrunkTokens({ versions }: ElectionHistory): string[] {
  const broken: string[] = [];
  let last = 0n;
  for (const [n, { token, version }] of versions.entries()) {
    if (token === null || token === versions[n - 1]?.token) continue;
    if (token <= last) broken.push(`token ${token} of version ${version} comes after ${last}`);
    const replaced = versions[n - 1]?.version;
    if (replaced !== undefined && token !== replaced) {
      broken.push(`token ${token} of version ${version} is not ${replaced}, which it replaced`);
    }
    last = token;
  }
  return broken;
}

/** What a callback was given stands in the record. */
function unseenTokens({ versions }: ElectionHistory, { identity, tokens }: Ours): string[] {
  const seen = new Set(versions.map(({ token }) => token));
  const unseen = tokens.filter((token) => !seen.has(token));
  return unseen.map((token) => `${identity} led with token ${token}, which the record never had`);
}

/**
 * Another one wrote over the record of one of ours while it led: how much later than the watch of the test it
 * was told. Left out are those who were stopped meanwhile.
 */
export function noticedAfter({ versions, candidates }: ElectionHistory): number[] {
  const ours = candidates.filter((one) => one.kind === 'ours');
  return ours.flatMap((one) => {
    const losses = versions.filter(({ holder }, n) => {
      return holder !== one.identity && versions[n - 1]?.holder === one.identity;
    });
    return one.told.flatMap(({ at }) => {
      const loss = losses.findLast((version) => version.at <= at + WATCHES_DIFFER_MS);
      if (loss === undefined) return [];
      const isAwake = runningMs(one, loss.at, at) === Math.max(0, at - loss.at);
      return isAwake ? [at - loss.at] : [];
    });
  });
}

/** Two who watch are told one after the other. */
const WATCHES_DIFFER_MS = 500;
