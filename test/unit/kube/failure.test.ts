import { describe, expect, it } from '@jest/globals';
import { failureOf, readStatus } from '../../../src/lease/kube/failure.js';
import type { Question } from '../../../src/lease/kube/failure.js';
import { brokenConnection, unsendable } from '../../../src/lease/kube/unreachable.js';
import { gist, scrub } from '../../../src/lease/kube/words.js';

const server = 'https://api.test';
const question: Question = { verb: 'update', namespace: 'team-a', server };

function status(reason: string, message: string, causes: string[] = []): string {
  const details = { causes: causes.map((cause) => ({ reason: cause })) };
  return JSON.stringify({ kind: 'Status', status: 'Failure', reason, message, details });
}

const rbac = 'leases "x" is forbidden: User "u" cannot update resource "leases"';
const webhook = 'admission webhook "guard.example.com" denied the request: no leases on fridays';
const terminating = 'unable to create new content in namespace team-a: it is being terminated';
const quota = 'leases "x" is forbidden: exceeded quota: q, requested: count/leases=1';

const table: readonly (readonly [
  what: string,
  code: number,
  body: string,
  asked: Partial<Question>,
  kind: string,
  error: string,
  words: string,
])[] = [
  ['401', 401, status('Unauthorized', 'Unauthorized'), {}, 'refused', 'UnauthorizedError', '401'],
  ['403 of RBAC', 403, status('Forbidden', rbac), {}, 'refused', 'ForbiddenError', rbac],
  [
    ...([
      '403 in a namespace that goes away',
      403,
      status('Forbidden', terminating, ['NamespaceTerminating']),
    ] as const),
    ...([{ verb: 'create' }, 'refused', 'NamespaceError', terminating] as const),
  ],
  ['403 of a webhook', 403, status('Forbidden', webhook), {}, 'refused', 'ApiError', webhook],
  ['400 of a webhook', 400, status('', webhook), {}, 'refused', 'ApiError', webhook],
  ['403 of a quota', 403, status('Forbidden', quota), {}, 'refused', 'ApiError', 'exceeded quota'],
  [
    ...(['404 of a create', 404, status('NotFound', 'namespaces "team-a" not found')] as const),
    ...([
      { verb: 'create' },
      'refused',
      'NamespaceError',
      'namespaces "team-a" not found',
    ] as const),
  ],
  [
    ...(['404 of no API server', 404, '404 page not found', { verb: 'create' }] as const),
    ...(['refused', 'ApiError', '404 page not found'] as const),
  ],
  [
    ...(['409 of a quota', 409, status('Conflict', 'the object has been modified')] as const),
    ...([{ verb: 'create' }, 'refused', 'ApiError', 'Conflict'] as const),
  ],
  ['422', 422, status('Invalid', 'spec.x: Invalid'), {}, 'refused', 'ApiError', 'spec.x: Invalid'],
  ['400', 400, status('BadRequest', 'strict'), {}, 'refused', 'ApiError', '400 BadRequest'],
  ['a redirect', 302, '', {}, 'refused', 'ApiError', '302 unexpected'],
  [
    ...(['429', 429, status('TooManyRequests', 'slow down'), {}] as const),
    ...(['refused, transient', 'ApiUnreachableError', '429 TooManyRequests slow down'] as const),
  ],
  [
    ...(['500', 500, status('InternalError', 'failed calling webhook'), {}] as const),
    ...(['unknown', 'ApiUnreachableError', 'failed calling webhook'] as const),
  ],
  [
    ...(['502 of a proxy', 502, '<html><body><h1>Bad\nGateway</h1></body></html>', {}] as const),
    ...(['unknown', 'ApiUnreachableError', '502  Bad Gateway'] as const),
  ],
  ['504', 504, status('Timeout', 'timed out'), {}, 'unknown', 'ApiUnreachableError', 'timed out'],
];

