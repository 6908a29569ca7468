// The pages list what the code has: every option with its type and default, every error, every warning.
import { describe, expect, it } from '@jest/globals';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fieldsOf, membersOf } from '../../tools/docs/declared.js';
import { ERRORS, OPTIONS, PROOF, SAFETY, checks, type Pages } from '../../tools/docs/listings.js';
import { root } from '../../tools/docs/source.js';

const docs = readdirSync(join(root, 'docs')).map((name) => `docs/${name}`);
const pages: Pages = new Map(
  ['README.md', ...docs].map((name) => [name, readFileSync(join(root, name), 'utf8')]),
);

/** Which check finds which change of which page. */
const faults: readonly (readonly [keyof typeof checks, string, string | RegExp, string])[] = [
  ['every option is listed', OPTIONS, '| `marginMs` ', '| `margin` '],
  ['every option is listed', OPTIONS, /^\| `onNewLeader`.*\n/m, ''],
  ['options are listed with their types', OPTIONS, '`LeaseClient`  ', '`LeaseHost`  '],
  ['options are listed with their defaults', OPTIONS, '| 15 000', '| 10 000'],
  ['options are listed with their defaults', OPTIONS, '| 25 000', '| 20 000'],
  ['options are listed with their defaults', OPTIONS, '| `false` ', '| `true` '],
  ['options are listed with their defaults', OPTIONS, '| required ', '| none '],
  [
    'defaults are told as they are',
    'README.md',
    '`drainTimeoutMs` (25 s)',
    '`drainTimeoutMs` (3 s)',
  ],
  ['defaults are told as they are', 'README.md', '15 s (`lease', '5 s (`lease'],
  ['what follows from the defaults is reckoned right', OPTIONS, '| 13 s ', '| 12 s '],
  ['what follows from the defaults is reckoned right', OPTIONS, '− renewIntervalMs − 1000`', '`'],
  ['every error is listed with its code', ERRORS, '`ERR_CLOSED`', '`ERR_CLOSE`'],
  ['errors are listed with their fields', ERRORS, '`waitedMs`', '`waited`'],
  ['errors are listed with their fields', ERRORS, ', `rule`', ''],
  ['errors are listed with what they say of another try', ERRORS, '| yes ', '| no '],
  ['every error has a section that shows its message', ERRORS, '\n## ApiError', '\n## TheApiError'],
  ['every error has a section that shows its message', ERRORS, '\nERR_CLOSED: ', '\nERR_API: '],
  ['every reason for a loss is listed', ERRORS, '| `taken-over`', '| `stolen`'],
  ['every reason for the end of a term is listed', OPTIONS, /^\| `aborted`.*\n/m, ''],
  ['every warning is listed', OPTIONS, '| `RENEWAL_LATE`', '| `LATE`'],
  ['diagnostics are listed with their fields and words', OPTIONS, ', `intent`,', ','],
  ['diagnostics are listed with their fields and words', OPTIONS, ' `bump`', ' `push`'],
  ['diagnostics are listed with their fields and words', OPTIONS, ':sync:step`', ':sync:steps`'],
  ['the promises have one name each', 'README.md', '**Progress.**', '**Liveness.**'],
  ['the options of the embedded server are listed', 'docs/testing.md', '| `log` ', '| `logs` '],
  ['the options of the embedded server are listed', 'docs/testing.md', '| `seed` ', '| `salt` '],
  ['the members of the manual clock are listed', 'docs/testing.md', '`sleep(ms)` ', '`wait(ms)` '],
  ['YAML can be read', 'README.md', 'rules:\n', 'rules: {\n'],
  ['SQL is that of the examples, which run it', SAFETY, 'stored.fence <=', 'stored.fence <'],
  ['the examples that are named are there', 'README.md', '| `lock.ts`', '| `locks.ts`'],
  ['every error found so far is shown by a test that is there', PROOF, '`1: a renewal', '`1: an'],
];

describe('the pages', () => {
  it.each(Object.keys(checks))('%s', (name) => {
    expect(checks[name]?.(pages)).toEqual([]);
  });
});

describe('the checks of what the pages list', () => {
  it('are each shown to bite', () => {
    expect(new Set(faults.map(([name]) => name))).toEqual(new Set(Object.keys(checks)));
  });

  it.each(faults)('%s: finds a fault in %s (%#)', (name, page, from, to) => {
    const text = pages.get(page) ?? '';
    const changed = text.replace(from, to);
    expect(changed).not.toBe(text);
    const found = checks[name]?.(new Map([...pages, [page, changed]]));
    expect(found).not.toEqual(checks[name]?.(pages));
  });

  it('read the source, which declares something', () => {
    expect(membersOf('LeaseOptions').size).toBeGreaterThan(10);
    expect(fieldsOf('ForbiddenError')).toContain('serverMessage');
    expect(() => membersOf('NoSuchType')).toThrow('the source declares no NoSuchType');
  });
});
