/**
 * Pure: the options, their defaults in one place, and every rule about them. A lock that was constructed
 * has timings that fit together; nothing is checked again later.
 */
import { InvalidOptionError } from './errors.js';

/** Options that a Lock and an Election have in common. Fixed for the life of a term. */
export interface LeaseOptions {
  /** Where the Lease lives. Default: the client's. */
  readonly namespace?: string | undefined;
  /** Shown as the holder. Default: the client's. Must differ from process to process. */
  readonly identity?: string | undefined;
  /** How long others leave an unrenewed lease alone; whole seconds. @defaultValue 15 000 */
  readonly leaseDurationMs?: number | undefined;
  /**
   * Time from one renewal to the next, at least 1 000. Follows the lease where it is not given: 2/15 of
   * `leaseDurationMs`, from 1 000 to 5 000. @defaultValue 2 000 at 15 000
   */
  readonly renewIntervalMs?: number | undefined;
  /**
   * Safety margin: how long before the lease expires the holder stops considering it held. It must exceed the clock
   * drift over one lease duration. Follows the lease where it is not given: 2/15 of `leaseDurationMs`, from 500 to
   * 2 000. @defaultValue 2 000 at 15 000
   */
  readonly marginMs?: number | undefined;
  /** Labels to keep on the Lease, beside those that others put there. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Annotations to keep on the Lease, beside those that others put there. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** Owners to keep on the Lease. A Pod is refused: its deletion would delete a Lease that another pod holds. */
  readonly ownerReferences?: readonly OwnerReference[] | undefined;
  /** Delete the Lease once it is released, unless somebody has it by then. @defaultValue false */
  readonly deleteOnRelease?: boolean | undefined;
  /** Let the API server's own clock show at first sight that a holder is long dead. @defaultValue true */
  readonly trustServerClock?: boolean | undefined;
  /** Keep the process alive while holding or waiting. @defaultValue true */
  readonly keepProcessAlive?: boolean | undefined;
}

/** As `metadata.ownerReferences` has it. */
export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean | undefined;
  readonly blockOwnerDeletion?: boolean | undefined;
}

/** All options given or filled in, but those that only a cluster knows. */
export type ResolvedOptions = {
  readonly [K in Exclude<keyof LeaseOptions, 'namespace' | 'identity'>]-?: Exclude<
    LeaseOptions[K],
    undefined
  >;
} & Pick<LeaseOptions, 'namespace' | 'identity'>;

const defaults = {
  leaseDurationMs: 15_000,
  labels: {},
  annotations: {},
  ownerReferences: [],
  deleteOnRelease: false,
  trustServerClock: true,
  keepProcessAlive: true,
} as const;

/** Share of the lease, and bounds, of the timings that follow it where they are not given. */
const FOLLOWING = {
  share: 2 / 15,
  renewIntervalMs: { least: 1_000, most: 5_000 },
  marginMs: { least: 500, most: 2_000 },
} as const;

/** Attempt and pause after a failed renewal, rounded up: silent for 650 ms, then 250 ms to the next. */
const ATTEMPT_MS = 1_000;
/** The shortest of whole seconds that leaves room for the shortest of the others. */
const SHORTEST_DURATION_MS = 4_000;
const SHORTEST_RENEW_INTERVAL_MS = 1_000;
const SHORTEST_MARGIN_MS = 500;
/** `leaseDurationSeconds` is an int32. */
const LONGEST_DURATION_MS = 2_147_483_647_000;

const LEASE_OPTIONS: readonly string[] = [
  ...['leaseDurationMs', 'renewIntervalMs', 'marginMs', 'labels', 'annotations', 'ownerReferences'],
  ...['deleteOnRelease', 'trustServerClock', 'keepProcessAlive', 'namespace', 'identity'],
];

