import { describe, expect, it } from '@jest/globals';
import { fc } from '../../support/property.js';
import type { Change, Lease, LeaseRecord } from '../../../src/lease/record.js';
import type { Decoration } from '../../../src/lease/store.js';
import { canonical } from '../../../src/lease/kube/json.js';
import type { JsonObject } from '../../../src/lease/kube/json.js';
import { formatMicroTime, parseTime } from '../../../src/lease/kube/time.js';
import {
  decodeLease,
  decodeVersion,
  encodeAnnouncement,
  encodeCreation,
  encodeDeletion,
  encodeReplacement,
} from '../../../src/lease/kube/wire.js';

const key = { namespace: 'team-a', name: 'report' };
const plain: Decoration = { labels: {}, annotations: {}, ownerReferences: [] };
const TERM = 'sync.metaparticle.io/term';
const BUMP = 'sync.metaparticle.io/bump';
const renewed = '2026-03-05T10:00:02.000001Z';
const held = {
  holderIdentity: 'pod-1',
  leaseDurationSeconds: 15,
  acquireTime: '2026-03-05T10:00:00.000000Z',
  renewTime: renewed,
  leaseTransitions: 3,
};
const echo = { holder: 'pod-1', renewTime: renewed };
const term = JSON.stringify({ v: 1, nonce: 'n1', token: '41', ...echo });

function object(spec: JsonObject, metadata: JsonObject = {}): JsonObject {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { ...key, uid: 'u-1', resourceVersion: '42', ...metadata },
    spec,
  };
}

function decoded(spec: JsonObject, metadata: JsonObject = {}, answeredAt?: number): Lease {
  const lease = decodeLease(object(spec, metadata), answeredAt);
  if (lease === null) throw new Error('no lease');
  return lease;
}

/** What the server would see: `undefined` does not survive the way. */
function sent(body: unknown): { metadata: JsonObject; spec: JsonObject } & JsonObject {
  return JSON.parse(JSON.stringify(body)) as { metadata: JsonObject; spec: JsonObject };
}

function replaced(base: Lease, change: Change, decoration = plain) {
  return sent(encodeReplacement(base, change, decoration));
}

describe('announcements', () => {
  const name = (id: string): string => `sync.metaparticle.io/waiting-${id}`;
  const id = '0123456789abcdef';
  const text = '{"waitedMs":2000,"standBackMs":70}';

  it('are read where they parse, and their claims are limited', () => {
    const annotations = {
      [name(id)]: text,
      [name('1123456789abcdef')]: '{"waitedMs":9000,"standBackMs":86400000}',
      [name('2123456789abcdef')]: '{"waitedMs":9000,"standBackMs":-1}',
      [name('3123456789abcdef')]: '{"waitedMs":"long","standBackMs":1}',
      [name('4123456789abcdef')]: '{"waitedMs":1}',
      [name('5123456789abcdef')]: 'soon',
      [name('short')]: text,
      [name('')]: text,
    };
    expect(decoded(held, { annotations }).waiting).toEqual([
      { id, waitedMs: 2_000, standBackMs: 70 },
      { id: '1123456789abcdef', waitedMs: 9_000, standBackMs: 500 },
      { id: '2123456789abcdef', waitedMs: 9_000, standBackMs: 0 },
    ]);
  });

  it('are no part of the content, as versions and owners of fields are not', () => {
    const plain = decoded(held).content;
    const server = { resourceVersion: '43', managedFields: [{ manager: 'x' }] };
    expect(decoded(held, { ...server, annotations: { [name(id)]: text } }).content).toBe(plain);
    expect(decoded(held, { labels: { a: 'b' } }).content).not.toBe(plain);
    expect(decoded(held, { annotations: { note: 'x' } }).content).not.toBe(plain);
    expect(decoded({ ...held, holderIdentity: 'other' }).content).not.toBe(plain);
  });

  it('stay where they are, but for those that end, and are written as they are read', () => {
    const base = decoded(held, {
      annotations: { [name(id)]: text, [name('1123456789abcdef')]: text, note: 'kept' },
    });
    const { record, mark } = base;
    const announcement = { id: '2123456789abcdef', waitedMs: 3_000, standBackMs: 50 };
    const body = sent(encodeReplacement(base, { record, mark, ended: [id], announcement }, plain));
    expect(body.metadata.annotations).toEqual({
      note: 'kept',
      [name('1123456789abcdef')]: text,
      [name('2123456789abcdef')]: '{"waitedMs":3000,"standBackMs":50}',
    });
  });

  it('as merge patches name the uid and no version', () => {
    const base = decoded(held);
    const put = { id, waitedMs: 2_000, standBackMs: 70 };
    expect(sent(encodeAnnouncement(base, id, put))).toEqual({
      metadata: { uid: 'u-1', annotations: { [name(id)]: text } },
    });
    expect(sent(encodeAnnouncement(base, id, null))).toEqual({
      metadata: { uid: 'u-1', annotations: { [name(id)]: null } },
    });
  });
});

