// The pages list what the code has: every option with its type and default, every error, every warning.
import { describe, expect, it } from '@jest/globals';
import { loadAllYaml } from '@kubernetes/client-node';
import * as sync from '@metaparticle/sync';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { resolveElection } from '../src/election/options.js';
import { resolveOptions } from '../src/options.js';
import { exportsOf, fieldsOf, literalsOf, membersOf } from './tools/declared.js';
import { readPage, type Fence } from './tools/markdown.js';
import { root } from './tools/source.js';
import { codeIn, rowsOf, sectionOf } from './tools/tables.js';

type Pages = ReadonlyMap<string, string>;

const docs = readdirSync(join(root, 'docs')).map((name) => `docs/${name}`);
const pages: Pages = new Map(
  ['README.md', ...docs].map((name) => [name, readFileSync(join(root, name), 'utf8')]),
);

function textOf(all: Pages, page: string): string {
  return all.get(page) ?? '';
}

function fencesOf(all: Pages, language: string): Fence[] {
  const fences = [...all].flatMap(([page, text]) => readPage(page, text).fences);
  return fences.filter((fence) => fence.language === language);
}

/** Complaints about what is missing on either side. */
function differences(what: string, listed: readonly string[], has: readonly string[]): string[] {
  const unlisted = has.filter((one) => !listed.includes(one));
  const gone = listed.filter((one) => !has.includes(one));
  return [
    ...unlisted.map((one) => `${what}: ${one} is not listed`),
    ...gone.map((one) => `${what}: there is no ${one}`),
  ];
}

const OPTIONS = 'docs/options.md';
const ERRORS = 'docs/errors.md';
const SAFETY = 'docs/safety.md';

const optionTypes = exportsOf('src/index.ts').filter((name) => /(Options|Callbacks)$/.test(name));
const options = new Map(optionTypes.flatMap((name) => [...membersOf(name)]));
const { drainTimeoutMs } = resolveElection({ onStartedLeading: () => undefined });
const defaults: Readonly<Record<string, unknown>> = { ...resolveOptions({}), drainTimeoutMs };

function optionRows(all: Pages) {
  const rows = rowsOf(OPTIONS, textOf(all, OPTIONS)).filter((row) => 'option' in row);
  return rows.map((row) => ({ ...row, name: codeIn(row['option'] ?? '')[0] ?? '' }) as const);
}

function shownDefault(value: unknown): string {
  if (typeof value === 'number') return value.toLocaleString('en').replaceAll(',', ' ');
  if (typeof value === 'boolean') return `\`${value}\``;
  return 'none';
}

const server = 'https://api.example.com';
/** One of each, made with nothing but what it must be given. */
const samples: { readonly [C in keyof sync.ErrorsByCode]: sync.ErrorsByCode[C] } = {
  ERR_INVALID_OPTION: new sync.InvalidOptionError('a', 1, 'must be 2'),
  ERR_ACQUIRE_TIMEOUT: new sync.AcquireTimeoutError('a/b', null, 1),
  ERR_LOCK_LOST: new sync.LockLostError('a/b', 'expired', 1n),
  ERR_UNAUTHORIZED: new sync.UnauthorizedError('Unauthorized'),
  ERR_FORBIDDEN: new sync.ForbiddenError('get', 'leases', 'a', 'no'),
  ERR_NAMESPACE: new sync.NamespaceError('a', 'no'),
  ERR_NO_CLUSTER_CONFIG: new sync.NoClusterConfigError([]),
  ERR_API_UNREACHABLE: new sync.ApiUnreachableError('no answer', server),
  ERR_API: new sync.ApiError(400, 'BadRequest', 'no'),
  ERR_UNSUPPORTED_LEASE: new sync.UnsupportedLeaseError('a/b', 'no'),
  ERR_CLOSED: new sync.ClosedError(),
};

function errorRows(all: Pages) {
  const rows = rowsOf(ERRORS, textOf(all, ERRORS), 'Errors');
  return rows.map((row) => ({
    name: codeIn(row['class'] ?? '')[0] ?? '',
    code: codeIn(row['code'] ?? '')[0] ?? '',
    retryable: row['`retryable`'] ?? '',
    fields: codeIn(row['fields of its own'] ?? ''),
  }));
}

