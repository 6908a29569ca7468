/** Field and label selectors of list and watch. */
import { badRequest } from './status.js';
import type { LeaseObject } from './types.js';

/** Whether an object is in the selection. */
export type Matcher = (lease: LeaseObject) => boolean;

export interface Selection {
  readonly matches: Matcher;
  /** Set when the field selector allows one name only: RBAC then judges the request by that name. */
  readonly name?: string;
}

/** Reads `fieldSelector` and `labelSelector` of a query; throws a 400 on what it does not understand. */
export function parseSelection(query: URLSearchParams): Selection {
  const fields = splitTerms(query.get('fieldSelector') ?? '').map(parseFieldTerm);
  const labels = splitTerms(query.get('labelSelector') ?? '').map(parseLabelTerm);
  const exact = fields.find((term) => term.field === 'name' && !term.negated);
  return {
    matches: (lease) =>
      fields.every((term) => (lease.metadata[term.field] === term.value) !== term.negated) &&
      labels.every((matches) => matches(lease.metadata.labels ?? {})),
    ...(exact === undefined ? {} : { name: exact.value }),
  };
}

interface FieldTerm {
  readonly field: 'name' | 'namespace';
  readonly value: string;
  readonly negated: boolean;
}

function parseFieldTerm(term: string): FieldTerm {
  const parts = /^([^=!]+)(==|!=|=)(.*)$/.exec(term);
  if (parts === null) throw badRequest(`invalid selector: '${term}'; can't understand '${term}'`);
  const [, label = '', operator, value = ''] = parts;
  if (label !== 'metadata.name' && label !== 'metadata.namespace') {
    throw badRequest(
      `"${label}" is not a known field selector: only "metadata.name", "metadata.namespace"`,
    );
  }
  const field = label === 'metadata.name' ? 'name' : 'namespace';
  return { field, value, negated: operator === '!=' };
}

type LabelMatcher = (labels: Readonly<Record<string, string>>) => boolean;

const setTerm = /^([^\s=!,()]+)\s+(in|notin)\s*\(([^()]*)\)$/;
const equalityTerm = /^([^\s=!,()<>]+)\s*(==|!=|=)\s*([^\s=!,()<>]*)$/;
const existsTerm = /^(!?)\s*([^\s=!,()<>]+)$/;

function parseLabelTerm(term: string): LabelMatcher {
  const set = setTerm.exec(term);
  if (set !== null) {
    const [, key = '', operator, list = ''] = set;
    const values = new Set(list.split(',').map((value) => value.trim()));
    return memberOf(key, values, operator === 'notin');
  }
  const equality = equalityTerm.exec(term);
  if (equality !== null) {
    const [, key = '', operator, value = ''] = equality;
    return memberOf(key, new Set([value]), operator === '!=');
  }
  const exists = existsTerm.exec(term);
  if (exists !== null) {
    const [, absent, key = ''] = exists;
    return (labels) => Object.hasOwn(labels, key) !== (absent === '!');
  }
  throw badRequest(
    `unable to parse requirement: ${term}: this server understands =, ==, !=, in, notin and existence`,
  );
}

/** An absent label is outside every set, so it satisfies the negated forms. */
function memberOf(key: string, values: ReadonlySet<string>, negated: boolean): LabelMatcher {
  return (labels) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
    return (value !== undefined && values.has(value)) !== negated;
  };
}

/** Splits at commas that stand outside parentheses. */
function splitTerms(selector: string): string[] {
  return (selector.match(/(?:[^,(]|\([^)]*\)?)+/g) ?? []).map((term) => term.trim());
}
