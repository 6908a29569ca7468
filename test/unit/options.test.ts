import { afterEach, describe, expect, it } from '@jest/globals';
import { InvalidOptionError, LeaseClient, Lock, type LockOptions } from '@metaparticle/sync';
import { fc } from '../support/property.js';
import { hostname } from 'node:os';
import { inspect } from 'node:util';
import {
  checkDuration,
  checkTimeout,
  checkIdentity,
  checkName,
  checkNamespace,
  rejectUnknown,
  resolveOptions,
} from '../../src/options.js';
import { expectError, thrown } from '../support/promises.js';

const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'u-1' };

function refused(options: object, option: string, ...parts: readonly (string | RegExp)[]): void {
  const error = thrown(() => new Lock('lock', options));
  const { option: named } = expectError(error, InvalidOptionError, 'ERR_INVALID_OPTION', ...parts);
  expect(named).toBe(option);
}

function accepted(options: LockOptions): void {
  expect(new Lock('lock', options)).toBeInstanceOf(Lock);
}

describe('defaults', () => {
  it('are those that the documentation names', () => {
    expect(resolveOptions({})).toEqual({
      leaseDurationMs: 15_000,
      renewIntervalMs: 2_000,
      marginMs: 2_000,
      labels: {},
      annotations: {},
      ownerReferences: [],
      deleteOnRelease: false,
      trustServerClock: true,
      keepProcessAlive: true,
    });
  });

  it('stand in for undefined, as for what is not given', () => {
    const names = Object.keys(resolveOptions({}));
    const all = Object.fromEntries([...names, 'namespace', 'identity'].map((n) => [n, undefined]));
    expect(resolveOptions(all)).toEqual(resolveOptions({}));
  });

  it('are not written into the caller’s object', () => {
    const given = Object.freeze({ leaseDurationMs: 20_000 });
    expect(resolveOptions(given).leaseDurationMs).toBe(20_000);
  });
});

describe('leaseDurationMs', () => {
  it.each([4_000, 5_000, 15_000, 3_600_000, 2_147_483_647_000])('may be %d', (leaseDurationMs) => {
    accepted({ leaseDurationMs, renewIntervalMs: 1_000, marginMs: 500 });
  });

  it.each([
    [15_500, /whole seconds, since the Lease stores seconds; got 15500$/],
    [15, /from 4000 to 2147483647000 \(if seconds were meant: 15000\); got 15$/],
    [3_999, /from 4000 to 2147483647000; got 3999$/],
    [15n, 'whole number of milliseconds from 4000 to 2147483647000; got 15'],
    [2_147_483_648_000, 'from 4000 to 2147483647000; got 2147483648000'],
    [0, 'got 0'],
    [-15_000, 'got -15000'],
    [15_000.5, 'got 15000.5'],
    [NaN, 'got NaN'],
    [Infinity, 'got Infinity'],
    ['15000', 'got "15000"'],
    [15_000n, 'got 15000'],
    [null, 'got null'],
    [[15_000], 'got an array'],
    [() => 15_000, 'got a function'],
  ])('must not be %p', (leaseDurationMs, message) => {
    refused({ leaseDurationMs }, 'leaseDurationMs', message);
  });
});