/** Where options belong, for those that are given in the wrong place. */
const PLACES: readonly (readonly [place: string, options: readonly string[]])[] = [
  ['LeaseClient', ['kubeConfig', 'onWarning']],
  ['Election', ['onStartedLeading', 'onStoppedLeading', 'onNewLeader']],
  ['Election', ['drainTimeoutMs', 'recordEvents']],
  ['Lock and Election', [...LEASE_OPTIONS, 'client']],
  ['acquire() and withLock()', ['timeoutMs']],
  ['acquire(), tryAcquire(), withLock(), run() and observe()', ['signal']],
  ['stepDown()', ['cooldownMs']],
  ['check()', ['toleranceMs']],
];

/**
 * @param known further options of the caller, accepted as they are
 * @throws InvalidOptionError naming option, value and bound
 */
export function resolveOptions(
  given: LeaseOptions,
  known: readonly string[] = ['client'],
): ResolvedOptions {
  const names = [...LEASE_OPTIONS, ...known];
  rejectUnknown(given, names);
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  const { leaseDurationMs = defaults.leaseDurationMs } = given;
  const { marginMs = follow(leaseDurationMs, FOLLOWING.marginMs) } = given;
  const following = { renewIntervalMs: followingInterval(leaseDurationMs, marginMs), marginMs };
  const options = { ...defaults, ...following, ...Object.fromEntries(set) } as ResolvedOptions;
  checkTimings(options);
  checkMetadata(options);
  for (const flag of ['deleteOnRelease', 'trustServerClock', 'keepProcessAlive'] as const) {
    checkFlag(flag, options[flag]);
  }
  if (options.namespace !== undefined) checkNamespace(options.namespace);
  if (options.identity !== undefined) checkIdentity(options.identity);
  return options;
}

/** Shorter beside a wide margin. What is no number is refused later, by its own name. */
function followingInterval(durationMs: unknown, marginMs: unknown): number {
  const { renewIntervalMs } = FOLLOWING;
  const usual = follow(durationMs, renewIntervalMs);
  if (!Number.isFinite(durationMs) || !Number.isFinite(marginMs)) return usual;
  const longest = longestRenewInterval(durationMs as number, marginMs as number);
  return Math.min(usual, Math.max(longest, renewIntervalMs.least));
}

/** What leaves room for a missed renewal. */
function longestRenewInterval(durationMs: number, marginMs: number): number {
  return Math.floor((durationMs - marginMs - ATTEMPT_MS) / 2);
}

function follow(durationMs: unknown, { least, most }: { least: number; most: number }): number {
  if (typeof durationMs !== 'number') return least;
  return Math.min(Math.max(Math.floor(durationMs * FOLLOWING.share), least), most);
}

/** @throws InvalidOptionError */
export function checkFlag(name: string, value: unknown): void {
  if (typeof value !== 'boolean') fail(name, value, 'must be true or false');
}

/** @throws InvalidOptionError for an option that does not exist, with those that do */
export function rejectUnknown(given: unknown, names: readonly string[]): void {
  if (!isPlain(given)) {
    fail('options', given, `must be a plain object with any of ${names.join(', ')}`);
  }
  for (const [name, value] of Object.entries(given)) {
    if (names.includes(name)) continue;
    const rule = `is not an option; there are ${names.join(', ')}${hintFor(name, names)}`;
    // Nothing is known of what it may hold.
    throw new InvalidOptionError(name, value, rule, { hidden: true });
  }
}

/** What was probably meant: another spelling, or another place. */
function hintFor(name: string, names: readonly string[]): string {
  const similar = names.find((known) => isSimilar(name, known));
  if (similar !== undefined) return ` (did you mean ${similar}?)`;
  for (const [place, options] of PLACES) {
    const option = options.find((known) => isSimilar(name, known));
    if (option !== undefined) return ` (${option} is an option of ${place})`;
  }
  return '';
}

/** A slip or two apart, or written with other capitals. */
function isSimilar(given: string, known: string): boolean {
  const [a, b] = [given.toLowerCase(), known.toLowerCase()];
  if (Math.abs(a.length - b.length) > MOST_SLIPS) return false;
  return editDistance(a, b) <= Math.min(MOST_SLIPS, Math.floor(b.length / 4));
}

