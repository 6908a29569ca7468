/**
 * `metadata.managedFields` under updates: who wrote which field last, and when (in whole seconds).
 * A manager's entry is stamped when it changes or adds a value, not when it repeats one; what it changes is
 * taken from the other managers' entries. Sets of fields are kept as sets of paths, joined by line feeds.
 */
import { API_VERSION, isJsonObject } from './types.js';
import type { FieldsV1, LeaseMetadata, LeaseSpec, ManagedFieldsEntry } from './types.js';

interface Content {
  readonly metadata: Partial<LeaseMetadata>;
  readonly spec: LeaseSpec;
}

/**
 * The entries after `manager` replaced `before` by `after`.
 * @param base the entries before: those of the body when it brought some, else the stored ones
 */
export function updateManagedFields(
  base: readonly ManagedFieldsEntry[],
  before: Content | undefined,
  after: Content,
  manager: string,
  now: Date,
): ManagedFieldsEntry[] {
  const old = before === undefined ? new Map<string, string>() : leaves(before);
  const current = leaves(after);
  const taken = [...current.keys()].filter((path) => old.get(path) !== current.get(path));
  const gone = [...old.keys()].filter((path) => !current.has(path));
  const lost = new Set([...taken, ...gone]);
  const isOwn = (entry: ManagedFieldsEntry): boolean =>
    entry.manager === manager && entry.operation === 'Update' && entry.subresource === undefined;

  const entries = base.flatMap((entry) => {
    const kept = decodePaths(entry.fieldsV1).filter((path) => !lost.has(path));
    const paths = isOwn(entry) ? [...kept, ...taken] : kept;
    if (paths.length === 0) return [];
    const stamped =
      isOwn(entry) && taken.length > 0 ? { ...entry, time: wholeSeconds(now) } : entry;
    return [{ ...stamped, fieldsV1: encodePaths(paths) }];
  });
  if (taken.length > 0 && !base.some(isOwn)) {
    entries.push({
      manager,
      operation: 'Update',
      apiVersion: API_VERSION,
      time: wholeSeconds(now),
      fieldsType: 'FieldsV1',
      fieldsV1: encodePaths(taken),
    });
  }
  return entries.sort(byOperationTimeManager);
}

/** The manager's name when the request names none: its user agent up to the first slash. */
export function managerFromUserAgent(userAgent: string): string {
  const product = (userAgent.split('/')[0] ?? '').slice(0, 128);
  return product === '' ? 'unknown' : product;
}

export function wholeSeconds(at: Date): string {
  return `${at.toISOString().slice(0, 19)}Z`;
}

/** Every field that can be owned, with its value as JSON. */
function leaves({ metadata, spec }: Content): Map<string, string> {
  const found = new Map<string, string>();
  const add = (path: readonly string[], value: unknown): void => {
    found.set(path.join('\n'), JSON.stringify(value));
  };
  for (const field of ['labels', 'annotations'] as const) {
    const map = metadata[field] ?? {};
    if (Object.keys(map).length > 0) add(['f:metadata', `f:${field}`, '.'], true);
    for (const [key, value] of Object.entries(map)) {
      add(['f:metadata', `f:${field}`, `f:${key}`], value);
    }
  }
  addItems(add, 'ownerReferences', metadata.ownerReferences ?? [], (owner) => {
    return `k:${JSON.stringify({ uid: owner.uid })}`;
  });
  addItems(add, 'finalizers', metadata.finalizers ?? [], (text) => `v:${JSON.stringify(text)}`);
  for (const [key, value] of Object.entries(spec)) {
    if (value !== undefined) add(['f:spec', `f:${key}`], value);
  }
  return found;
}

function addItems<T>(
  add: (path: readonly string[], value: unknown) => void,
  field: string,
  items: readonly T[],
  keyOf: (item: T) => string,
): void {
  if (items.length > 0) add(['f:metadata', `f:${field}`, '.'], true);
  for (const item of items) add(['f:metadata', `f:${field}`, keyOf(item)], item);
}

function encodePaths(paths: readonly string[]): FieldsV1 {
  const root: FieldsV1 = {};
  for (const path of [...new Set(paths)].sort()) {
    let node = root;
    for (const key of path.split('\n')) node = node[key] ??= {};
  }
  return root;
}

function decodePaths(tree: FieldsV1, prefix: readonly string[] = []): string[] {
  return Object.entries(tree).flatMap(([key, child]) => {
    const path = [...prefix, key];
    const isLeaf = !isJsonObject(child) || Object.keys(child).length === 0;
    return isLeaf ? [path.join('\n')] : decodePaths(child, path);
  });
}

function byOperationTimeManager(a: ManagedFieldsEntry, b: ManagedFieldsEntry): number {
  const [left, right] = [a, b].map((entry) => [entry.operation, entry.time ?? '', entry.manager]);
  return JSON.stringify(left) < JSON.stringify(right) ? -1 : 1;
}