describe('renewIntervalMs and marginMs', () => {
  it('reach their bounds', () => {
    accepted({ renewIntervalMs: 1_000 });
    accepted({ marginMs: 500 });
  });

  it.each([
    ['renewIntervalMs', 999, 'from 1000 to'],
    ['renewIntervalMs', 1_000.5, 'whole number'],
    ['renewIntervalMs', '2s', 'got "2s"'],
    ['marginMs', 499, 'from 500 to'],
    ['marginMs', -1, 'from 500 to'],
    ['marginMs', NaN, 'whole number'],
  ])('%s must not be %p', (option, value, message) => {
    refused({ [option]: value }, option, message);
  });

  it.each([
    [4_000, 1_000, 533],
    [5_000, 1_000, 666],
    [10_000, 1_333, 1_333],
    [15_000, 2_000, 2_000],
    [30_000, 4_000, 2_000],
    [120_000, 5_000, 2_000],
  ])('follow a lease of %d ms', (leaseDurationMs, renewIntervalMs, marginMs) => {
    expect(resolveOptions({ leaseDurationMs })).toMatchObject({ renewIntervalMs, marginMs });
  });

  it('follow a lease of any length that is allowed, so that it needs no other option', () => {
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 100_000 }), (seconds) => {
        const leaseDurationMs = seconds * 1_000;
        expect(resolveOptions({ leaseDurationMs })).toMatchObject({ leaseDurationMs });
      }),
    );
  });

  it('leave room beside a margin that is given: any that is allowed needs no other option', () => {
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 100 }), fc.integer({ min: 500 }), (seconds, any) => {
        const leaseDurationMs = seconds * 1_000;
        const marginMs = 500 + (any % (leaseDurationMs - 3_000 - 500 + 1));
        expect(resolveOptions({ leaseDurationMs, marginMs })).toMatchObject({ marginMs });
      }),
    );
  });

  it('are as given where one of them is given, and the other still follows', () => {
    const options = resolveOptions({ leaseDurationMs: 10_000, marginMs: 3_000 });
    expect(options).toMatchObject({ marginMs: 3_000, renewIntervalMs: 1_333 });
  });

  it('leave room for a missed renewal, to the millisecond', () => {
    accepted({ leaseDurationMs: 15_000, renewIntervalMs: 6_000, marginMs: 2_000 });
    refused({ renewIntervalMs: 6_000, marginMs: 2_001 }, 'renewIntervalMs', '13000 > 15000 − 2001');
    refused(
      { leaseDurationMs: 15_000, renewIntervalMs: 6_001, marginMs: 2_000 },
      'renewIntervalMs',
      '2 × renewIntervalMs + 1000 ms for an attempt ≤ leaseDurationMs − marginMs',
      '2 × 6001 + 1000 = 13002 > 15000 − 2000 = 13000',
      'take at most 6000, a longer lease or a smaller margin; got 6001',
    );
  });

  it('are also held against a margin that eats up the lease', () => {
    refused(
      { leaseDurationMs: 5_000, marginMs: 4_999 },
      'marginMs',
      'marginMs ≤ leaseDurationMs − 2 × 1000 − 1000 ms for an attempt = 2000',
    );
  });

  const ms = fc.integer({ min: -1_000, max: 40_000 });
  const timings = fc.record({
    leaseDurationMs: fc.oneof(
      ms,
      ms.map((value) => value * 1_000),
    ),
    renewIntervalMs: ms,
    marginMs: ms,
  });

  it('fit together whenever they are accepted, and are accepted whenever they fit', () => {
    fc.assert(
      fc.property(timings, (given) => {
        const { leaseDurationMs, renewIntervalMs, marginMs } = given;
        const fits =
          leaseDurationMs >= 1_000 &&
          leaseDurationMs % 1_000 === 0 &&
          renewIntervalMs >= 1_000 &&
          marginMs >= 500 &&
          2 * renewIntervalMs + 1_000 <= leaseDurationMs - marginMs;
        let isAccepted = true;
        try {
          expect(resolveOptions(given)).toMatchObject(given);
        } catch (error) {
          expectError(error, InvalidOptionError, 'ERR_INVALID_OPTION');
          isAccepted = false;
        }
        expect(isAccepted).toBe(fits);
      }),
      // Few of the triples fit; a quarter of these do.
      {
        numRuns: 1_000,
        examples: [[{ leaseDurationMs: 4_000, renewIntervalMs: 1_250, marginMs: 500 }]],
      },
    );
  });

  it('come with advice that is accepted', () => {
    const lengths = fc.integer({ min: 5, max: 60 }).map((seconds) => seconds * 1_000);
    const marginMs = 2_000;
    fc.assert(
      fc.property(
        lengths,
        fc.integer({ min: 1_000, max: 90_000 }),
        (leaseDurationMs, renewIntervalMs) => {
          fc.pre(2 * renewIntervalMs + 1_000 > leaseDurationMs - marginMs);
          const error = thrown(() =>
            resolveOptions({ leaseDurationMs, renewIntervalMs, marginMs }),
          );
          const most = /take at most (\d+)/.exec((error as Error).message)?.[1];
          const advised = { leaseDurationMs, renewIntervalMs: Number(most), marginMs };
          expect(resolveOptions(advised)).toMatchObject(advised);
        },
      ),
    );
  });
});