describe('times', () => {
  const micros = fc
    .integer({ min: 0, max: 2 ** 42 - 1 })
    .chain((ms) => fc.integer({ min: 0, max: 999 }).map((rest) => (ms * 1000 + rest) / 1000));

  it('are written with exactly six decimals and read back to the microsecond', () => {
    fc.assert(
      fc.property(micros, (ms) => {
        const text = formatMicroTime(ms);
        expect(text).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
        expect(parseTime(text)).toBe(ms);
      }),
    );
  });

  it('are read back to the next microsecond from the year 2109 on', () => {
    const text = formatMicroTime(4_398_046_511_104.146);
    expect(text).toMatch(/^2109-05-15T07:35:11\.104\d{3}Z$/);
    expect(Math.abs((parseTime(text) ?? 0) - 4_398_046_511_104.146)).toBeLessThan(0.002);
  });

  it.each([
    ['2026-03-05T10:00:00Z', Date.UTC(2026, 2, 5, 10)],
    ['2026-03-05T12:00:00.5+02:00', Date.UTC(2026, 2, 5, 10) + 500],
    ['2026-03-05t10:00:00.123456789z', Date.UTC(2026, 2, 5, 10) + 123.456],
  ])('%s is read', (text, ms) => expect(parseTime(text)).toBe(ms));

  it.each(['', 'soon', '2026-03-05', '2026-13-05T10:00:00Z', 1772704800000, null, undefined])(
    '%s is none',
    (value) => expect(parseTime(value)).toBeNull(),
  );
});

