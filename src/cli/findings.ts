import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { LeaseClient, Lock, isSyncError } from '../index.js';
import { asObject, asString, parseJson } from '../lease/kube/json.js';
import { pathOf } from '../lease/kube/store.js';
import type { Api } from './api.js';
import type { Cluster } from './cluster.js';

/** What one check came to. */
export interface Finding {
  readonly check: string;
  /** `weak`: it works, and not as well as it could. */
  readonly verdict: 'ok' | 'weak' | 'failed' | 'skipped';
  readonly detail: string;
  /** What to do about it. */
  readonly advice?: string;
}

const ROUND_TRIPS = 11;
/** Renewals are to be answered well within the pause before the next attempt. */
const SLOW_MS = 500;

export async function checkAnswers(api: Api, namespace: string): Promise<Finding[]> {
  const version: Finding = await attempt('API server', async () => {
    const { status, body } = await api.send({ method: 'GET', path: '/version' });
    const { gitVersion } = asObject(parseJson(body));
    return status === 200 ? `answers, ${asString(gitVersion)}` : `answers /version with ${status}`;
  });
  if (version.verdict === 'failed') return [version];
  const path = pathOf({ namespace, name: 'metaparticle-sync-doctor' });
  const times: number[] = [];
  const trips = await attempt('round trip', async () => {
    for (let n = 0; n < ROUND_TRIPS; n++) {
      const begun = performance.now();
      const { status } = await api.send({ method: 'GET', path });
      if (status === 401) throw new Error('the credentials are not accepted (401)');
      times.push(performance.now() - begun);
    }
    return `p50 ${median(times).toFixed(1)} ms of ${ROUND_TRIPS} on a kept connection`;
  });
  const isSlow = trips.verdict === 'ok' && median(times) > SLOW_MS;
  if (!isSlow) return [version, trips];
  const advice = `renewals take ${median(times).toFixed(0)} ms: give leases of 30 s and more`;
  return [version, { ...trips, verdict: 'weak', advice }];
}

const CLOCK_TOLERANCE_MS = 2_000;

export async function checkClock(api: Api): Promise<Finding> {
  const { answeredAt } = await api.send({ method: 'GET', path: '/version' });
  const check = 'clock';
  if (answeredAt === null) {
    return { check, verdict: 'skipped', detail: 'the API server sends no Date header' };
  }
  // The header tells whole seconds, cut off.
  const offsetMs = answeredAt + 500 - Date.now();
  const detail = `${Math.abs(offsetMs / 1_000).toFixed(1)} s ${offsetMs < 0 ? 'ahead of' : 'behind'} the API server's, to half a second`;
  if (Math.abs(offsetMs) <= CLOCK_TOLERANCE_MS) return { check, verdict: 'ok', detail };
  const advice =
    'no lock depends on it; times in records mislead their readers, and dead holders are not known at first sight: synchronize it (NTP)';
  return { check, verdict: 'weak', detail, advice };
}

const RIGHTS = [
  { verb: 'get', need: 'failed', without: 'nothing works' },
  { verb: 'update', need: 'failed', without: 'nothing works' },
  { verb: 'create', need: 'failed', without: 'only Leases that are there already can be used' },
  {
    verb: 'patch',
    need: 'weak',
    without: 'a process that is further away than others waits longer for its turn',
  },
  { verb: 'watch', need: 'weak', without: 'hand-offs take seconds instead of milliseconds' },
  { verb: 'delete', need: 'ok', without: 'needed for deleteOnRelease only' },
  { verb: 'list', need: 'ok', without: 'needed for metaparticle-sync status without a name only' },
] as const;

type Verb = (typeof RIGHTS)[number]['verb'];
/** Whether it is allowed; `null` when the API server does not say. */
export type Rights = ReadonlyMap<Verb, boolean | null>;

export async function askRights(api: Api, namespace: string): Promise<Rights> {
  const rights = new Map<Verb, boolean | null>();
  for (const { verb } of RIGHTS) rights.set(verb, await api.may(verb, namespace));
  return rights;
}

export function checkRights(rights: Rights, namespace: string): Finding[] {
  return RIGHTS.map(({ verb, need, without }) => {
    const check = `may ${verb}`;
    const may = rights.get(verb);
    if (may === true) return { check, verdict: 'ok', detail: 'yes' };
    if (may !== false) return { check, verdict: 'skipped', detail: 'the API server does not say' };
    const advice = `metaparticle-sync rbac -n ${namespace} prints the Role to apply`;
    const detail = `no: ${without}`;
    return { check, verdict: need, detail, ...(need === 'ok' ? {} : { advice }) };
  });
}

const FOR_HAND_OFF = ['get', 'update', 'create', 'delete'] as const;
const SLOW_HAND_OFF_MS = 1_000;
const HAND_OFF_LIMIT_MS = 20_000;

/** On a Lease of its own, which it deletes: where that is not allowed, none is made. */
export async function checkHandOff(
  { kubeConfig, namespace }: Cluster,
  rights: Rights,
  isReadOnly: boolean,
): Promise<Finding> {
  const check = 'hand-off';
  const lacks = FOR_HAND_OFF.filter((verb) => rights.get(verb) === false);
  if (isReadOnly) return { check, verdict: 'skipped', detail: 'nothing is to be written' };
  if (lacks.length > 0) {
    return { check, verdict: 'skipped', detail: `it takes the right to ${lacks.join(', ')}` };
  }
  const name = `metaparticle-sync-doctor-${randomBytes(4).toString('hex')}`;
  await using client = new LeaseClient({ kubeConfig, namespace, onWarning: () => undefined });
  await using other = new LeaseClient({ kubeConfig, namespace, onWarning: () => undefined });
  let tookMs = 0;
  const finding = await attempt(check, async () => {
    tookMs = await handOff(
      new Lock(name, { client }),
      new Lock(name, { client: other, deleteOnRelease: true }),
    );
    return `${tookMs.toFixed(1)} ms from release to the next acquisition`;
  });
  if (finding.verdict !== 'ok' || tookMs < SLOW_HAND_OFF_MS) return finding;
  const advice =
    'watches do not deliver: is the verb watch allowed, and is there a proxy that buffers or cuts long answers?';
  return { ...finding, verdict: 'weak', advice };
}

async function handOff(first: Lock, second: Lock): Promise<number> {
  const timeoutMs = HAND_OFF_LIMIT_MS;
  let tookMs = 0;
  // The first one warms connections and the watch.
  for (let round = 0; round < 2; round++) {
    const held = await first.acquire({ timeoutMs });
    const waiting = second.acquire({ timeoutMs });
    await sleep(SLOW_HAND_OFF_MS / 2);
    const begun = performance.now();
    await held.release();
    const next = await waiting;
    tookMs = performance.now() - begun;
    await next.release();
  }
  return tookMs;
}

async function attempt(check: string, act: () => Promise<string>): Promise<Finding> {
  try {
    return { check, verdict: 'ok', detail: await act() };
  } catch (error) {
    const detail = isSyncError(error) || error instanceof Error ? error.message : String(error);
    const advice = isSyncError(error, 'ERR_API_UNREACHABLE')
      ? 'is the server of the kubeconfig right, and is there a way to it from here?'
      : 'mend what the message names: credentials, their expiry, or the rules for them';
    return { check, verdict: 'failed', detail, advice };
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}