describe('the name of a lock', () => {
  it.each(['a', 'nightly-report', 'a.b-c.d', '0'])('may be %j', (name) => {
    expect(() => checkName(name)).not.toThrow();
  });

  it('may be 253 characters long, and no more', () => {
    expect(() => checkName('a'.repeat(253))).not.toThrow();
    const error = thrown(() => new Lock('a'.repeat(254)));
    expectError(error, InvalidOptionError, 'ERR_INVALID_OPTION', 'at most 253');
  });

  it.each([
    ['', 'got ""'],
    ['Nightly', 'lower-case letters, digits, "-" and "."'],
    ['a_b', 'got "a_b"'],
    ['-a', 'beginning and ending with a letter or digit'],
    ['a-', 'got "a-"'],
    ['a..b', 'got "a..b"'],
    ['a/b', 'got "a/b"'],
    ['a\n', 'got "a\\n"'],
    ['ä', 'got "ä"'],
    [undefined, 'got undefined'],
    [5, 'got 5'],
  ])('must not be %j', (name, part) => {
    const error = thrown(() => new Lock(name as string));
    expect(expectError(error, InvalidOptionError, 'ERR_INVALID_OPTION', part).option).toBe('name');
  });
});

describe('namespace and identity', () => {
  it.each(['default', 'team-1'])('namespace may be %j', (namespace) => {
    expect(() => checkNamespace(namespace)).not.toThrow();
  });

  it.each(['', 'Team', 'a.b', '-a', 'a-', 'a\n', null, 3])(
    'namespace must not be %j',
    (namespace) => {
      refused({ namespace }, 'namespace', 'at most 63 lower-case letters, digits and "-"');
    },
  );

  it.each(['pod-1', 'worker 7 / ü'])('identity may be %j', (identity) => {
    expect(() => checkIdentity(identity)).not.toThrow();
  });

  it('identity and metadata must be well-formed text', () => {
    const cut = 'pod-\ud83d';
    refused({ identity: cut }, 'identity', 'must be well-formed text');
    refused({ labels: { app: cut } }, 'labels', 'the value of app must be well-formed text');
    accepted({ identity: 'pod-\ud83d\ude00' });
  });

  it.each(['', '  ', '\t', null, 3])('identity must not be %j', (identity) => {
    refused({ identity }, 'identity', 'non-blank string of at most 1024 characters');
  });
});

describe('lengths', () => {
  it('of a namespace end at 63', () => {
    expect(() => checkNamespace('a'.repeat(63))).not.toThrow();
    refused({ namespace: 'a'.repeat(64) }, 'namespace', 'at most 63');
  });

  it('of an identity end at 1024', () => {
    expect(() => checkIdentity('a'.repeat(1_024))).not.toThrow();
    refused({ identity: 'a'.repeat(1_025) }, 'identity', 'at most 1024');
  });

  it('of the parts of a label end at 63, that of its prefix at 253', () => {
    const [most, prefix] = ['a'.repeat(63), 'a'.repeat(253)];
    accepted({ labels: { [most]: most } });
    accepted({ labels: { [`${prefix}/a`]: '' } });
    refused({ labels: { [`${most}a`]: '' } }, 'labels');
    refused({ labels: { [`${prefix}a/a`]: '' } }, 'labels');
    refused({ labels: { a: `${most}a` } }, 'labels', 'at most 63');
  });
});