describe('reading', () => {
  it('takes a complete record as it is', () => {
    const lease = decoded(held, { annotations: { [TERM]: term } });
    expect(lease).toMatchObject({ key, uid: 'u-1', version: 42n, strategy: null, idleMs: null });
    expect(lease.record).toEqual({
      ...{ holder: 'pod-1', durationMs: 15_000, transitions: 3 },
      acquireTime: Date.UTC(2026, 2, 5, 10),
      renewTime: Date.UTC(2026, 2, 5, 10, 0, 2) + 0.001,
    });
    expect(lease.mark).toEqual({ nonce: 'n1', token: 41n });
  });

  it.each([
    ['no spec at all', undefined],
    ['an empty one', {}],
    ['nothing but null', Object.fromEntries(Object.keys(held).map((name) => [name, null]))],
    [
      'nonsense',
      {
        ...{ holderIdentity: 7, leaseDurationSeconds: 'x', leaseTransitions: -1 },
        ...{ acquireTime: 'soon', renewTime: {} },
      },
    ],
    ['durations of zero', { leaseDurationSeconds: 0 }],
  ])('is lenient with %s', (_what, spec) => {
    const lease = decodeLease({ ...object({}), spec });
    const nothing = { holder: '', durationMs: null, acquireTime: null, renewTime: null };
    expect(lease?.record).toEqual({ ...nothing, transitions: 0 });
    expect(lease?.mark).toBeNull();
  });

  it('never throws, whatever comes', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => void decodeLease(value)));
    const nested = fc.record({ metadata: fc.jsonValue(), spec: fc.jsonValue() });
    fc.assert(fc.property(nested, (value) => void decodeLease(value)));
  });

  it.each([
    ['null', null],
    ['a list', []],
    ['another kind', { ...object({}), kind: 'Status' }],
    ['no name', object({}, { name: undefined })],
    ['no uid', object({}, { uid: undefined })],
  ])('finds no lease in %s', (_what, value) => expect(decodeLease(value)).toBeNull());

  it.each([
    ['42', 42n],
    ['18446744073709551615', 18446744073709551615n],
    ['0', null],
    ['042', null],
    ['4x', null],
    ['-4', null],
    [42, null],
    [undefined, null],
  ])('takes resourceVersion %p for %p', (value, version) =>
    expect(decodeVersion(value)).toBe(version),
  );

  it.each([
    ['another renewTime', held, term.replace('10:00:02', '10:00:03')],
    ['one microsecond more', held, term.replace('000001Z', '000002Z')],
    ['another holder', { ...held, holderIdentity: 'pod-2' }, term],
    ['a vacant record', { ...held, holderIdentity: '' }, term],
    ['no renewTime', { ...held, renewTime: null }, term],
    ['two times that do not parse', { ...held, renewTime: 'x' }, term.replace(renewed, 'x')],
    ['another format', held, term.replace('"v":1', '"v":2')],
    ['no nonce', held, term.replace('n1', '')],
    ['a token that is none', held, term.replace('41', '4.1')],
    ['no JSON', held, '{'],
    ['a JSON text', held, '"x"'],
  ])('finds no valid mark with %s', (_what, spec, annotation) =>
    expect(decoded(spec, { annotations: { [TERM]: annotation } }).mark).toBeNull(),
  );

  it('finds the mark valid when only the digits of the time differ', () => {
    const spec = { ...held, renewTime: '2026-03-05T12:00:02.0000010+02:00' };
    expect(decoded(spec, { annotations: { [TERM]: term } }).mark?.nonce).toBe('n1');
  });

  it('sees coordinated election', () =>
    expect(decoded({ ...held, strategy: 'OldestEmulationVersion' }).strategy).toBe(
      'OldestEmulationVersion',
    ));

  it('gives the same fingerprint to the same spec only', () => {
    const keys = fc.dictionary(fc.string(), fc.jsonValue());
    fc.assert(
      fc.property(keys, keys, (a, b) => {
        const reversed = Object.fromEntries(Object.entries(a).reverse());
        expect(decoded(reversed).fingerprint).toBe(decoded(a).fingerprint);
        expect(JSON.parse(decoded(a).fingerprint)).toEqual(JSON.parse(JSON.stringify(a)));
        expect(canonical(a) === canonical(b)).toBe(
          decoded(a).fingerprint === decoded(b).fingerprint,
        );
      }),
    );
    expect(decoded({ ...held, newField: 1 }).fingerprint).not.toBe(decoded(held).fingerprint);
    expect(decoded(held, { labels: { a: 'b' } }).fingerprint).toBe(decoded(held).fingerprint);
  });
});

