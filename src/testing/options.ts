/** What a request asks for beside its object: the query of lists and watches, DeleteOptions, dry runs. */
import { parseJsonObject } from './decode.js';
import * as status from './status.js';
import { isJsonObject } from './types.js';

export interface WatchOptions {
  /** Null: from the current state. */
  readonly version: bigint | null;
  readonly sendInitialEvents: boolean;
  readonly allowBookmarks: boolean;
  readonly timeoutMs: number;
}

/** Reads the query of a watch; throws the 400, 422 or 500 that the real server answers. */
export function parseWatchOptions(query: URLSearchParams, random: () => number): WatchOptions {
  const asked = query.get('resourceVersion') ?? '';
  if (asked !== '' && !/^\d+$/.test(asked)) {
    const parse = `strconv.ParseUint: parsing "${asked}": invalid syntax`;
    throw status.unexplained(`resourceVersion: Invalid value: "${asked}": ${parse}`);
  }
  const fromNow = asked === '' || asked === '0';
  const allowBookmarks = isTrue(query.get('allowWatchBookmarks'));
  const initial = query.get('sendInitialEvents');
  checkMatch(query, initial);
  return {
    version: fromNow ? null : BigInt(asked),
    sendInitialEvents: initial === null ? fromNow : isTrue(initial),
    allowBookmarks,
    timeoutMs: parseTimeoutSeconds(query.get('timeoutSeconds'), random) * 1_000,
  };
}

function checkMatch(query: URLSearchParams, initial: string | null): void {
  const match = query.get('resourceVersionMatch') ?? '';
  if (initial !== null && match !== 'NotOlderThan') {
    const why = 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan';
    throw forbiddenOption('resourceVersionMatch', why);
  }
  if (initial === null && match !== '') {
    const why = 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided';
    throw forbiddenOption('resourceVersionMatch', why);
  }
}

/** Throws the 422 for options that make no sense in a list. */
export function checkListOptions(query: URLSearchParams): void {
  if (query.has('sendInitialEvents')) {
    throw forbiddenOption('sendInitialEvents', 'sendInitialEvents is forbidden for list');
  }
  const isVersionGiven = (query.get('resourceVersion') ?? '') !== '';
  if ((query.get('resourceVersionMatch') ?? '') !== '' && !isVersionGiven) {
    const why = 'resourceVersionMatch is forbidden unless resourceVersion is provided';
    throw forbiddenOption('resourceVersionMatch', why);
  }
}

function forbiddenOption(field: string, why: string): Error {
  const error = { reason: 'FieldValueForbidden', message: `Forbidden: ${why}`, field };
  return status.invalid('', [error], 'ListOptions');
}

/** Without a limit the server takes one of 30 to 60 minutes. */
function parseTimeoutSeconds(text: string | null, random: () => number): number {
  if (text === null || text === '' || text === '0') return 1_800 * (1 + random());
  if (!/^[+-]?\d+$/.test(text)) {
    throw status.badRequest(`strconv.ParseInt: parsing "${text}": invalid syntax`);
  }
  return Math.min(Math.max(0, Number(text)), 86_400);
}

export function isTrue(text: string | null): boolean {
  return text !== null && !['false', '0'].includes(text.toLowerCase());
}

export interface DeleteOptions {
  /** Null: no precondition. */
  readonly uid: string | null;
  readonly resourceVersion: string | null;
  readonly dryRun: boolean;
}

export function parseDeleteOptions(body: string, query: URLSearchParams): DeleteOptions {
  const options = body === '' ? {} : parseJsonObject(body, 'DeleteOptions');
  const { kind = 'DeleteOptions', preconditions } = options;
  if (kind !== 'DeleteOptions') {
    throw status.badRequest(`no kind ${JSON.stringify(kind)} is registered for DeleteOptions`);
  }
  const given = isJsonObject(preconditions) ? preconditions : {};
  const directives = options.dryRun ?? query.getAll('dryRun');
  return {
    uid: precondition(given.uid),
    resourceVersion: precondition(given.resourceVersion),
    dryRun: isDryRun(Array.isArray(directives) ? directives : [directives]),
  };
}

/** To ignore one that is not understood would delete what must stay. */
function precondition(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string') return value;
  const field = 'Go struct field Preconditions.preconditions of type string';
  throw status.badRequest(`json: cannot unmarshal ${typeof value} into ${field}`);
}

/** Throws a 422 for directives that do not exist: to carry the request out for real would be worse. */
export function isDryRun(directives: readonly unknown[]): boolean {
  if (directives.some((directive) => directive !== 'All')) {
    const message = `Unsupported value: ${JSON.stringify(directives)}: supported values: "All"`;
    const error = { reason: 'FieldValueNotSupported', message, field: 'dryRun' };
    throw status.invalid('', [error], 'Options');
  }
  return directives.length > 0;
}