const MOST_SLIPS = 2;

/** Letters to insert, remove or replace (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, n) => n);
  for (const [i, letter] of Array.from(a).entries()) {
    const next = [i + 1];
    for (const [j, other] of Array.from(b).entries()) {
      const replaced = (row[j] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

/** An object literal, of whatever realm; not, say, an AbortSignal or a client whose braces were forgotten. */
function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** @throws InvalidOptionError unless it is an AbortSignal, of whatever realm, or undefined */
export function checkSignal(signal: unknown): void {
  if (signal === undefined) return;
  const { aborted, addEventListener } = (signal ?? {}) as Partial<AbortSignal>;
  if (typeof aborted === 'boolean' && typeof addEventListener === 'function') return;
  fail('signal', signal, 'must be an AbortSignal (the `signal` of an AbortController)');
}

/** @throws InvalidOptionError unless it can be called */
export function checkFunction(option: string, value: unknown): void {
  if (typeof value !== 'function') fail(option, value, 'must be a function');
}

function checkTimings({ leaseDurationMs, renewIntervalMs, marginMs }: ResolvedOptions): void {
  checkWhole('leaseDurationMs', leaseDurationMs, SHORTEST_DURATION_MS, LONGEST_DURATION_MS);
  if (leaseDurationMs % 1_000 !== 0) {
    fail(
      'leaseDurationMs',
      leaseDurationMs,
      'must be whole seconds, since the Lease stores seconds',
    );
  }
  checkWhole('renewIntervalMs', renewIntervalMs, SHORTEST_RENEW_INTERVAL_MS, LONGEST_DURATION_MS);
  checkWhole('marginMs', marginMs, SHORTEST_MARGIN_MS, LONGEST_DURATION_MS);
  const belief = leaseDurationMs - marginMs;
  const needed = 2 * renewIntervalMs + ATTEMPT_MS;
  const widest = leaseDurationMs - 2 * SHORTEST_RENEW_INTERVAL_MS - ATTEMPT_MS;
  if (marginMs > widest) {
    fail(
      'marginMs',
      marginMs,
      `must leave room for renewals: marginMs ≤ leaseDurationMs − 2 × ${SHORTEST_RENEW_INTERVAL_MS} − ` +
        `${ATTEMPT_MS} ms for an attempt = ${widest}; take a smaller margin or a longer lease`,
    );
  }
  if (needed > belief) {
    fail(
      'renewIntervalMs',
      renewIntervalMs,
      'must leave room for a missed renewal: 2 × renewIntervalMs + 1000 ms for an attempt ≤ ' +
        `leaseDurationMs − marginMs, but 2 × ${renewIntervalMs} + ${ATTEMPT_MS} = ${needed} > ` +
        `${leaseDurationMs} − ${marginMs} = ${belief}; take at most ${longestRenewInterval(leaseDurationMs, marginMs)}, ` +
        'a longer lease or a smaller margin',
    );
  }
}

function checkWhole(option: string, value: unknown, least: number, most: number): void {
  if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most) {
    const bounds = `must be a whole number of milliseconds from ${least} to ${most}`;
    fail(option, value, `${bounds}${secondsHint(value, least)}`);
  }
}

/** A number far too small may have been meant as seconds. */
function secondsHint(value: unknown, least: number): string {
  if (typeof value !== 'number' || !(value > 0) || value * 10 > least) return '';
  return ` (if seconds were meant: ${value * 1_000})`;
}

/** @throws InvalidOptionError unless it is milliseconds, whole or not, zero or more; `Infinity` is no limit */
export function checkDuration(option: string, value: unknown): void {
  if (typeof value !== 'number' || Number.isNaN(value) || value < 0) {
    fail(option, value, 'must be a number of milliseconds, zero or more');
  }
}

/** @throws InvalidOptionError unless it leaves time to wait; `Infinity` is no limit */
export function checkTimeout(option: string, value: unknown): void {
  checkDuration(option, value);
  if (value === 0)
    fail(option, value, 'must be more than zero; to try without waiting, call tryAcquire()');
}