describe('the idle time that the server shows', () => {
  const owner = (time: string, spec: JsonObject = { 'f:renewTime': {} }) => ({
    ...{ manager: 'm', time },
    fieldsV1: { 'f:spec': spec },
  });
  const at = Date.UTC(2026, 2, 5, 10, 1);
  const idle = (managedFields: unknown, spec: JsonObject = held, answeredAt?: number) =>
    decoded(spec, { managedFields }, answeredAt ?? at).idleMs;

  it('is its clock minus its stamp of the write', () =>
    expect(idle([owner('2026-03-05T10:00:02Z')])).toBe(58_000));

  it('goes by the latest of several owners, and only by owners', () => {
    const others = [owner('2026-03-05T10:00:30Z', { 'f:holderIdentity': {} }), { time: 'x' }, null];
    const owners = [owner('2026-03-05T10:00:04Z'), owner('2026-03-05T10:00:01Z')];
    expect(idle([...others, ...owners])).toBe(56_000);
  });

  it.each([
    ['nobody owns renewTime', [owner('2026-03-05T10:00:02Z', {})], held],
    ['there is no list', null, held],
    ['the stamp is no time', [owner('then')], held],
    ['renewTime is none', [owner('2026-03-05T10:00:02Z')], { ...held, renewTime: 'x' }],
    ['the holder is 5 s off', [owner('2026-03-05T10:00:07.1Z')], held],
    ['the holder is 5 s off the other way', [owner('2026-03-05T09:59:56Z')], held],
  ])('is not known when %s', (_when, managedFields, spec) =>
    expect(idle(managedFields, spec)).toBeNull(),
  );

  it('is only in reads', () =>
    expect(decoded(held, { managedFields: [owner('2026-03-05T10:00:02Z')] }).idleMs).toBeNull());
});

const record: LeaseRecord = {
  ...{ holder: 'pod-2', durationMs: 15_000, transitions: 4 },
  acquireTime: Date.UTC(2026, 2, 5, 11),
  renewTime: Date.UTC(2026, 2, 5, 11) + 0.25,
};
const claim: Change = { record, mark: { nonce: 'n2', token: 42n } };

