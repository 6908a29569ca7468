// What the pages list, held against what the code has. Each check takes the pages and returns its complaints.
import { loadAllYaml } from '@kubernetes/client-node';
import * as sync from '@metaparticle/sync';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { resolveElection } from '../../src/election/options.js';
import { resolveOptions } from '../../src/options.js';
import { exportsOf, fieldsOf, literalsOf, membersOf, publicMembersOf } from './declared.js';
import { readPage, type Fence } from './markdown.js';
import { root } from './source.js';
import { codeIn, rowsOf, sectionOf } from './tables.js';

/** Text by name. */
export type Pages = ReadonlyMap<string, string>;

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

export const OPTIONS = 'docs/options.md';
export const ERRORS = 'docs/errors.md';
export const SAFETY = 'docs/safety.md';
export const PROOF = 'docs/proof.md';

const optionTypes = exportsOf('src/index.ts').filter((name) => /(Options|Callbacks)$/.test(name));
const options = new Map(optionTypes.flatMap((name) => [...membersOf(name)]));
const { drainTimeoutMs, recordEvents } = resolveElection({ onStartedLeading: () => undefined });
const own = { drainTimeoutMs, recordEvents };
const defaults: Readonly<Record<string, unknown>> = { ...resolveOptions({}), ...own };

function optionRows(all: Pages) {
  const rows = rowsOf(OPTIONS, textOf(all, OPTIONS)).filter((row) => 'option' in row);
  return rows.map((row) => ({ ...row, name: codeIn(row['option'] ?? '')[0] ?? '' }) as const);
}

function shownDefault(value: unknown): string {
  if (typeof value === 'number') return value.toLocaleString('en').replaceAll(',', ' ');
  if (typeof value === 'boolean') return `\`${value}\``;
  return 'none';
}

/** What a formula of option names comes to, in milliseconds: differences and quotients, from the left. */
function valueOf(formula: string): number {
  const [first = '', ...rest] = formula.split(/ (?=[−/] )/);
  const term = (word: string): number => Number(defaults[word] ?? word);
  return rest.reduce((value, part) => {
    const [operator, word = ''] = part.split(' ');
    return operator === '/' ? value / term(word) : value - term(word);
  }, term(first));
}

function inWords(value: number): string {
  return value < 1 ? `${Math.floor(value * 100)} %` : `${value / 1_000} s`;
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

export const checks: Readonly<Record<string, (all: Pages) => string[]>> = {
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
  'defaults are told as they are': (all) =>
    [...all].flatMap(([page, text]) => {
      const told = [
        ...[...text.matchAll(/(\d+) s\s\(`(\w+Ms)`\)/g)].map(([, seconds, name]) => [
          name,
          seconds,
        ]),
        ...[...text.matchAll(/`(\w+Ms)`\s\((\d+) s\)/g)].map(([, name, seconds]) => [
          name,
          seconds,
        ]),
      ];
      const wrong = told.filter(
        ([name = '', seconds]) => Number(seconds) * 1_000 !== defaults[name],
      );
      return wrong.map(([name, seconds]) => `${page}: ${name} is not ${seconds} s`);
    }),
  'what follows from the defaults is reckoned right': (all) => {
    const rows = rowsOf(OPTIONS, textOf(all, OPTIONS), 'The timings');
    const reckoned = rows.map((row) => inWords(valueOf(codeIn(row['formula'] ?? '')[0] ?? '')));
    const told = rows.map((row) => row['by default'] ?? '');
    return rows.length > 0 && reckoned.join() === told.join() ? [] : [reckoned.join()];
  },
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
    const rows = rowsOf(OPTIONS, textOf(all, OPTIONS), 'Diagnostics');
    const channels = rows.flatMap((row) => codeIn(row['channel'] ?? ''));
    const section = sectionOf(OPTIONS, textOf(all, OPTIONS), 'Diagnostics');
    const told = codeIn(section.replace(/^```[^]*?^```$/gm, ''));
    return [
      ...differences('channels', channels, Object.values(sync.diagnosticsChannels)),
      ...rows.flatMap((row) => {
        const [message = ''] = codeIn(row['message'] ?? '');
        // An outage is about a client, the others about one attempt.
        const common = message === 'OutageMessage' ? [] : [...membersOf('AttemptMessage').keys()];
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
    const kinds = ['BaseLeaseServerOptions', 'LeaseServerOptions', 'ManualLeaseServerOptions'];
    const declared = kinds.flatMap((kind) => [...membersOf(kind).keys()]);
    return differences('server', listed, [...new Set(declared)]);
  },
  'the members of the manual clock are listed': (all) => {
    const rows = rowsOf('docs/testing.md', textOf(all, 'docs/testing.md'), 'The manual clock');
    const listed = rows.flatMap((row) => codeIn(row['member'] ?? ''));
    const names = listed.map((one) => one.replace(/\(.*/, ''));
    return differences('manual clock', [...new Set(names)], publicMembersOf('ManualLeaseServer'));
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
  'every error found so far is shown by a test that is there': (all) => {
    const rows = rowsOf(PROOF, textOf(all, PROOF), 'Errors found so far');
    if (rows.length === 0) return ['no errors are listed'];
    return rows.flatMap((row) => {
      const [file = ''] = codeIn(row['file'] ?? '');
      const [title = ''] = codeIn(row['test'] ?? '');
      const path = join(root, file === '…' ? 'test/unit/protocol/protocol.test.ts' : file);
      if (!existsSync(path)) return [`${file} is not there`];
      const isThere = title !== '' && readFileSync(path, 'utf8').includes(title);
      return isThere ? [] : [`${file}: there is no test "${title}"`];
    });
  },
};