const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const qualifiedPart = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

/** Whether a Lease can be called so. */
export function isLeaseName(name: string): boolean {
  return name.length <= 253 && subdomain.test(name);
}

/** @throws InvalidOptionError unless a Lease can be called so (RFC 1123 subdomain) */
export function checkName(name: unknown): asserts name is string {
  if (typeof name !== 'string' || !isLeaseName(name)) {
    const rule =
      'lower-case letters, digits, "-" and ".", beginning and ending with a letter or digit';
    fail('name', name, `must be a name for a Lease: at most 253 ${rule}`);
  }
}

/** @throws InvalidOptionError unless a namespace can be called so (RFC 1123 label) */
export function checkNamespace(namespace: unknown): void {
  if (typeof namespace !== 'string' || namespace.length > 63 || !label.test(namespace)) {
    fail('namespace', namespace, 'must be at most 63 lower-case letters, digits and "-"');
  }
}

/** @throws InvalidOptionError unless it can stand for a holder; the empty string means that there is none */
export function checkIdentity(identity: unknown): void {
  if (typeof identity !== 'string' || identity.trim() === '' || identity.length > 1_024) {
    fail('identity', identity, 'must be a non-blank string of at most 1024 characters');
  }
  if (!isWellFormed(identity)) fail('identity', identity, WELL_FORMED);
}

const WELL_FORMED =
  'must be well-formed text: a half of a character (a lone surrogate) would not be stored as it is';

/** Half a character: a name that was cut in the middle of an emoji, say. */
function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

const OWN_ANNOTATIONS = 'sync.metaparticle.io/';

function checkMetadata({ labels, annotations, ownerReferences }: ResolvedOptions): void {
  checkStrings('labels', labels);
  checkStrings('annotations', annotations);
  for (const value of Object.values(labels)) {
    if (value !== '' && (value.length > 63 || !qualifiedPart.test(value))) {
      fail('labels', value, 'values are at most 63 letters, digits, "-", "_" and "."');
    }
  }
  const own = Object.keys(annotations).find((key) => key.startsWith(OWN_ANNOTATIONS));
  if (own !== undefined) fail('annotations', own, `keys must not begin with ${OWN_ANNOTATIONS}`);
  if (!Array.isArray(ownerReferences)) fail('ownerReferences', ownerReferences, 'must be an array');
  for (const owner of ownerReferences) checkOwner(owner);
}

function checkStrings(option: string, map: Readonly<Record<string, unknown>>): void {
  if (typeof map !== 'object' || (map as unknown) === null || Array.isArray(map)) {
    fail(option, map, 'must be an object of strings');
  }
  for (const [key, value] of Object.entries(map)) {
    if (typeof value !== 'string') fail(option, value, `the value of ${key} must be a string`);
    if (!isWellFormed(value)) fail(option, value, `the value of ${key} ${WELL_FORMED}`);
    const slash = key.indexOf('/');
    const prefix = key.slice(0, Math.max(slash, 0));
    const name = key.slice(slash + 1);
    const isPrefixValid = slash < 0 || (prefix.length <= 253 && subdomain.test(prefix));
    if (!isPrefixValid || name.length > 63 || !qualifiedPart.test(name)) {
      fail(option, key, 'keys are a name of at most 63 characters, or prefix.example.com/name');
    }
  }
}

function checkOwner(owner: unknown): void {
  const { apiVersion, kind, name, uid } = (owner ?? {}) as Partial<OwnerReference>;
  const fields = [apiVersion, kind, name, uid];
  if (!fields.every((field) => typeof field === 'string' && field !== '')) {
    fail('ownerReferences', owner, 'each needs apiVersion, kind, name and uid');
  }
  if (kind === 'Pod') {
    fail(
      'ownerReferences',
      kind,
      'must not name a Pod: when it is deleted, so would be a Lease that another pod holds by then; name its Deployment',
    );
  }
}

function fail(option: string, value: unknown, allowed: string): never {
  throw new InvalidOptionError(option, value, allowed);
}