describe('the identity of a client', () => {
  const podName = process.env.POD_NAME;
  afterEach(() => {
    if (podName === undefined) delete process.env.POD_NAME;
    else process.env.POD_NAME = podName;
  });

  it('is the option, else the name of the pod', () => {
    process.env.POD_NAME = ' web-7 \n';
    expect(new LeaseClient().identity).toBe('web-7');
    expect(new LeaseClient({ identity: 'mine' }).identity).toBe('mine');
  });

  it.each(['', ' '])('else the name of the host and something random (POD_NAME=%j)', (name) => {
    process.env.POD_NAME = name;
    const [one, other] = [new LeaseClient().identity, new LeaseClient().identity];
    expect(one).toMatch(/_[\w-]{8}$/);
    expect(one.slice(0, -9)).toBe(hostname());
    expect(one).not.toBe(other);
    expect(() => checkIdentity(one)).not.toThrow();
  });
});

describe('labels and annotations', () => {
  it.each([{}, { app: 'web' }, { 'example.com/team': 'a-b_c.D' }, { empty: '' }])(
    'labels may be %j',
    (labels) => accepted({ labels }),
  );

  it.each([
    [
      { app: 'two words' },
      'values are at most 63 letters, digits, "-", "_" and "."; got "two words"',
    ],
    [{ app: '-x' }, 'got "-x"'],
    [{ app: 5 }, 'the value of app must be a string'],
    [{ '': 'x' }, 'keys are a name of at most 63 characters'],
    [{ 'a/b/c': 'x' }, 'keys are a name of at most 63 characters'],
    [{ '/a': 'x' }, 'keys are a name of at most 63 characters'],
    [{ 'a/': 'x' }, 'keys are a name of at most 63 characters'],
    [{ 'Upper.Case/a': 'x' }, 'keys are a name of at most 63 characters'],
    [['app'], 'must be an object of strings; got an array'],
    ['app=web', 'must be an object of strings; got "app=web"'],
    [null, 'must be an object of strings; got null'],
  ])('labels must not be %j', (labels, part) => refused({ labels }, 'labels', part));

  it('annotations may say anything under a valid key', () => {
    accepted({ annotations: { 'example.com/note': 'two words, ümlauts and\nlines' } });
  });

  it.each([
    [{ 'sync.metaparticle.io/term': '{}' }, 'keys must not begin with sync.metaparticle.io/'],
    [{ 'sync.metaparticle.io/mine': '' }, 'got "sync.metaparticle.io/mine"'],
    [{ 'no good key': '' }, 'no good key'],
    [{ note: null }, 'the value of note must be a string'],
  ])('annotations must not be %j', (annotations, part) => {
    refused({ annotations }, 'annotations', part);
  });
});

describe('ownerReferences', () => {
  it('may name anything but a Pod', () => {
    accepted({ ownerReferences: [owner, { ...owner, kind: 'Job', controller: true }] });
  });

  it('refuses a Pod, and says why and what to name instead', () => {
    const pod = { ...owner, apiVersion: 'v1', kind: 'Pod' };
    const parts = ['must not name a Pod', 'a Lease that another pod holds by then', 'Deployment'];
    refused({ ownerReferences: [owner, pod] }, 'ownerReferences', ...parts, 'got "Pod"');
  });

  it.each(['apiVersion', 'kind', 'name', 'uid'])('needs %s', (field) => {
    const part = 'each needs apiVersion, kind, name and uid';
    refused({ ownerReferences: [{ ...owner, [field]: undefined }] }, 'ownerReferences', part);
    refused({ ownerReferences: [{ ...owner, [field]: '' }] }, 'ownerReferences', part);
  });

  it.each([owner, 'Deployment/web', null])('must be an array, not %j', (ownerReferences) => {
    refused({ ownerReferences }, 'ownerReferences', 'must be an array');
  });

  it('holds no null', () => {
    refused({ ownerReferences: [null] }, 'ownerReferences', 'got null');
  });
});

