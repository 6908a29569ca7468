import { LONGEST_STAND_BACK_MS } from '../record.js';
import type { Announcement, Change, Lease, LeaseKey, LeaseRecord, TermMark } from '../record.js';
import type { Decoration } from '../store.js';
import { asArray, asObject, asString, canonical, isObject, parseJson } from './json.js';
import type { JsonObject } from './json.js';
import { formatMicroTime, parseTime, sameTime } from './time.js';

/**
 * The codec between a Lease as JSON and our values. Reading is lenient, because foreign electors write what
 * they like; writing touches only what is ours and carries everything else over as it came.
 */

const API_VERSION = 'coordination.k8s.io/v1';
const KIND = 'Lease';
const TERM = 'sync.metaparticle.io/term';
const BUMP = 'sync.metaparticle.io/bump';
const WAITING = 'sync.metaparticle.io/waiting-';
const ANNOUNCEMENT_ID = /^[0-9a-f]{16}$/;
const TERM_FORMAT = 1;

/** How far `renewTime` may be from the server's own stamp of that write for the stamp to be believed. */
const STAMP_TOLERANCE_MS = 5000;

/**
 * @param answeredAt the `Date` header of the answer as milliseconds, `null` for events and writes
 * @returns `null` when this is no Lease object at all
 */
export function decodeLease(raw: unknown, answeredAt: number | null = null): Lease | null {
  if (!isObject(raw) || !isObject(raw.metadata)) return null;
  const metadata = raw.metadata;
  const [name, uid] = [asString(metadata.name), asString(metadata.uid)];
  if (name === '' || uid === '' || (raw.kind ?? KIND) !== KIND) return null;
  const spec = asObject(raw.spec);
  const record = decodeRecord(spec);
  const annotations = asObject(metadata.annotations);
  return {
    key: { namespace: asString(metadata.namespace), name },
    uid,
    version: decodeVersion(metadata.resourceVersion),
    record,
    mark: decodeMark(annotations[TERM], record),
    strategy: asString(spec.strategy) || null,
    fingerprint: canonical(spec),
    waiting: decodeAnnouncements(annotations),
    get content() {
      return contentOf(raw);
    },
    idleMs: answeredAt === null ? null : idleMs(metadata, record.renewTime, answeredAt),
    raw,
  };
}

/** Only a positive decimal integer can be ordered and made a token of. */
export function decodeVersion(value: unknown): bigint | null {
  return typeof value === 'string' && /^[1-9]\d*$/.test(value) ? BigInt(value) : null;
}

function decodeRecord(spec: JsonObject): LeaseRecord {
  const seconds = spec.leaseDurationSeconds;
  const transitions = spec.leaseTransitions;
  return {
    holder: asString(spec.holderIdentity),
    durationMs: typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : null,
    acquireTime: parseTime(spec.acquireTime),
    renewTime: parseTime(spec.renewTime),
    transitions:
      typeof transitions === 'number' && Number.isSafeInteger(transitions) && transitions > 0
        ? transitions
        : 0,
  };
}

function decodeMark(text: unknown, record: LeaseRecord): TermMark | null {
  if (record.holder === '' || record.renewTime === null) return null;
  const mark = asObject(parseJson(asString(text)));
  const [nonce, token] = [asString(mark.nonce), decodeVersion(mark.token)];
  const echoes =
    mark.holder === record.holder && sameTime(parseTime(mark.renewTime), record.renewTime);
  if (mark.v !== TERM_FORMAT || nonce === '' || token === null || !echoes) return null;
  return { nonce, token };
}

/** What does not parse, or has another kind of name, is none. */
function decodeAnnouncements(annotations: JsonObject): readonly Announcement[] {
  const announcements: Announcement[] = [];
  for (const name of Object.keys(annotations)) {
    if (!name.startsWith(WAITING)) continue;
    const id = name.slice(WAITING.length);
    const { waitedMs, standBackMs } = asObject(parseJson(asString(annotations[name])));
    if (!ANNOUNCEMENT_ID.test(id) || typeof waitedMs !== 'number') continue;
    if (typeof standBackMs !== 'number') continue;
    const clamped = Math.min(Math.max(standBackMs, 0), LONGEST_STAND_BACK_MS);
    announcements.push({ id, waitedMs, standBackMs: clamped });
  }
  return announcements;
}

/** The object as an editor sees it: its version and the server's ledger change with every write. */
function contentOf(raw: JsonObject): string {
  const { managedFields: _ledger, resourceVersion: _version, ...metadata } = asObject(raw.metadata);
  const annotations = Object.entries(asObject(metadata.annotations)).filter(
    ([name]) => name !== BUMP && !name.startsWith(WAITING),
  );
  // The last annotation to go takes the map with it.
  const kept = annotations.length === 0 ? undefined : Object.fromEntries(annotations);
  return canonical({ ...raw, metadata: { ...metadata, annotations: kept } });
}

function idleMs(metadata: JsonObject, renewTime: number | null, answeredAt: number): number | null {
  const stamps = asArray(metadata.managedFields)
    .map(asObject)
    .filter((entry) => 'f:renewTime' in asObject(asObject(entry.fieldsV1)['f:spec']))
    .map((entry) => parseTime(entry.time))
    .filter((time) => time !== null);
  if (stamps.length === 0 || renewTime === null) return null;
  const stampedAt = Math.max(...stamps);
  if (Math.abs(renewTime - stampedAt) > STAMP_TOLERANCE_MS) return null;
  return answeredAt - stampedAt;
}