/** The first cells of the rows below a heading. */
function firstCells(all: Pages, page: string, heading: string, column: string): string[] {
  const rows = rowsOf(page, textOf(all, page), heading);
  return rows.flatMap((row) => codeIn(row[column] ?? ''));
}

function promisesOf(all: Pages, page: string, heading: string): string[] {
  const section = sectionOf(page, textOf(all, page), heading);
  return [...section.matchAll(/^\d\. \*\*(.*?)\.?\*\*/gm)].map(([, name = '']) => name);
}

function words(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

/** All files of examples/, as one text. */
function exampleText(): string {
  const names = readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => /\.(ts|sql)$/.test(name));
  return files.map((name) => words(readFileSync(join(root, 'examples', name), 'utf8'))).join('\n');
}

const checks: Readonly<Record<string, (all: Pages) => string[]>> = {
  'every option is listed': (all) => {
    const listed = optionRows(all).map(({ name }) => name);
    return differences('options', listed, [...options.keys()]);
  },
  'options are listed with their types': (all) =>
    optionRows(all).flatMap(({ name, type = '' }: { name: string; type?: string }) => {
      const [shown] = codeIn(type);
      const declared = options.get(name)?.type;
      return shown === declared ? [] : [`${name}: is ${declared}, not ${shown}`];
    }),
  'options are listed with their defaults': (all) =>
    optionRows(all).flatMap((row: { name: string; default?: string }) => {
      const shown = row.default ?? '';
      const isRequired = options.get(row.name)?.isOptional === false;
      if (isRequired !== (shown === 'required')) return [`${row.name}: required or not?`];
      if (!(row.name in defaults)) return shown === '' ? [`${row.name}: no default`] : [];
      const value = shownDefault(defaults[row.name]);
      return shown === value ? [] : [`${row.name}: ${value} by default, not ${shown}`];
    }),
  'every error is listed with its code': (all) => {
    const codes = [...membersOf('ErrorsByCode')].map(([code, { type }]) => `${type} ${code}`);
    const listed = errorRows(all).map(({ name, code }) => `${name} ${code}`);
    return differences('errors', listed, codes);
  },
  'errors are listed with their fields': (all) =>
    errorRows(all).flatMap(({ name, fields }) => differences(name, fields, fieldsOf(name))),
  'errors are listed with what they say of another try': (all) =>
    errorRows(all).flatMap(({ code, retryable }) => {
      const sample = samples[code as keyof typeof samples];
      const shown = retryable.startsWith('yes');
      return shown === sample.retryable ? [] : [`${code}: retryable is ${sample.retryable}`];
    }),
  'every error has a section that shows its message': (all) =>
    errorRows(all).flatMap(({ name, code }) => {
      const section = sectionOf(ERRORS, textOf(all, ERRORS), name);
      return section.includes(`text output\n${code}: `) ? [] : [`${name}: no message is shown`];
    }),
  'every reason for a loss is listed': (all) =>
    differences(
      'losses',
      firstCells(all, ERRORS, 'LockLostError', '`reason`'),
      literalsOf('LossReason'),
    ),
  'every reason for the end of a term is listed': (all) =>
    differences(
      'ends',
      firstCells(all, OPTIONS, 'Options of an election', 'reason of `onStoppedLeading`'),
      literalsOf('StopReason'),
    ),
  'every warning is listed': (all) =>
    differences(
      'warnings',
      firstCells(all, OPTIONS, 'Warnings', 'code'),
      literalsOf('SyncWarningCode'),
    ),
  'diagnostics are listed with their fields and words': (all) => {
    const common = [...membersOf('AttemptMessage').keys()];
    const rows = rowsOf(OPTIONS, textOf(all, OPTIONS), 'Diagnostics');
    const channels = rows.flatMap((row) => codeIn(row['channel'] ?? ''));
    const section = sectionOf(OPTIONS, textOf(all, OPTIONS), 'Diagnostics');
    const told = codeIn(section.replace(/^```[^]*?^```$/gm, ''));
    return [
      ...differences('channels', channels, Object.values(sync.diagnosticsChannels)),
      ...rows.flatMap((row) => {
        const [message = ''] = codeIn(row['message'] ?? '');
        const declared = [...common, ...membersOf(message).keys()];
        const literals = [...membersOf(message).keys()].flatMap((one) => literalsOf(message, one));
        const unsaid = literals.filter((word) => !told.includes(word));
        return [
          ...differences(message, codeIn(row['fields'] ?? ''), declared),
          ...unsaid.map((word) => `${message}: ${word} is not told`),
        ];
      }),
    ];
  },
  'the promises have one name each': (all) => {
    const [short, long] = [
      promisesOf(all, 'README.md', 'Safety'),
      promisesOf(all, SAFETY, 'What is promised'),
    ];
    const isSame = short.length === 6 && short.join() === long.join();
    return isSame ? [] : [`README: ${short.join()}; safety: ${long.join()}`];
  },
  'the options of the embedded server are listed': (all) => {
    const rows = rowsOf('docs/testing.md', textOf(all, 'docs/testing.md'), 'Options');
    const listed = rows.flatMap((row) => codeIn(row['option of `startLeaseServer`'] ?? ''));
    return differences('server', listed, [...membersOf('LeaseServerOptions').keys()]);
  },
  'YAML can be read': (all) =>
    fencesOf(all, 'yaml').flatMap(({ page, line, text }) => {
      try {
        return loadAllYaml(text).length > 0 ? [] : [`${page}:${line} is empty`];
      } catch (error) {
        return [`${page}:${line} ${String(error)}`];
      }
    }),
  'SQL is that of the examples, which run it': (all) => {
    const known = exampleText();
    const strange = fencesOf(all, 'sql').filter(({ text }) => !known.includes(words(text)));
    return strange.map(({ page, line }) => `${page}:${line} is in none of the examples`);
  },
  'the examples that are named are there': (all) => {
    const listed = firstCells(all, 'README.md', 'Examples and documentation', 'in `examples/`');
    const named = [...all.values()].flatMap((text) => [...text.matchAll(/`(examples\/[^`]+)`/g)]);
    const paths = [
      ...listed.map((name) => `examples/${name}`),
      ...named.map(([, path = '']) => path),
    ];
    const missing = paths.filter((path) => !existsSync(join(root, path)));
    return missing.map((path) => `${path} is not there`);
  },
};

/** Which check finds which change of which page. */
const faults: readonly (readonly [keyof typeof checks, string, string | RegExp, string])[] = [
  ['every option is listed', OPTIONS, '| `marginMs` ', '| `margin` '],
  ['every option is listed', OPTIONS, /^\| `onNewLeader`.*\n/m, ''],
  ['options are listed with their types', OPTIONS, '`LeaseClient`  ', '`LeaseHost`  '],
  ['options are listed with their defaults', OPTIONS, '| 15 000', '| 10 000'],
  ['options are listed with their defaults', OPTIONS, '| 30 000', '| 20 000'],
  ['options are listed with their defaults', OPTIONS, '| `false` ', '| `true` '],
  ['options are listed with their defaults', OPTIONS, '| required ', '| none '],
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
  ['YAML can be read', 'README.md', 'rules:\n', 'rules: {\n'],
  ['SQL is that of the examples, which run it', SAFETY, 'stored.fence <=', 'stored.fence <'],
  ['the examples that are named are there', 'README.md', '| `lock.ts`', '| `locks.ts`'],
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
    const text = textOf(pages, page);
    const changed = text.replace(from, to);
    expect(changed).not.toBe(text);
    const found = checks[name]?.(new Map([...pages, [page, changed]]));
    expect(found).not.toEqual(checks[name]?.(pages));
  });

  it('read the source, which declares something', () => {
    expect(options.size).toBeGreaterThan(15);
    expect(fieldsOf('ForbiddenError')).toContain('serverMessage');
    expect(() => membersOf('NoSuchType')).toThrow('the source declares no NoSuchType');
  });
});