describe('a replacement', () => {
  it('names uid and version, writes all five fields and the mark with its echo', () => {
    const body = replaced(decoded(held, { annotations: { [TERM]: term } }), claim);
    expect(body).toMatchObject({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' });
    expect(body.metadata).toEqual({
      ...{ ...key, uid: 'u-1', resourceVersion: '42' },
      annotations: {
        [TERM]:
          '{"v":1,"nonce":"n2","token":"42","holder":"pod-2","renewTime":"2026-03-05T11:00:00.000250Z"}',
      },
    });
    expect(body.spec).toEqual({
      ...{ holderIdentity: 'pod-2', leaseDurationSeconds: 15, leaseTransitions: 4 },
      acquireTime: '2026-03-05T11:00:00.000000Z',
      renewTime: '2026-03-05T11:00:00.000250Z',
    });
  });

  it('carries over what it does not know and leaves the ledger of the server out', () => {
    const metadata = {
      ...{ labels: { app: 'x' }, annotations: { note: 'n' }, finalizers: ['f'] },
      ...{ ownerReferences: [{ uid: 'o-1', name: 'o' }], managedFields: [{ manager: 'm' }] },
    };
    const base = decodeLease({ ...object({ ...held, later: { a: [1] } }, metadata), extra: true });
    const body = replaced(base!, claim);
    expect(body.extra).toBe(true);
    expect(body.spec.later).toEqual({ a: [1] });
    expect(body.metadata).toMatchObject({ labels: { app: 'x' }, finalizers: ['f'] });
    expect(body.metadata.annotations).toMatchObject({ note: 'n' });
    expect(body.metadata.ownerReferences).toEqual([{ uid: 'o-1', name: 'o' }]);
    expect(body.metadata).not.toHaveProperty('managedFields');
  });

  it('comes back from any record as it was put in', () => {
    const time = fc.integer({ min: 0, max: 4e15 }).map((us) => us / 1000);
    const records = fc.record({
      holder: fc.string({ minLength: 1 }),
      durationMs: fc.integer({ min: 1, max: 1e6 }).map((seconds) => seconds * 1000),
      ...{ acquireTime: time, renewTime: time, transitions: fc.nat() },
    });
    const marks = fc.record({
      nonce: fc.string({ minLength: 1 }),
      token: fc.bigInt(1n, 2n ** 80n),
    });
    const bases = fc.constantFrom(held, {}, { holderIdentity: null, other: 1 });
    fc.assert(
      fc.property(records, marks, bases, (next, mark, spec) => {
        const lease = decodeLease(replaced(decoded(spec), { record: next, mark }));
        expect(lease).toMatchObject({ record: next, mark, uid: 'u-1', version: 42n });
      }),
    );
  });

  it('merges decoration key by key, and adds an owner only once', () => {
    const metadata = {
      ...{ labels: { app: 'x', keep: 'k' }, ownerReferences: [{ uid: 'o-1', name: 'old' }] },
    };
    const decoration = {
      ...{ labels: { app: 'y' }, annotations: { team: 'a' } },
      ownerReferences: [{ uid: 'o-1', name: 'new' }, { uid: 'o-2' }],
    };
    const body = replaced(decoded(held, metadata), claim, decoration);
    expect(body.metadata.labels).toEqual({ app: 'y', keep: 'k' });
    expect(body.metadata.annotations).toMatchObject({ team: 'a', [TERM]: expect.any(String) });
    expect(body.metadata.ownerReferences).toEqual([{ uid: 'o-1', name: 'old' }, { uid: 'o-2' }]);
  });

  it('that vacates removes the mark and a former bump, and nothing of others', () => {
    const annotations = { [TERM]: term, [BUMP]: 'b', note: 'n' };
    const vacant = { ...record, holder: '', durationMs: 1000 };
    const body = replaced(decoded(held, { annotations }), { record: vacant, mark: null });
    expect(body.metadata.annotations).toEqual({ note: 'n' });
    expect(body.spec).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1 });
    const bare = replaced(decoded(held, { annotations: { [TERM]: term } }), {
      ...{ record: vacant, mark: null },
    });
    expect(bare.metadata).not.toHaveProperty('annotations');
  });

  it('that keeps holding leaves a bump where it is', () => {
    const base = decoded(held, { annotations: { [BUMP]: 'b' } });
    expect(replaced(base, claim).metadata.annotations).toMatchObject({ [BUMP]: 'b' });
  });

  it.each([
    ['a held record', held, { [TERM]: term }],
    ['a mark that is not valid', held, { [TERM]: term.replace('02.', '03.') }],
    ['times in other digits', { ...held, renewTime: '2026-03-05T12:00:02+02:00' }, {}],
    ['a foreign record full of gaps', { holderIdentity: null, renewTime: null, x: 1 }, {}],
    ['no spec', {}, {}],
  ])('that only bumps touches neither spec nor mark of %s', (_what, spec, annotations) => {
    const base = decoded(spec, { annotations });
    const body = replaced(base, { record: base.record, mark: base.mark, bump: 'b-1' });
    expect(body.spec).toEqual(spec);
    expect(body.metadata.annotations).toEqual({ ...annotations, [BUMP]: 'b-1' });
  });

  it('onto a version that cannot be ordered still names it', () => {
    const base = decoded(held, { resourceVersion: 'etcd-7' });
    expect(base.version).toBeNull();
    expect(replaced(base, claim).metadata.resourceVersion).toBe('etcd-7');
    expect(encodeDeletion(base)).toMatchObject({ preconditions: { resourceVersion: 'etcd-7' } });
  });
});

it('a creation says what it was told and nothing else', () => {
  const decoration = { labels: { a: 'b' }, annotations: {}, ownerReferences: [{ uid: 'o' }] };
  const vacant = { ...record, holder: '', durationMs: 1000, transitions: 0 };
  const body = sent(encodeCreation(key, { record: vacant, mark: null }, decoration));
  expect(body).toEqual({
    ...{ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' },
    metadata: { ...key, labels: { a: 'b' }, ownerReferences: [{ uid: 'o' }] },
    spec: {
      ...{ holderIdentity: '', leaseDurationSeconds: 1, leaseTransitions: 0 },
      acquireTime: '2026-03-05T11:00:00.000000Z',
      renewTime: '2026-03-05T11:00:00.000250Z',
    },
  });
  expect(sent(encodeCreation(key, claim, plain)).metadata.annotations).toHaveProperty([TERM]);
});

it('a deletion names uid and version', () =>
  expect(encodeDeletion(decoded(held))).toEqual({
    ...{ apiVersion: 'v1', kind: 'DeleteOptions' },
    preconditions: { uid: 'u-1', resourceVersion: '42' },
  }));