describe('an answer that is no success', () => {
  it.each(table)('%s', (_what, code, body, asked, kind, error, words) => {
    const outcome = failureOf(code, readStatus(body), { ...question, ...asked });
    const isTransient = outcome.kind === 'refused' && outcome.transient;
    expect(outcome.kind + (isTransient ? ', transient' : '')).toBe(kind);
    expect(outcome.error.name).toBe(error);
    expect(outcome.error.message).toContain(words);
    expect(outcome.error.retryable).toBe(isTransient || kind === 'unknown');
  });

  it('of RBAC says which rule is missing', () => {
    const { error } = failureOf(403, readStatus(status('Forbidden', rbac)), question);
    expect(error).toMatchObject({
      ...{ verb: 'update', resource: 'leases', namespace: 'team-a' },
      rule: '{apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["update"]}',
    });
  });

  it.each(['', 'null', '[]', '{', '{"kind":"Status","details":{"causes":[null]}}'])(
    'is read without trust: %p',
    (body) => expect(() => readStatus(body)).not.toThrow(),
  );
});

describe('a connection that broke', () => {
  const error = (code: string): NodeJS.ErrnoException =>
    Object.assign(new Error(`it broke: ${code}`), { code });

  it.each(['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ETIMEDOUT', 'ECONNRESET', 'EPROTO'])(
    '%s before anything left: refused, worth trying again',
    (code) => {
      const outcome = brokenConnection(error(code), false, server);
      expect(outcome).toMatchObject({ kind: 'refused', transient: true });
      expect(outcome.error).toMatchObject({ name: 'ApiUnreachableError', retryable: true, server });
    },
  );

  it.each(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', ''])('%p after that: unknown', (code) =>
    expect(brokenConnection(error(code), true, server).kind).toBe('unknown'),
  );

  it.each([
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'CERT_HAS_EXPIRED',
    'CERT_NOT_YET_VALID',
    'CERT_SIGNATURE_FAILURE',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'INVALID_CA',
    'ERR_OSSL_X509_KEY_VALUES_MISMATCH',
  ])('%s: refused for good, with what to change', (code) => {
    const outcome = brokenConnection(error(code), false, server);
    expect(outcome).toMatchObject({ kind: 'refused', transient: false });
    expect(outcome.error.retryable).toBe(false);
    expect(outcome.error.message).toContain(`${server} is not trusted: it broke: ${code}`);
    expect(outcome.error.message).toContain('certificate-authority-data');
  });

  it('that could not even be tried is refused for good', () => {
    for (const reason of [error('ERR_INVALID_CHAR'), error('ERR_OSSL_PEM_NO_START_LINE'), 'what']) {
      const outcome = unsendable(reason, server);
      expect(outcome).toMatchObject({ kind: 'refused', transient: false });
      expect(outcome.error.retryable).toBe(false);
    }
  });
});

describe('words of others', () => {
  it('become one bounded line', () => {
    expect(gist('<html><style>a{}</style><p>Bad\n  Gateway</p></html>')).toBe('Bad Gateway');
    expect(gist('x '.repeat(1000)).length).toBeLessThan(410);
  });

  it('are looked at up to a limit, in time that grows with their length alone', () => {
    const hostile = ['<script', '<', '<a', '<script>', '<style><'].map((part) =>
      part.repeat(4 * 2 ** 20),
    );
    // A quadratic way would take hours: this ends or does not.
    for (const text of hostile) expect(gist(text).length).toBeLessThan(410);
    expect(gist(`<script>if (a < b) { f("x > y") }</script>words`)).toBe('words');
  });

  it('lose what a terminal would obey, and keep their characters whole', () => {
    expect(gist('a\u001b[2Jb\u0007\u009b\u202ec')).toBe('a [2Jb c');
    expect(gist(`${'x'.repeat(399)}\u{1f600}`)).toBe(`${'x'.repeat(399)}…`);
  });

  it.each([
    ['wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', '…'],
    ['abcdef.0123456789abcdef', '…'],
    ['spawn /usr/local/bin/aws-iam-authenticator ENOENT', null],
    ['getaddrinfo ENOTFOUND oidc.eks.example.com', null],
  ])('lose runs that may be a key, and keep words: %s', (text, kept) => {
    expect(scrub(text)).toBe(kept ?? text);
  });

  it('lose what may be a secret', () => {
    const token = 'eyJhbGciOiJSUzI1NiIsImtpZCI6Ik.eyJpc3MiOiJrdWJ-_x';
    expect(scrub(`error: token ${token} is expired`)).toBe('error: token … is expired');
  });
});