describe('switches', () => {
  it.each(['deleteOnRelease', 'trustServerClock', 'keepProcessAlive'])(
    '%s is a boolean',
    (name) => {
      accepted({ [name]: true });
      accepted({ [name]: false });
      for (const value of ['true', 1, null])
        refused({ [name]: value }, name, 'must be true or false');
    },
  );
});

describe('unknown options', () => {
  it('are named, with those that there are', () => {
    const parts = ['is not an option; there are leaseDurationMs, ', 'keepProcessAlive', 'client'];
    refused({ leaseDuration: 15_000 }, 'leaseDuration', ...parts, 'got a value of type number');
  });

  it.each([
    ['leaseDurationMS', 'did you mean leaseDurationMs?'],
    ['renewIntervalMss', 'did you mean renewIntervalMs?'],
    ['kubeConfig', 'kubeConfig is an option of LeaseClient'],
    ['kubeconfig', 'kubeConfig is an option of LeaseClient'],
    ['onStartedLeading', 'onStartedLeading is an option of Election'],
    ['timeoutMs', 'timeoutMs is an option of acquire() and withLock()'],
  ])('%s: says what was probably meant', (name, hint) => {
    refused({ [name]: 5 }, name, hint);
  });

  it('gives no hint where nothing is near', () => {
    const error = thrown(() => resolveOptions({ colour: 1 } as never));
    expect((error as Error).message).toMatch(/keepProcessAlive, namespace, identity, client; got/);
  });

  it('shows nothing of a value that it does not know: it may be a credential', () => {
    for (const value of ['s3cret', { token: 's3cret' }, ['s3cret']]) {
      const error = thrown(() => resolveOptions({ token: value } as never));
      expect(inspect(error) + JSON.stringify(error)).not.toContain('s3cret');
    }
  });

  it.each([null, 5, 'fast'])('options must be an object, not %j', (options) => {
    const error = thrown(() => rejectUnknown(options, []));
    expectError(error, InvalidOptionError, 'ERR_INVALID_OPTION', 'options: must be a plain object');
  });

  it('keeps no prototype from being what it is', () => {
    refused(
      JSON.parse('{"__proto__": {"marginMs": 1}}') as object,
      '__proto__',
      'is not an option',
    );
  });
});

describe('durations of calls', () => {
  it.each([0, 0.5, 1, 2 ** 40, Infinity])('may be %d', (ms) => {
    expect(() => checkDuration('timeoutMs', ms)).not.toThrow();
  });

  it('leave time to wait where they limit a wait', () => {
    expect(() => checkTimeout('timeoutMs', 1)).not.toThrow();
    const error = thrown(() => checkTimeout('timeoutMs', 0));
    const parts = ['must be more than zero', 'call tryAcquire()'];
    expectError(error, InvalidOptionError, 'ERR_INVALID_OPTION', ...parts);
  });

  it.each([-1, NaN, -Infinity, '5', null, 5n])('must not be %p', (ms) => {
    const error = thrown(() => checkDuration('timeoutMs', ms));
    const part = 'timeoutMs: must be a number of milliseconds, zero or more; got ';
    expectError(error, InvalidOptionError, 'ERR_INVALID_OPTION', part);
  });
});

describe('any input at all', () => {
  it('is accepted or refused with an InvalidOptionError, never with anything else', () => {
    const names = [...Object.keys(resolveOptions({})), 'namespace', 'identity', 'client'];
    const anything = fc.dictionary(
      fc.constantFrom(...names),
      fc.anything({ withBigInt: true, withNullPrototype: true }),
    );
    fc.assert(
      fc.property(anything, (options) => {
        try {
          new Lock('lock', options);
        } catch (error) {
          expectError(error, InvalidOptionError, 'ERR_INVALID_OPTION');
        }
      }),
      { numRuns: 500 },
    );
  });
});