/** Body of the PUT that turns exactly `base` into what `change` says. */
export function encodeReplacement(base: Lease, change: Change, decoration: Decoration): JsonObject {
  const raw = asObject(base.raw);
  const metadata = asObject(raw.metadata);
  const spec = encodeSpec(change.record, asObject(raw.spec), base.record);
  const kept = asObject(metadata.annotations);
  const annotations = {
    ...kept,
    ...decoration.annotations,
    ...encodeTerm(base, change, spec),
    ...encodeWaiting(change),
  };
  return {
    ...raw,
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: {
      ...metadata,
      // The server's own ledger; sent back, it would only be in the way.
      managedFields: undefined,
      ...{ name: base.key.name, namespace: base.key.namespace, uid: base.uid },
      resourceVersion: base.version?.toString() ?? metadata.resourceVersion,
      labels: filled({ ...asObject(metadata.labels), ...decoration.labels }),
      annotations: filled(annotations),
      ownerReferences: mergeOwners(asArray(metadata.ownerReferences), decoration),
    },
    spec,
  };
}

/** Body of the POST that creates a lease. */
export function encodeCreation(key: LeaseKey, change: Change, decoration: Decoration): JsonObject {
  const spec = encodeSpec(change.record, {}, null);
  const annotations = { ...decoration.annotations, ...encodeTerm(null, change, spec) };
  return {
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: {
      ...{ name: key.name, namespace: key.namespace },
      labels: filled(decoration.labels),
      annotations: filled(annotations),
      ownerReferences: mergeOwners([], decoration),
    },
    spec,
  };
}

/** Body of the merge patch that puts an announcement there, or takes it away. */
export function encodeAnnouncement(
  { uid }: Lease,
  id: string,
  announcement: Announcement | null,
): JsonObject {
  const text = announcement === null ? null : announcementText(announcement);
  return { metadata: { uid, annotations: { [WAITING + id]: text } } };
}

function announcementText({ waitedMs, standBackMs }: Announcement): string {
  return JSON.stringify({ waitedMs, standBackMs });
}

/** Body of the DELETE of exactly this uid and version. */
export function encodeDeletion(base: Lease): JsonObject {
  const resourceVersion =
    base.version?.toString() ?? asObject(asObject(base.raw).metadata).resourceVersion;
  return {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    preconditions: { uid: base.uid, resourceVersion },
  };
}

/** What keeps its value keeps its wording: other digits for the same instant would count as a heartbeat. */
function encodeSpec(record: LeaseRecord, raw: JsonObject, before: LeaseRecord | null): JsonObject {
  const time = (name: 'acquireTime' | 'renewTime'): unknown => {
    if (before !== null && sameTime(before[name], record[name])) return raw[name];
    return record[name] === null ? null : formatMicroTime(record[name]);
  };
  const other = (field: string, name: keyof LeaseRecord, value: unknown): unknown =>
    before !== null && before[name] === record[name] ? raw[field] : value;
  const seconds = record.durationMs === null ? null : Math.round(record.durationMs / 1000);
  return {
    ...raw,
    holderIdentity: other('holderIdentity', 'holder', record.holder),
    leaseDurationSeconds: other('leaseDurationSeconds', 'durationMs', seconds),
    acquireTime: time('acquireTime'),
    renewTime: time('renewTime'),
    leaseTransitions: other('leaseTransitions', 'transitions', record.transitions),
  };
}

/** Our two annotations; `undefined` leaves one out of the JSON, and so removes it. */
function encodeTerm(base: Lease | null, change: Change, spec: JsonObject): JsonObject {
  const { mark, bump } = change;
  const ours: Record<string, unknown> = {};
  if (mark !== null) {
    const { nonce, token } = mark;
    // Echoed, because others keep annotations they do not know: it speaks for this record alone.
    const { holderIdentity: holder, renewTime } = spec;
    const term = { v: TERM_FORMAT, nonce, token: token.toString(), holder, renewTime };
    ours[TERM] = JSON.stringify(term);
  } else if (bump === undefined || base?.mark !== null) {
    ours[TERM] = undefined;
  }
  if (bump !== undefined) ours[BUMP] = bump;
  else if (change.record.holder === '') ours[BUMP] = undefined;
  return ours;
}

function encodeWaiting({ announcement, ended = [] }: Change): JsonObject {
  const annotations: Record<string, string | undefined> = {};
  for (const id of ended) annotations[WAITING + id] = undefined;
  if (announcement !== undefined) {
    annotations[WAITING + announcement.id] = announcementText(announcement);
  }
  return annotations;
}

function mergeOwners(
  present: readonly unknown[],
  { ownerReferences }: Decoration,
): readonly unknown[] | undefined {
  const uids = new Set(present.map((owner) => asObject(owner).uid));
  const owners = [...present, ...ownerReferences.filter(({ uid }) => !uids.has(uid))];
  return owners.length === 0 ? undefined : owners;
}

function filled(map: JsonObject): JsonObject | undefined {
  return Object.values(map).every((value) => value === undefined) ? undefined : map;
}
